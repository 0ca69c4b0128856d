import { fastify } from 'fastify'
import t from 'tap'
import { addDeprecations } from '../../src/http/deprecation.plugin.ts'
import { addOpenApi, documentOf, mainDocument } from '../../src/openapi/openapi.plugin.ts'

t.test('a deprecated operation says so in each answer and in the document', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  addDeprecations(app, 'https://payments.example')
  const document = mainDocument({})
  await addOpenApi(app, 'https://payments.example', [document])
  const deprecated = {
    since: new Date('2027-01-01T00:00:00Z'),
    sunset: new Date('2027-12-31T23:59:59Z')
  }
  app.get('/v1/old', { config: { deprecated } }, async () => ({ found: true }))
  app.get('/v1/list', { config: { deprecated } }, async (_, reply) =>
    reply.header('link', '</v1/list?cursor=2>; rel="next"').send({ data: [] })
  )
  app.get('/v1/broken', { config: { deprecated } }, async () => {
    throw new Error('a fault of ours')
  })
  app.get('/v1/new', async () => ({ found: true }))

  for (const path of ['/v1/old', '/v1/broken']) {
    const { headers } = await app.inject(path)
    t.equal(headers.deprecation, '@1798761600', path)
    t.equal(headers.sunset, 'Fri, 31 Dec 2027 23:59:59 GMT')
    const link = '<https://payments.example/docs/versions>; rel="deprecation"; type="text/html"'
    t.equal(headers.link, link)
  }
  const list = await app.inject('/v1/list')
  t.match(list.headers.link, /^<\/v1\/list\?cursor=2>; rel="next", <.*>; rel="deprecation"/)
  const { headers } = await app.inject('/v1/new')
  t.notHas(headers, { deprecation: String })
  t.notHas(headers, { sunset: String })
  await app.ready()
  const { paths } = documentOf(app, document) as {
    paths: Record<string, { get: { deprecated?: true } }>
  }
  t.equal(paths['/v1/old']?.get.deprecated, true)
  t.equal(paths['/v1/new']?.get.deprecated, undefined)
})

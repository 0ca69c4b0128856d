import { hash } from 'node:crypto'
import { pino } from 'pino'
import t from 'tap'
import { testService } from '../test-service.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

t.test('F12: in production browsers come by https alone, and keep no key', async (t) => {
  const publicUrl = 'https://payments.example'
  const { call } = await testService(t, { sandbox: false, publicUrl })
  for (const path of ['/v1/payments', '/health/live', '/v1/nothing', '/docs/problems', '/docs']) {
    const { headers } = await call('GET', path)
    t.equal(headers.get('strict-transport-security'), 'max-age=31536000', path)
  }
  const { text } = await call('GET', '/docs/')
  t.match(text, /"persistAuth": ?false/)
})

t.test('headers', async (t) => {
  const lines: Array<Record<string, unknown>> = []
  const log = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line)) })
  const { call, control, createPayment } = await testService(t, { log })

  t.test('every answer names its request, and may be neither sniffed nor stored', async (t) => {
    for (const [method, path] of [
      ['GET', '/v1/payments'],
      ['GET', '/v1/payments/a'],
      ['GET', '/v1/nothing'],
      ['POST', '/v1/payments'],
      ['GET', '/v1/payments/%zz'],
      ['GET', `/v1/payments/${'a'.repeat(200)}`],
      ['GET', '/health/live'],
      ['GET', '/health/ready'],
      ['GET', '/docs/problems'],
      ['GET', '/openapi.json'],
      ['GET', '/return/a'],
      ['POST', '/webhooks/adyen']
    ] as const) {
      const { headers } = await call(method, path)
      t.match(headers.get('x-request-id'), /^[0-9a-f]{32}$/, path)
      t.equal(headers.get('x-content-type-options'), 'nosniff', path)
      const isPublic = /^\/(docs\/problems|openapi\.json)$/.test(path)
      const caching = isPublic ? 'public, max-age=300' : 'no-store'
      t.equal(headers.get('cache-control'), caching, path)
      t.equal(headers.get('access-control-allow-origin'), null, path)
      t.equal(headers.get('strict-transport-security'), null, 'it came by http')
      t.equal(headers.get('server'), null, path)
      t.equal(headers.get('x-powered-by'), null, path)
    }
  })

  t.test('no two requests have one id', async (t) => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => call('GET', '/health/live')))
    t.equal(new Set(answers.map(({ headers }) => headers.get('x-request-id'))).size, 20)
  })

  t.test('an X-Request-Id is taken, unless it could harm a log', async (t) => {
    for (const id of ['a', 'A-b_c.9', 'x'.repeat(64)]) {
      const { headers, body } = await call('GET', '/v1/nothing', {
        headers: { 'x-request-id': id }
      })
      t.equal(headers.get('x-request-id'), id)
      t.equal(body.requestId, id)
    }
    for (const id of ['', 'a b', 'x'.repeat(65), '{"a":1}', 'caf\u00e9', '<b>', 'a,b']) {
      const { headers } = await call('GET', '/v1/nothing', { headers: { 'x-request-id': id } })
      t.match(headers.get('x-request-id'), /^[0-9a-f]{32}$/)
    }
  })

  t.test('an x-correlator is given back, also where the answer is an error', async (t) => {
    const [full, empty] = ['aZ9-_:;./<>{}', '']
    for (const path of ['/v1/payments', '/v1/payments/a', '/v1/nothing', '/v1/payments/%zz']) {
      const { headers } = await call('GET', path, { headers: { 'x-correlator': full } })
      t.equal(headers.get('x-correlator'), full, path)
      t.match(headers.get('x-request-id'), /^[0-9a-f]{32}$/, 'it is no id of the request')
    }
    const long = 'x'.repeat(256)
    const { headers } = await call('GET', '/v1/nothing', { headers: { 'x-correlator': long } })
    t.equal(headers.get('x-correlator'), long)
    t.same(
      lines.filter(({ correlator }) => correlator !== undefined).map((line) => line.correlator),
      [full, full, full, full, long],
      'a line of log has it, where there was one'
    )
    for (const wrong of [empty, `${long}x`, 'a b', 'a,b', 'caf\u00e9', '4111111111111111']) {
      const { headers } = await call('GET', '/v1/nothing', {
        headers: { 'x-correlator': wrong, 'x-request-id': 'own' }
      })
      t.equal(headers.get('x-correlator'), 'own', `as the request's id: ${wrong}`)
    }
  })

  t.test('both are passed on to the provider', async (t) => {
    await createPayment({}, { headers: { traceparent, 'x-request-id': 'passed-on' } })
    const { body: requests } = await control('GET', '/_simulator/requests')
    const { headers } = requests.at(-1)
    t.equal(headers['x-request-id'], 'passed-on')
    const [version, traceId, span, flags] = headers.traceparent.split('-')
    t.same([version, traceId, flags], ['00', '0af7651916cd43dd8448eb211c80319c', '01'])
    t.match(span, /^[0-9a-f]{16}$/)
    t.not(span, 'b7ad6b7169203331', 'with a span of our own')
  })

  t.test('a traceparent that is none is not passed on', async (t) => {
    for (const wrong of [
      'x',
      traceparent.slice(1),
      traceparent.toUpperCase(),
      `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
      `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`,
      `ff${traceparent.slice(2)}`
    ]) {
      await createPayment({}, { headers: { traceparent: wrong } })
      const { body: requests } = await control('GET', '/_simulator/requests')
      t.equal(requests.at(-1).headers.traceparent, undefined, wrong)
    }
  })

  t.test('no page that a customer meets here has a script or a frame', async (t) => {
    const { id } = await createPayment()
    const { status, text } = await call('GET', `/return/${id}`, { key: null })
    t.equal(status, 303)
    t.equal(text, '')
    const page = await call('GET', '/docs/problems', { key: null })
    t.notMatch(page.text, /<script|<iframe|<object|javascript:/i)
  })

  t.test('the interactive docs may run nothing but their own', async (t) => {
    const { text, headers } = await call('GET', '/docs/', { key: null })
    const policy = String(headers.get('content-security-policy'))
    t.match(policy, /default-src 'none'/)
    t.notMatch(policy, /script-src[^;]*(unsafe-inline|unsafe-eval|\*)/)
    t.notMatch(policy, /https?:/, 'and ask nobody else')
    const begin = text.indexOf('>', text.lastIndexOf('<script')) + 1
    const inline = text.slice(begin, text.lastIndexOf('</script>'))
    t.match(inline, /createApiReference/)
    t.match(policy, `'sha256-${hash('sha256', inline, 'base64')}'`)
  })

  t.test('G5: the script of the docs is loaded once', async (t) => {
    const script = await call('GET', '/docs/js/scalar.js', { key: null })
    t.match(script.headers.get('content-type'), /javascript/)
    t.match(script.headers.get('cache-control'), /^public, max-age=\d+$/)
    const etag = String(script.headers.get('etag'))
    const again = await call('GET', '/docs/js/scalar.js', {
      key: null,
      headers: { 'if-none-match': etag }
    })
    t.same([again.status, again.text], [304, ''])
  })
})

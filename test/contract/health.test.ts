/** The probes, and what every operation answers while the database is away. */
import t from 'tap'
import { cuttable } from '../cuttable.ts'
import { routes } from '../http/routes.ts'
import { testDatabase } from '../test-database.ts'
import { testService } from '../test-service.ts'
import { judgedService } from './judged.ts'

t.test('without its database, every operation says that it is worth repeating', async (t) => {
  const { url } = await testDatabase(t)
  const way = await cuttable(t, url)
  const oauth = { issuer: 'http://127.0.0.1:1', audience: 'payments' }
  const service = await judgedService(t, { databaseUrl: way.url, oauth })
  const { operations, meet, judge } = service
  await meet(200, 'getLiveness', [], { key: null })
  await meet(200, 'getProtectedResource', [], { key: null })
  await meet(200, 'getReadiness', [], { key: null })

  way.cut()
  await meet(200, 'getLiveness', [], { key: null })
  await meet(503, 'getReadiness', [], { key: null })
  for (const { id, path, method } of operations) {
    const route = routes.find((one) => one.template === path && one.method === method.toUpperCase())
    if (route !== undefined) await meet('overloaded', id, ['7', '7'], { body: route.body })
  }
  const { call } = await testService(t)
  const path = '/.well-known/oauth-protected-resource'
  t.equal(judge('getProtectedResource', await call('GET', path, { key: null })).status, 404)
  t.same([...service.findUnmet('Health'), ...service.findUnmetGeneral(['overloaded'])], [])
})

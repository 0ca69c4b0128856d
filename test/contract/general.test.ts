/** What every operation may answer whatever it does, met at each of them. */
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { scopes } from '../../src/clients/client.ts'
import type { ProblemCode } from '../../src/problems/problems.ts'
import { type Route, routes } from '../http/routes.ts'
import type { Operation } from './document.ts'
import { elsewhereMet, generalCodes, type Judged, judgedService, needsKey } from './judged.ts'

t.test('each refusal that every operation has is met at every operation', async (t) => {
  const service = await judgedService(t)
  for (const operation of service.operations) {
    const route = routeOf(operation)
    if (route !== undefined) await meetRefusals(t, service, operation, route)
  }
  await meetFaultOfOurs(t, service)
  // Of a resource that has an ETag it is met where there is one.
  const others = [...elsewhereMet, 'overloaded', 'precondition_failed']
  const met = generalCodes.filter((code) => !others.includes(code))
  t.same(service.findUnmetGeneral(met), [])
})

/** Undefined for what needs no key. */
function routeOf({ path, method }: Operation): Route | undefined {
  return routes.find((one) => one.template === path && one.method === method.toUpperCase())
}

async function meetRefusals(t: Test, service: Judged, operation: Operation, route: Route) {
  const { id, path, method } = operation
  const valid = { ...(route.body !== undefined && { body: route.body }) }
  const refused = (code: ProblemCode, options: Parameters<Judged['meet']>[3], ids = ['7', '7']) =>
    service.meet(code, id, ids, { ...valid, ...options })
  await refused('unauthenticated', { key: null })
  const others = scopes.filter((one) => one !== route.scope)
  await refused('scope_missing', { key: await service.addClient({ scopes: others }) })
  const card = '4111111111111111'
  const sent = [
    await refused('card_number_refused', { headers: { 'idempotency-key': card } }),
    ...(path.includes('{') ? [await refused('card_number_refused', {}, [card, '7'])] : []),
    ...(route.body === undefined
      ? []
      : [await refused('card_number_refused', { body: { ...route.body, note: card } })])
  ]
  for (const { text } of sent) t.notMatch(text, card)
  if (needsKey(operation)) await refused('idempotency_key_missing', { idempotencyKey: '' })
  const { parameters = [] } = operation.operation
  const hasETag = parameters.some(({ name }: { name: string }) => name === 'if-match')
  if (method !== 'get' && !hasETag) {
    await refused('precondition_failed', { headers: { 'if-match': '"stale"' } })
  }
  if (method !== 'get') {
    await refused('request_invalid', { body: '{' })
    await refused('body_too_large', { body: 'x'.repeat(70_000) })
    await refused('content_type_unsupported', {
      body: 'a',
      headers: { 'content-type': 'text/plain' }
    })
  }
  if (route.body !== undefined) {
    const { body } = await refused('request_invalid', { body: { notKnown: 1 } })
    const pointers = body.errors.map(({ pointer }: { pointer: string }) => pointer)
    t.ok(pointers.includes('/notKnown'), `${id} says what it does not know`)
  }
  if (method === 'get') {
    await refused('not_acceptable', { headers: { accept: 'application/xml' } })
    // A path that can't be decoded is refused where its operation takes no query.
    const isList = operation.operation.parameters?.some(
      ({ in: at }: { in: string }) => at === 'query'
    )
    await (isList
      ? refused('request_invalid', { query: '?limit=0' })
      : refused('request_invalid', {}, ['%', '7']))
  }
}

/** Every operation meets what it does not know: tables that are not where it looks for them. */
async function meetFaultOfOurs(t: Test, service: Judged): Promise<void> {
  const { operations, meet, call, db } = service
  t.equal((await call('GET', '/v1/payments')).status, 200)
  const { rows } = await sql<{ here: string }>`select current_schema() as here`.execute(db)
  const here = sql.id(rows[0]?.here ?? '')
  const elsewhere = sql.id(`${rows[0]?.here}_elsewhere`)
  await sql`alter schema ${here} rename to ${elsewhere}`.execute(db)
  try {
    for (const operation of operations) {
      const route = routeOf(operation)
      if (route === undefined) continue
      const valid = route.body === undefined ? {} : { body: route.body }
      const { text } = await meet('internal_error', operation.id, ['7', '7'], valid)
      t.notMatch(text, /relation|schema|elsewhere|select/, 'which says nothing of what it was')
    }
  } finally {
    await sql`alter schema ${elsewhere} rename to ${here}`.execute(db)
  }
}

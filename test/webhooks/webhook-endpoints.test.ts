/** Webhook endpoints: whose they are, what is asked of them, what they are told. */
import { sql } from 'kysely'
import t from 'tap'
import { readClientArguments, runClientCommand } from '../../src/clients/client.commands.ts'
import type { Scope } from '../../src/clients/client.ts'
import { findEventFaults } from '../events.ts'
import { eventually, type Found, startConsumer } from '../feed/consumer.ts'
import { newAccountId } from '../test-service.ts'
import { capture, deskOf, quickService, subscribe } from './receivers.ts'

const scopes: Scope[] = ['webhooks:read', 'webhooks:write', 'payments:read', 'payments:write']

t.test('an endpoint is told of every event as the feed shows it', async (t) => {
  const service = await quickService(t)
  const desk = deskOf(service)
  const all = await subscribe(t, desk)
  const some = await subscribe(t, desk, undefined, ['payment.captured', 'refund.succeeded'])
  const paymentId = await capture(service)
  await eventually(all.events, (found) => found.length === 2)
  await eventually(some.events, (found) => found.length === 1)

  const feed = await desk.feed()
  t.same(
    all.events().map(({ event }) => event),
    feed
  )
  t.same(
    all.events().map(({ id }) => id),
    [`${paymentId}.1`, `${paymentId}.2`]
  )
  t.same(some.events()[0]?.event, feed[1])
  t.same([...all.faults, ...some.faults], [], 'every signature was right')
  const headers = all.seen[0]?.headers ?? {}
  t.match(headers, {
    'content-type': 'application/json',
    'user-agent': 'one-off-payments-webhooks/1',
    'webhook-id': `${paymentId}.1`,
    'webhook-signature': /^v1,[A-Za-z0-9+/]{43}=$/
  })
  t.ok(Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1000) < 5)

  await eventually(
    () => desk.deliveries(all.id),
    (found) => found.every(({ status }) => status === 'delivered')
  )
  const [latest] = await desk.deliveries(all.id)
  t.match(latest, {
    webhookEndpointId: all.id,
    event: { id: `${paymentId}.2`, type: 'payment.captured', paymentId },
    status: 'delivered',
    attemptCount: 1,
    nextAttemptAt: null
  })
  const { attempts } = await desk.ask(200, 'GET', `/v1/deliveries/${latest.id}`)
  t.match(attempts, [{ number: 1, httpStatus: 204, error: null, response: '' }])
})

t.test('each client has its own endpoints, and a third party its own events', async (t) => {
  const service = await quickService(t, { duplicateWindowS: 0 })
  const { addClient, call, db } = service
  const keys = { a: '', b: '', own: '' }
  for (const name of ['a', 'b'] as const) keys[name] = await addClient({ scopes, thirdParty: true })
  keys.own = await addClient({ scopes })
  const desks = { a: deskOf(service, keys.a), b: deskOf(service, keys.b) }
  const ofA = await subscribe(t, desks.a)
  const ofB = await subscribe(t, desks.b)
  const ofOwn = await subscribe(t, deskOf(service, keys.own))
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const payments: Record<string, Found> = {}
  for (const name of ['a', 'b'] as const) {
    payments[name] = await service.createPayment({ accountId }, { key: keys[name] })
  }
  await db.transaction().execute(async (tx) => {
    // Of nobody in particular, as a card's are.
    await sql`insert into other_event (id, type, data)
      values ('evt_1', 'card.registered', '{}')`.execute(tx)
    await sql`insert into event_outbox (event_id) values ('evt_1')`.execute(tx)
  })
  await eventually(ofOwn.events, (found) => found.length === 3)
  await eventually(ofA.events, (found) => found.length === 1)
  await eventually(ofB.events, (found) => found.length === 1)
  t.same(ofA.events()[0]?.event.paymentId, payments.a.id)
  t.same(ofB.events()[0]?.event.paymentId, payments.b.id)
  t.match(ofOwn.events().at(-1)?.event, { id: 'evt_1', paymentId: null, sequence: null, data: {} })

  await t.test('to everybody else they do not exist', async (t) => {
    const [delivery] = await desks.a.deliveries(ofA.id)
    for (const key of [keys.b, keys.own, service.key]) {
      const at = `/v1/webhook-endpoints/${ofA.id}`
      const range = { from: '2026-01-01T00:00:00Z', to: '2027-01-01T00:00:00Z' }
      for (const [method, path, body] of [
        ['GET', at, undefined],
        ['PATCH', at, { status: 'disabled' }],
        ['DELETE', at, undefined],
        ['GET', `${at}/deliveries`, undefined],
        ['POST', `${at}/secret-rotation`, undefined],
        ['POST', `${at}/test`, undefined],
        ['POST', `${at}/replay`, range],
        ['GET', `/v1/deliveries/${delivery.id}`, undefined],
        ['POST', `/v1/deliveries/${delivery.id}/retry`, undefined]
      ] as const) {
        const idempotencyKey = crypto.randomUUID()
        const answer = await call(method, path, { key, idempotencyKey, ...(body && { body }) })
        t.equal(answer.status, 404, `${method} ${path}`)
      }
      const { body } = await call('GET', '/v1/webhook-endpoints', { key })
      t.notOk(body.data.some(({ id }: Found) => id === ofA.id))
    }
    const { body } = await call('GET', '/v1/webhook-endpoints', { key: keys.a })
    t.same(body.data, [{ ...ofA.endpoint, secret: undefined }].map(withoutUndefined))
  })

  await t.test('a client that is revoked is told nothing more', async (t) => {
    await sql`update client set revoked_at = now() where id = (
      select client_id from webhook_endpoint where id = ${ofB.id})`.execute(db)
    const { id } = await service.createPayment({ accountId })
    await eventually(ofOwn.events, (found) => found.some(({ event }) => event.paymentId === id))
    const { rows } = await sql<{ n: number }>`select count(*) as n from webhook_delivery
      where endpoint_id = ${ofB.id} and payment_id = ${id}`.execute(db)
    t.equal(rows[0]?.n, 0)
  })
})

t.test('what a client may not see any more is not sent to it again', async (t) => {
  const service = await quickService(t)
  const { addClient, createPayment, db } = service
  const key = await addClient({ name: 'partner', scopes })
  const desk = deskOf(service, key)
  const consumer = await subscribe(t, desk)
  const [own, others] = [await createPayment({}, { key }), await createPayment()]
  await eventually(consumer.events, (found) => found.length === 2)
  const sent = await eventually(
    () => desk.deliveries(consumer.id, '?status=delivered'),
    (found) => found.length === 2
  )
  const change = (text: string) =>
    runClientCommand(db, readClientArguments(`update partner ${text}`.split(' ')), true)
  async function sendAgain({ id: paymentId }: Found) {
    const { id } = sent.find(({ event }) => event.paymentId === paymentId) as Found
    await desk.ask(202, 'POST', `/v1/deliveries/${id}/retry`)
    const path = `/v1/deliveries/${id}`
    return await eventually(
      () => desk.ask(200, 'GET', path),
      ({ status }) => status !== 'pending'
    )
  }
  const refused = {
    status: 'failed',
    attempts: [{ httpStatus: 204 }, { error: 'The client may not see the event any more.' }]
  }

  await change('--third-party')
  t.match(await sendAgain(others), refused)
  t.match(await sendAgain(own), { status: 'delivered' })
  await change('--no-third-party --scope webhooks:read --scope webhooks:write')
  t.match(await sendAgain(others), { status: 'failed', attempts: { length: 3 } })
  t.equal(consumer.seen.length, 3)
  const test = await desk.ask(202, 'POST', `/v1/webhook-endpoints/${consumer.id}/test`)
  await eventually(consumer.events, (found) => found.some(({ id }) => id === test.event.id))
  t.match(await desk.ask(200, 'GET', `/v1/webhook-endpoints/${consumer.id}`), { status: 'enabled' })
})

function withoutUndefined(found: object) {
  return JSON.parse(JSON.stringify(found))
}

t.test('what is asked for is read strictly', async (t) => {
  const service = await quickService(t)
  const { call } = service
  const desk = deskOf(service)
  const create = (body: object, idempotencyKey: string = crypto.randomUUID()) =>
    call('POST', '/v1/webhook-endpoints', { body, idempotencyKey })
  const url = 'https://93.184.215.14/events'
  const faults = async (body: object) => {
    const answer = await create(body)
    const pointers = (answer.body.errors ?? []).map(({ pointer }: Found) => pointer)
    return [answer.body.code, ...new Set(pointers)]
  }
  t.same(await faults({ events: [], secret: 'x' }), [
    'request_invalid',
    '/url',
    '/secret',
    '/events'
  ])
  t.same(await faults({ url, events: ['payment.paid'] }), ['request_invalid', '/events/0'])
  t.same(await faults({ url, events: ['*', 'payment.created'] }), ['request_invalid', '/events'])
  t.same(await faults({ url, events: ['card.removed', 'card.removed'] }), [
    'request_invalid',
    '/events'
  ])
  for (const bad of ['http://93.184.215.14/', 'https://10.0.0.1', 'x', 'https://a:b@93.184.215.14'])
    t.same(await faults({ url: bad, events: ['*'] }), ['webhook_url_refused', '/url'], bad)

  const one = await create({ url, events: ['*'], description: 'Billing' }, 'one')
  t.match(one, {
    status: 201,
    body: { id: /^whe_/, url, events: ['*'], description: 'Billing', status: 'enabled' }
  })
  t.match(one.body.secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
  t.equal(one.headers.get('location'), `/v1/webhook-endpoints/${one.body.id}`)
  const again = await create({ url, events: ['*'], description: 'Billing' }, 'one')
  t.equal(again.text, one.text, 'the same secret for whoever lost the first answer')
  t.equal(again.headers.get('location'), one.headers.get('location'))
  const { secret: _, ...shown } = one.body
  const at = `/v1/webhook-endpoints/${one.body.id}`
  t.same(await desk.ask(200, 'GET', at), shown, 'and never again')

  const change = async (body: object) => {
    const answer = await call('PATCH', at, { body })
    return [answer.body.code ?? answer.status, answer.body.errors?.[0]?.pointer]
  }
  t.same(await change({}), ['request_invalid', ''])
  t.same(await change({ secret: 'x' }), ['request_invalid', '/secret'])
  t.same(await change({ url: 'https://127.1' }), [200, undefined], 'the sandbox may')
  t.same(await change({ url: 'https://169.254.169.254/' }), ['webhook_url_refused', '/url'])
  t.same(await change({ events: ['*', 'card.removed'] }), ['request_invalid', '/events'])
  const events = ['refund.succeeded']
  const changed = await desk.ask(200, 'PATCH', at, { events, description: null, url })
  t.same(changed, { ...shown, events, description: null })
  t.same(await desk.ask(200, 'GET', at), changed)
  const replay = { from: '2026-01-02T00:00:00Z', to: '2026-01-02T00:00:00Z' }
  const { body } = await call('POST', `${at}/replay`, { body: replay, idempotencyKey: 'r' })
  t.match(body, { code: 'request_invalid', errors: [{ pointer: '/to' }] })
})

t.test('without leave, no endpoint is on this machine', async (t) => {
  const service = await quickService(t, { webhooksAllowLoopback: false })
  const inside = await startConsumer(t)
  const idempotencyKey = 'inside'
  const body = { url: inside.url, events: ['*'] }
  const answer = await service.call('POST', '/v1/webhook-endpoints', { body, idempotencyKey })
  t.match(answer.body, { code: 'webhook_url_refused', errors: [{ pointer: '/url' }] })

  // One that was taken when it was allowed, or whose name led elsewhere then.
  const { id } = await deskOf(service).add('https://93.184.215.14/')
  await sql`update webhook_endpoint set url = ${inside.url}`.execute(service.db)
  await service.createPayment()
  const [delivery] = await eventually(
    () => deskOf(service).deliveries(id),
    (found) => found[0]?.attemptCount > 1
  )
  const { attempts } = await deskOf(service).ask(200, 'GET', `/v1/deliveries/${delivery.id}`)
  t.match(attempts[0], { httpStatus: null, error: 'It is not https.', response: null })
  t.equal(inside.connections(), 0)
})

t.test('after a rotation two secrets sign, and after a day one', async (t) => {
  const service = await quickService(t, { duplicateWindowS: 0 })
  const desk = deskOf(service)
  const consumer = await subscribe(t, desk)
  const [old = ''] = consumer.state.secrets
  const rotate = async () => {
    const path = `/v1/webhook-endpoints/${consumer.id}/secret-rotation`
    return (await desk.ask(200, 'POST', path)).secret as string
  }
  const next = await rotate()
  t.not(next, old)
  consumer.state.secrets = [old, next]
  await service.createPayment()
  await eventually(consumer.events, (found) => found.length === 1)
  t.same(consumer.faults, [], 'each of them verifies')
  t.equal(String(consumer.seen[0]?.headers['webhook-signature']).split(' ').length, 2)

  await sql`update webhook_endpoint set old_secret_until = now()`.execute(service.db)
  consumer.state.secrets = [next]
  await service.createPayment()
  await eventually(consumer.events, (found) => found.length === 2)
  t.same(consumer.faults, [])
  t.equal(String(consumer.seen[1]?.headers['webhook-signature']).split(' ').length, 1)
})

t.test('a test goes to one endpoint, once, and is in no feed', async (t) => {
  const service = await quickService(t)
  const desk = deskOf(service)
  const consumer = await subscribe(t, desk, () => 500)
  const other = await subscribe(t, desk)
  const asked = await desk.ask(202, 'POST', `/v1/webhook-endpoints/${consumer.id}/test`)
  t.match(asked, { status: 'pending', event: { type: 'webhookEndpoint.test', paymentId: null } })
  const failed = await eventually(
    () => desk.ask(200, 'GET', `/v1/deliveries/${asked.id}`),
    ({ status }) => status === 'failed'
  )
  t.match(failed, { attemptCount: 1, attempts: [{ httpStatus: 500 }] })
  t.match(consumer.seen[0]?.event, {
    id: asked.event.id,
    type: 'webhookEndpoint.test',
    paymentId: null,
    data: { webhookEndpointId: consumer.id }
  })
  t.same(findEventFaults(consumer.seen[0]?.event), [])
  t.same(consumer.faults, [])
  t.same(await desk.feed(), [])
  t.equal(other.seen.length, 0)
  const { rows } =
    await sql`select 1 from webhook_endpoint where failing_since is not null`.execute(service.db)
  t.same(rows, [], 'it says nothing of the endpoint')

  consumer.state.answering = () => 200
  await desk.ask(202, 'POST', `/v1/deliveries/${asked.id}/retry`)
  await eventually(consumer.events, (found) => found.length === 1)
})

t.test('what is deleted is sent nothing, and its history can be read', async (t) => {
  const service = await quickService(t)
  const { call, db } = service
  const desk = deskOf(service)
  const consumer = await subscribe(t, desk, () => 500)
  await service.createPayment()
  const [delivery] = await eventually(
    () => desk.deliveries(consumer.id),
    (found) => found[0]?.attemptCount > 0
  )
  const at = `/v1/webhook-endpoints/${consumer.id}`
  t.equal((await call('DELETE', at)).status, 204)
  t.equal((await call('DELETE', at)).status, 404)
  t.equal((await call('GET', `${at}/deliveries`)).status, 404)
  t.same((await call('GET', '/v1/webhook-endpoints')).body.data, [])
  const history = await desk.ask(200, 'GET', `/v1/deliveries/${delivery.id}`)
  t.match(history, { status: 'failed', nextAttemptAt: null, attempts: [{ httpStatus: 500 }] })
  const retry = await call('POST', `/v1/deliveries/${delivery.id}/retry`, { idempotencyKey: 'd' })
  t.match(retry.body, { code: 'webhook_endpoint_disabled' })
  const { rows } = await sql`select secret, old_secret from webhook_endpoint`.execute(db)
  t.same(rows, [{ secret: null, old_secret: null }])
  const before = consumer.seen.length
  await service.createPayment()
  await new Promise((resolve) => setTimeout(resolve, 500))
  t.equal(consumer.seen.length, before)
})

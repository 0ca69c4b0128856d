/** When and in what order events are delivered, and what becomes of those that are not taken. */
import { sql } from 'kysely'
import t from 'tap'
import { announce } from '../../src/webhooks/announce.jobs.ts'
import { findEventFaults } from '../events.ts'
import { eventually, type Found } from '../feed/consumer.ts'
import { testDatabase } from '../test-database.ts'
import { testService } from '../test-service.ts'
import { capture, deskOf, quickService, subscribe } from './receivers.ts'

t.test('an endpoint that does not answer delays no other', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const desk = deskOf(service)
  for (let n = 0; n < 3; n += 1) await subscribe(t, desk, () => new Promise(() => {}))
  const quickOne = await subscribe(t, desk)
  for (let n = 1; n <= 30; n += 1) await service.createPayment()
  await eventually(quickOne.events, (found) => found.length === 30, 5)
  const underWay = async () => {
    const { rows } = await sql<{ n: number }>`
      select count(*) as n from webhook_delivery
      where lease is not null group by endpoint_id`.execute(service.db)
    return rows.map(({ n }) => n)
  }
  // The last one that was taken may still be noted.
  await eventually(underWay, (found) => found.length === 3)
  t.same(await underWay(), [10, 10, 10], 'so many are under way at each that is slow')
})

t.test('the events of a payment come in order, also where one fails', async (t) => {
  const service = await quickService(t)
  const desk = deskOf(service)
  const failedOnce = new Set<string>()
  const consumer = await subscribe(t, desk, ({ id }) => {
    if (failedOnce.has(id)) return 200
    failedOnce.add(id)
    return { status: 500, body: 'not now' }
  })
  const paymentId = await capture(service)
  await eventually(consumer.events, (found) => found.length === 2)
  t.same(
    consumer.seen.map(({ id }) => id),
    [1, 1, 2, 2].map((sequence) => `${paymentId}.${sequence}`)
  )

  await t.test('but one that goes on failing holds up the others for a time only', async (t) => {
    // From the first attempt on: it may come before the create is answered.
    let isPoisoned = true
    consumer.state.answering = ({ id }) => (isPoisoned && id.endsWith('.1') ? 500 : 200)
    const { id } = await service.createPayment()
    await eventually(
      () => consumer.seen.filter((one) => one.id === `${id}.1`).length,
      (found) => found > 2
    )
    await service.pay(id)
    await service.until(id, ({ status }) => status === 'captured')
    await new Promise((resolve) => setTimeout(resolve, 300))
    t.notOk(consumer.seen.some((one) => one.id === `${id}.2`))
    await sql`
      update webhook_delivery set started_at = started_at - interval '11 minutes',
        next_attempt_at = next_attempt_at - interval '11 minutes'`.execute(service.db)
    await eventually(consumer.events, (found) => found.some((one) => one.id === `${id}.2`))
    isPoisoned = false
    await eventually(consumer.events, (found) => found.some((one) => one.id === `${id}.1`))
  })
})

t.test('Retry-After is waited for', async (t) => {
  const service = await testService(t)
  const consumer = await subscribe(t, deskOf(service), (_, n) =>
    n === 1 ? { status: 503, headers: { 'retry-after': '2' } } : 200
  )
  await service.createPayment()
  const [taken] = await eventually(consumer.events, (found) => found.length === 1)
  t.ok((taken?.at ?? 0) - (consumer.seen[0]?.at ?? 0) >= 1_950)
  t.equal(consumer.seen.length, 2)
})

t.test('a time is replayed, whatever became of its events', async (t) => {
  const service = await quickService(t, { duplicateWindowS: 0 })
  const desk = deskOf(service)
  const early = await capture(service)
  await eventually(desk.feed, (found) => found.length === 2)
  const consumer = await subscribe(t, desk)
  const taken = await capture(service)
  await eventually(consumer.events, (found) => found.length === 2)
  const at = `/v1/webhook-endpoints/${consumer.id}`
  await eventually(
    () => desk.deliveries(consumer.id, '?status=pending'),
    (found) => found.length === 0
  )
  t.match(await desk.ask(200, 'PATCH', at, { status: 'disabled' }), { disabledReason: 'client' })
  const missed = await capture(service)
  const feed = await eventually(desk.feed, (found) => found.length === 6)
  const range = { from: feed[0].createdAt, to: new Date(Date.now() + 1000).toISOString() }
  const { call } = service
  const refused = await call('POST', `${at}/replay`, { body: range, idempotencyKey: 'disabled' })
  t.match(refused.body, { code: 'webhook_endpoint_disabled' })
  t.match(await desk.ask(200, 'PATCH', at, { status: 'enabled' }), { disabledReason: null })

  t.same(await desk.ask(202, 'POST', `${at}/replay`, range), { count: 6 })
  await eventually(
    () => consumer.taken.length,
    (found) => found === 8
  )
  t.same(
    consumer.taken
      .slice(2)
      .map(({ id }) => id.split('.')[0])
      .sort(),
    [early, early, taken, taken, missed, missed].sort()
  )
  for (const id of [early, taken, missed]) {
    const own = consumer.taken.slice(2).filter(({ event }) => event.paymentId === id)
    t.same(
      own.map(({ event }) => event.sequence),
      [1, 2]
    )
  }
  const to = feed[2].createdAt
  t.same(
    await desk.ask(202, 'POST', `${at}/replay`, { ...range, to }),
    { count: 2 },
    'to it, not in'
  )

  await t.test('and one delivery is sent again', async (t) => {
    await eventually(
      () => desk.deliveries(consumer.id, '?status=pending'),
      (found) => found.length === 0
    )
    const before = consumer.seen.length
    const [latest] = await desk.deliveries(consumer.id, '?limit=1')
    t.match(await desk.ask(202, 'POST', `/v1/deliveries/${latest.id}/retry`), {
      id: latest.id,
      status: 'pending',
      deliveredAt: null
    })
    await eventually(
      () => consumer.seen.length,
      (found) => found === before + 1
    )
    t.equal(consumer.seen.at(-1)?.id, latest.event.id)
    const { attempts } = await eventually(
      () => desk.ask(200, 'GET', `/v1/deliveries/${latest.id}`),
      ({ status }) => status === 'delivered'
    )
    t.same(
      attempts.map((one: Found) => one.number),
      attempts.map((_: Found, place: number) => place + 1)
    )
  })
})

t.test('an endpoint that answers 410, or takes nothing for days, is disabled', async (t) => {
  const service = await quickService(t, { duplicateWindowS: 0 })
  const { db } = service
  const desk = deskOf(service)
  const watcher = await subscribe(t, desk, undefined, ['webhookEndpoint.disabled'])
  const gone = await subscribe(t, desk, () => 410)
  const dead = await subscribe(t, desk, () => 500, ['payment.created'])
  const { id: paymentId } = await service.createPayment()
  await eventually(watcher.events, (found) => found.length === 1)
  t.match(watcher.events()[0]?.event, {
    type: 'webhookEndpoint.disabled',
    accountId: null,
    paymentId: null,
    data: { webhookEndpointId: gone.id, reason: 'gone' }
  })
  t.same(findEventFaults(watcher.events()[0]?.event), [])
  const disabled = { status: 'disabled', disabledReason: 'gone' }
  t.match(await desk.ask(200, 'GET', `/v1/webhook-endpoints/${gone.id}`), disabled)
  t.match(await desk.deliveries(gone.id), [{ status: 'failed', nextAttemptAt: null }])

  const backdate = (days: number) =>
    sql`update webhook_delivery set started_at = now() - make_interval(days => ${days})
      where endpoint_id = ${dead.id} and next_attempt_at is not null`.execute(db)
  await t.test('one delivery given up is not enough', async (t) => {
    await backdate(3)
    await eventually(
      () => desk.deliveries(dead.id),
      ([one]) => one.status === 'failed'
    )
    t.match(await desk.ask(200, 'GET', `/v1/webhook-endpoints/${dead.id}`), { status: 'enabled' })
  })

  await t.test('three days of nothing but failures are', async (t) => {
    await service.createPayment()
    await service.createPayment()
    await eventually(
      () => desk.deliveries(dead.id, '?status=pending'),
      (found) => found.length === 2 && found.every((one) => one.attemptCount > 0)
    )
    await sql`update webhook_endpoint set failing_since = now() - interval '3 days'
      where id = ${dead.id}`.execute(db)
    await sql`update webhook_delivery set started_at = now() - interval '3 days'
      where id = (select min(id) from webhook_delivery
        where endpoint_id = ${dead.id} and next_attempt_at is not null)`.execute(db)
    await eventually(watcher.events, (found) => found.length === 2)
    t.match(watcher.events()[1]?.event.data, { webhookEndpointId: dead.id, reason: 'failing' })
    const found = await desk.deliveries(dead.id)
    t.same([...new Set(found.map(({ status }) => status))], ['failed'])
    t.match(await desk.ask(200, 'GET', `/v1/webhook-endpoints/${dead.id}`), {
      status: 'disabled',
      disabledReason: 'failing'
    })
  })

  await t.test('enabled again, what failed can be sent', async () => {
    dead.state.answering = () => 200
    await desk.ask(200, 'PATCH', `/v1/webhook-endpoints/${dead.id}`, { status: 'enabled' })
    const first = (await desk.deliveries(dead.id)).find((one) => one.event.paymentId === paymentId)
    await desk.ask(202, 'POST', `/v1/deliveries/${first.id}/retry`)
    await eventually(dead.events, (found) => found.length === 1)
  })
})

t.test('a success in between gives an endpoint all its time again', async (t) => {
  const service = await quickService(t, { duplicateWindowS: 0 })
  const desk = deskOf(service)
  let taking = false
  const consumer = await subscribe(t, desk, () => (taking ? 200 : 500))
  await service.createPayment()
  const since = async () => {
    const { rows } = await sql<{ since: Date | null }>`
      select failing_since as since from webhook_endpoint`.execute(service.db)
    return rows[0]?.since ?? null
  }
  const first = await eventually(since, (found) => found !== null)
  await eventually(
    () => consumer.seen.length,
    (found) => found > 3
  )
  t.same(await since(), first, 'the first failure counts')
  taking = true
  await eventually(since, (found) => found === null)
})

t.test('a success that was under way during the first failure counts as one', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const desk = deskOf(service)
  const consumer = await subscribe(t, desk, async (_, n) => {
    await new Promise((resolve) => setTimeout(resolve, n === 1 ? 20 : 500))
    return n === 1 ? 500 : 204
  })
  await Promise.all([1, 2, 3].map(() => service.createPayment()))
  // What failed is not tried again during the test.
  await eventually(
    async () => {
      const { rows } = await sql`
        update webhook_delivery set next_attempt_at = now() + interval '1 hour'
        where status = 'pending' and attempts = 1 and lease is null returning id`.execute(
        service.db
      )
      return rows.length
    },
    (found) => found === 1
  )
  await eventually(
    () => desk.deliveries(consumer.id, '?status=delivered'),
    (found) => found.length === 2
  )
  const { rows } = await sql`
    select 1 from webhook_attempt where http_status = 500`.execute(service.db)
  t.equal(rows.length, 1)
  await eventually(
    async () => {
      const { rows } = await sql<{ since: Date | null }>`
        select failing_since as since from webhook_endpoint`.execute(service.db)
      return rows[0]?.since
    },
    (since) => since === null,
    3
  )
})

t.test('any number of events is made due at any number of endpoints', async (t) => {
  const { db } = await testDatabase(t)
  await sql`
    insert into client (id, name, scopes) values ('cli_1', 'one', '{payments:read}')`.execute(db)
  await sql`insert into webhook_endpoint (id, client_id, url, events, secret)
    select 'whe_' || n, 'cli_1', 'https://hooks.example', '{*}', 'whsec_' from
    generate_series(1, 20) n`.execute(db)
  await sql`insert into other_event (id, type, data)
    select 'evt_' || n, 'card.removed', '{}' from generate_series(1, 1000) n`.execute(db)
  await sql`insert into event_outbox (event_id) select id from other_event`.execute(db)
  let woken = 0
  const onFault = (_: unknown, error: unknown) => t.fail(String(error))
  const wake = () => {
    woken += 1
  }
  t.equal(await announce({ db, wake, onFault }), 1_000)
  t.equal(woken, 1)
  const { rows } = await sql<{ n: number }>`select count(*) as n from webhook_delivery`.execute(db)
  t.equal(rows[0]?.n, 20_000)
  t.equal(await announce({ db, wake, onFault }), 0)
  t.equal(woken, 1, 'nobody is woken for nothing')
})

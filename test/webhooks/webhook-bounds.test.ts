/** What endpoints, events and backlogs may cost, however many there are. */
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { readClientArguments, runClientCommand } from '../../src/clients/client.commands.ts'
import type { Db } from '../../src/database/database.ts'
import { measureOldest } from '../../src/due/oldest-items.store.ts'
import { countOpenItems } from '../../src/due/open-items.store.ts'
import { announce } from '../../src/webhooks/announce.jobs.ts'
import {
  createDispatcher,
  purgeWebhooks,
  settleWebhooks
} from '../../src/webhooks/delivery.jobs.ts'
import { claimDeliveries } from '../../src/webhooks/delivery.store.ts'
import { findDelivery, listDeliveries } from '../../src/webhooks/delivery-list.store.ts'
import { toStandard } from '../../src/webhooks/envelope.ts'
import { restartDelivery } from '../../src/webhooks/replay.store.ts'
import { createSealing } from '../../src/webhooks/sealing.ts'
import {
  changeEndpoint,
  createEndpoint,
  giveUpEndpoint,
  removeEndpoint
} from '../../src/webhooks/webhook.commands.ts'
import { eventually } from '../feed/consumer.ts'
import { testDatabase } from '../test-database.ts'
import { deskOf, quickService } from './receivers.ts'

const wake = () => {}
const onFault = (_: unknown, error: unknown) => t.fail(String(error))
const client = 'cli_1'
const statuses = ['pending', 'delivered', 'failed'] as const

async function withClient(t: Test, scopes = '{payments:read}') {
  const { db } = await testDatabase(t)
  await sql`insert into client (id, name, scopes) values (${client}, 'one', ${scopes})`.execute(db)
  return db
}

async function addEndpoints(db: Db, names: readonly string[]) {
  await sql`insert into webhook_endpoint (id, client_id, url, events, secret)
    select id, ${client}, 'https://hooks.example', '{*}', 'whsec_' || repeat('A', 43) || '='
    from unnest(${names}::text[]) id`.execute(db)
}

/** Deliveries that have been due since then, each of a payment of its own. */
async function addDue(db: Db, endpointId: string, count: number, sinceS = 0) {
  await sql`insert into webhook_delivery
      (endpoint_id, event_id, type, payment_id, sequence, next_attempt_at, term)
    select e.id, 'pay_' || n || '.1', 'payment.created', 'pay_' || n, 1,
      now() - make_interval(secs => ${sinceS}), e.term
    from webhook_endpoint e, generate_series(1, ${count}::int) n
    where e.id = ${endpointId}`.execute(db)
}

let events = 0
async function addEvents(db: Db, count: number) {
  events += 1
  await sql`
    with written as (
      insert into other_event (id, type, data)
      select ${`evt_${events}_`} || n, 'card.removed', '{}' from generate_series(1, ${count}::int) n
      returning id
    )
    insert into event_outbox (event_id) select id from written`.execute(db)
}

const change = (db: Db, id: string, status: 'enabled' | 'disabled') =>
  changeEndpoint({ db, checkUrl: async () => null }, client, id, {
    status
  })

async function countShown(db: Db, id: string) {
  const counts: Record<string, number> = {}
  for (const status of statuses) {
    const found = await listDeliveries(db, id, { status, before: null, limit: 100_000 })
    counts[status] = found.length
    if (found.some((one) => one.status !== status)) throw new Error(`not ${status}`)
    if (found.some((one) => (one.dueAt !== null) !== (status === 'pending'))) throw new Error('due')
  }
  return counts
}

t.test('an endpoint is disabled without touching what is pending at it', async (t) => {
  const db = await withClient(t)
  await addEndpoints(db, ['whe_client', 'whe_gone', 'whe_deleted'])
  for (const id of ['whe_client', 'whe_gone', 'whe_deleted']) await addDue(db, id, 1)
  await db.transaction().execute(async (tx) => {
    await sql`select 1 from webhook_delivery for update`.execute(tx)
    await change(db, 'whe_client', 'disabled')
    t.equal(await giveUpEndpoint(db, 'whe_gone', 'gone', null), true)
    await removeEndpoint(db, client, 'whe_deleted')
  })
  for (const id of ['whe_client', 'whe_gone', 'whe_deleted']) {
    t.same(await countShown(db, id), { pending: 0, delivered: 0, failed: 1 }, id)
  }
})

t.test('what was pending when an endpoint was disabled is never sent', async (t) => {
  const db = await withClient(t)
  await addEndpoints(db, ['whe_1'])
  await addDue(db, 'whe_1', 5_000, 60)
  await change(db, 'whe_1', 'disabled')
  t.same(await countShown(db, 'whe_1'), { pending: 0, delivered: 0, failed: 5_000 })
  await change(db, 'whe_1', 'enabled')
  t.same(await claimDeliveries(db, 500), [], 'though none of it is settled yet')
  t.same(await countShown(db, 'whe_1'), { pending: 0, delivered: 0, failed: 5_000 })

  await addDue(db, 'whe_1', 2)
  const [, first] = await listDeliveries(db, 'whe_1', { status: undefined, before: null, limit: 9 })
  const [latest] = await listDeliveries(db, 'whe_1', { status: 'failed', before: null, limit: 1 })
  await db.transaction().execute((tx) => restartDelivery(tx, String(latest?.id)))
  t.equal((await findDelivery(db, String(latest?.id), client))?.status, 'pending')
  t.same(await countShown(db, 'whe_1'), { pending: 3, delivered: 0, failed: 4_999 })
  const claimed = (await claimDeliveries(db, 500)).map(({ id }) => id)
  t.equal(claimed.length, 3, 'what became due since is')
  t.ok(claimed.includes(String(first?.id)))
  t.ok(claimed.includes(String(latest?.id)), 'and what was asked for again')

  const rounds: number[] = []
  for (let n = 0; n < 4; n += 1) rounds.push(await settleWebhooks(db))
  t.same(rounds, [2_000, 2_000, 999, 0], 'it is settled piece by piece')
  const { rows } = await sql<{ status: string; n: number }>`
    select status, count(*) as n from webhook_delivery group by 1 order by 1`.execute(db)
  t.same(rows, [
    { status: 'failed', n: 4_999 },
    { status: 'pending', n: 3 }
  ])
  const stopped = async () =>
    (await sql`select 1 from webhook_endpoint where stopped_at is not null`.execute(db)).rows.length
  t.equal(await stopped(), 1, 'something may still be coming')
  await sql`update webhook_endpoint set stopped_at = now() - interval '2 minutes'`.execute(db)
  await settleWebhooks(db)
  t.equal(await stopped(), 0)
})

t.test('of a client that is revoked nothing waits, and no alert is left behind', async (t) => {
  const db = await withClient(t)
  await addEndpoints(db, ['whe_1', 'whe_2'])
  await addDue(db, 'whe_1', 3)
  await sql`update webhook_delivery set started_at = now() - interval '2 hours'`.execute(db)
  await giveUpEndpoint(db, 'whe_2', 'failing', null)
  const counted = async () => {
    const [open, oldest] = [await countOpenItems(db), await measureOldest(db)]
    const countOf = (name: string) => open.find(({ kind }) => kind === name)?.count
    return {
      due: countOf('webhooks_due'),
      disabled: countOf('webhook_endpoints_disabled'),
      isLate: (oldest.find(({ kind }) => kind === 'event_undelivered')?.ageS ?? 0) > 3_600
    }
  }
  t.same(await counted(), { due: 3, disabled: 1, isLate: true })
  await runClientCommand(db, readClientArguments(['revoke', client]), true)
  t.same(await claimDeliveries(db, 500), [], 'nothing is sent')
  await settleWebhooks(db)
  t.same(await counted(), { due: 0, disabled: 0, isLate: false })
  t.same(await countShown(db, 'whe_1'), { pending: 0, delivered: 0, failed: 3 })
  t.equal(await settleWebhooks(db), 0, 'once is enough')
})

t.test(
  'events are announced while an endpoint is being disabled, and not sent to it',
  async (t) => {
    const db = await withClient(t)
    await addEndpoints(db, ['whe_1', 'whe_2'])
    await addEvents(db, 3)
    await db.transaction().execute(async (tx) => {
      await sql`update webhook_endpoint set status = 'disabled', disabled_reason = 'client',
      term = term + 1, stopped_at = now() where id = 'whe_1'`.execute(tx)
      t.equal(await announce({ db, wake, onFault }), 3)
    })
    t.same(await countShown(db, 'whe_1'), { pending: 0, delivered: 0, failed: 3 })
    await change(db, 'whe_1', 'enabled')
    const claimed = await claimDeliveries(db, 500)
    t.same(
      claimed.map(({ endpointId }) => endpointId),
      ['whe_2', 'whe_2', 'whe_2']
    )
    t.equal(await settleWebhooks(db), 3)
  }
)

t.test('the more endpoints there are, the fewer events are announced at once', async (t) => {
  const db = await withClient(t)
  await addEndpoints(
    db,
    Array.from({ length: 1_000 }, (_, n) => `whe_${n}`)
  )
  await addEvents(db, 30)
  t.equal(await announce({ db, wake, onFault }), 20)
  t.equal(await announce({ db, wake, onFault }), 10)
  const { rows } = await sql<{ n: number }>`select count(*) as n from webhook_delivery`.execute(db)
  t.equal(rows[0]?.n, 30_000)
})

t.test('many creates at once make no more endpoints than a client may have', async (t) => {
  const db = await withClient(t)
  const deps = { db, wake() {}, checkUrl: async () => null, sealing: createSealing([]) }
  const shown = { description: null, format: 'standard', query: null } as const
  const asked = { url: 'https://hooks.example', events: ['*'], ...shown }
  const create = (n: number) =>
    createEndpoint(deps, { clientId: client, key: `k${n}`, fingerprint: Buffer.alloc(32) }, asked)
  const made = await Promise.allSettled(Array.from({ length: 25 }, (_, n) => create(n)))
  const codes = made.map((one) => (one.status === 'fulfilled' ? 201 : one.reason.code))
  t.equal(codes.filter((code) => code === 201).length, 20)
  t.equal(codes.filter((code) => code === 'webhook_endpoint_limit').length, 5)
  t.equal((await create(codes.indexOf(201))).replayed, true, 'a repetition is answered')
})

t.test('a client that may not read payments is told of none', async (t) => {
  const db = await withClient(t, '{webhooks:write}')
  await addEndpoints(db, ['whe_1'])
  await addEvents(db, 2)
  t.equal(await announce({ db, wake, onFault }), 2)
  t.same(await countShown(db, 'whe_1'), { pending: 0, delivered: 0, failed: 0 })
})

t.test('places are shared fairly by the endpoints that have something due', async (t) => {
  const db = await withClient(t)
  const busy = Array.from({ length: 60 }, (_, n) => `whe_busy${n}`)
  await addEndpoints(db, [...busy, 'whe_quiet', 'whe_late'])
  for (const id of busy) await addDue(db, id, 20, 600)
  await addDue(db, 'whe_quiet', 3)
  const claimed = await claimDeliveries(db, 500)
  const of = (id: string) => claimed.filter(({ endpointId }) => endpointId === id).length
  t.equal(of('whe_quiet'), 3, 'though all else was due before')
  const counts = busy.map(of)
  t.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join(' '))
  t.equal(claimed.length, 400)

  await addDue(db, 'whe_late', 3)
  const rest = await claimDeliveries(db, 100)
  t.same(
    rest.map(({ endpointId }) => endpointId),
    ['whe_late'],
    'the last places are for those that have none'
  )
})

t.test('a backlog is not read as a whole to claim some of it', async (t) => {
  const db = await withClient(t)
  await addEndpoints(db, ['whe_dead', 'whe_idle'])
  await addDue(db, 'whe_dead', 40_000, 60)
  await sql`analyze`.execute(db)
  await db.transaction().execute(async (tx) => {
    t.equal((await claimDeliveries(tx, 500)).length, 10)
    const { rows } = await sql<{ whole: number; fetched: number }>`
      select seq_scan as whole, idx_tup_fetch as fetched from pg_stat_xact_user_tables
      where relname = 'webhook_delivery'`.execute(tx)
    t.equal(rows[0]?.whole, 0)
    t.ok((rows[0]?.fetched ?? 0) < 1_000, `${rows[0]?.fetched} rows`)
  })
})

t.test('what ended 30 days ago is removed, past what is kept', async (t) => {
  const db = await withClient(t)
  await addEndpoints(db, ['whe_1'])
  // Some of the oldest 1,500 are pending, or were sent again lately.
  await sql`
    insert into webhook_delivery (endpoint_id, event_id, type, status, next_attempt_at,
      delivered_at, created_at, started_at)
    select 'whe_1', n, 'x', case when n % 100 = 1 then 'pending' else 'delivered' end,
      case when n % 100 = 1 then now() end, case when n % 100 <> 1 then now() end, at,
      case when n % 100 = 2 then now() else at end
    from generate_series(1, 6000) as n cross join lateral (
      select now() - case when n <= 1500 then interval '31 days' else interval '29 days' end as at
    ) made order by n`.execute(db)
  t.equal(await purgeWebhooks(db, 30), 1_470)
  t.equal(await purgeWebhooks(db, 30), 0)
  const { rows } = await sql`select count(*) from webhook_delivery`.execute(db)
  t.same(rows, [{ count: 4_530 }])
  const { rows: left } = await sql`
    select count(*) from webhook_delivery where created_at < now() - interval '30 days'`.execute(db)
  t.same(left, [{ count: 30 }])
})

t.test('an event that cannot be shown fails alone', async (t) => {
  const db = await withClient(t)
  await addEndpoints(db, ['whe_1'])
  await sql`insert into other_event (id, type, data, created_at)
    values ('evt_bad', 'card.removed', '{}', 'infinity'), ('evt_good', 'card.removed', '{}', now())
  `.execute(db)
  await sql`insert into event_outbox (event_id) values ('evt_bad'), ('evt_good')`.execute(db)
  await announce({ db, wake, onFault })
  const sent: string[] = []
  const faults: unknown[] = []
  const dispatcher = createDispatcher({
    sealing: createSealing([]),
    db,
    providerName: 'adyen',
    envelopes: { standard: toStandard, cloudevents: toStandard, tmf676: toStandard },
    send: async ({ body }) => {
      sent.push(JSON.parse(body).id)
      return { httpStatus: 204, error: null, response: '', retryAfter: null }
    },
    wake() {},
    onOutcome() {},
    onEndpointDisabled() {},
    onFault: (_, error) => faults.push(error)
  })
  t.equal(await dispatcher.run(), 2)
  await dispatcher.stop()
  t.same(sent, ['evt_good'])
  t.equal(faults.length, 1)
  const { rows } = await sql`select event_id, status, lease, error
    from webhook_delivery d left join webhook_attempt a on a.delivery_id = d.id
    order by event_id`.execute(db)
  t.match(rows, [
    { event_id: 'evt_bad', status: 'pending', lease: null, error: 'The event could not be shown.' },
    { event_id: 'evt_good', status: 'delivered', error: null }
  ])
  const failing = sql`select 1 from webhook_endpoint where failing_since is not null`
  t.same((await failing.execute(db)).rows, [], 'it says nothing of the endpoint')
})

t.test("a replay is not refused for the number of other clients' events", async (t) => {
  const service = await quickService(t)
  const { db, addClient } = service
  const scopes = ['webhooks:read', 'webhooks:write', 'payments:read', 'payments:write'] as const
  const key = await addClient({ scopes: [...scopes], thirdParty: true })
  const desk = deskOf(service, key)
  const { id } = await service.createPayment({}, { key })
  await eventually(desk.feed, (found) => found.length === 1)
  await sql`insert into other_event (id, type, data)
    select 'evt_' || n, 'card.removed', '{}' from generate_series(1, 10001) n`.execute(db)
  await sql`insert into event_feed (event_id, type) select id, type from other_event`.execute(db)
  const range = { from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' }
  const own = await desk.add('https://93.184.215.14/events', ['payment.created'])
  const replay = `/v1/webhook-endpoints/${own.id}/replay`
  t.same(await desk.ask(202, 'POST', replay, range), { count: 1 })
  t.match(await desk.deliveries(own.id), [{ event: { paymentId: id } }])

  const all = deskOf(service)
  const { id: allId } = await all.add('https://93.184.215.14/events')
  const refused = await all.ask(400, 'POST', `/v1/webhook-endpoints/${allId}/replay`, range)
  t.match(refused, { code: 'request_invalid', errors: [{ pointer: '/to' }] })
})

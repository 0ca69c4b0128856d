/** The feed: every event once, in one order. */
import { sql } from 'kysely'
import t from 'tap'
import { connect } from '../../src/database/database.ts'
import { announce } from '../../src/webhooks/announce.jobs.ts'
import { lockAnnouncer } from '../../src/webhooks/announce.store.ts'
import { testDatabase } from '../test-database.ts'
import { type TestService, testService } from '../test-service.ts'

const wake = () => {}
const onFault = (_: unknown, error: unknown) => t.fail(String(error))
// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
type Found = any

/** Everything from `after` on, page by page. */
async function readFeed({ call }: TestService, options: object = {}, after?: string, limit = 7) {
  const found: Found[] = []
  let cursor = after
  for (;;) {
    const query = cursor === undefined ? '' : `&after=${cursor}`
    const { status, body, text } = await call('GET', `/v1/events?limit=${limit}${query}`, options)
    if (status !== 200) throw new Error(text)
    cursor = body.nextCursor
    found.push(...body.data)
    if (body.data.length === 0) return { found, cursor: cursor as string }
  }
}

t.test('the feed tells everything that happened', async (t) => {
  const service = await testService(t)
  const { call, createPayment, pay, until } = service
  const payments: Found[] = []
  for (let n = 0; n < 4; n += 1) payments.push(await createPayment())
  await Promise.all(payments.map(({ id }) => pay(id)))
  for (const { id } of payments) await until(id, ({ finished }) => finished)
  const isAnnounced = async () => (await readFeed(service)).found.length === 8
  while (!(await isAnnounced())) await new Promise((resolve) => setTimeout(resolve, 50))

  await t.test('each event once, as the payment shows it, in order', async (t) => {
    const { found } = await readFeed(service)
    t.equal(new Set(found.map(({ id }) => id)).size, found.length)
    for (const { id } of payments) {
      const own = found.filter(({ paymentId }) => paymentId === id)
      const { body } = await call('GET', `/v1/payments/${id}/events`)
      t.same(own, body.data)
    }
  })

  await t.test('whatever the pages are', async (t) => {
    const ids = async (limit: number) =>
      (await readFeed(service, {}, undefined, limit)).found.map(({ id }) => id)
    t.same(await ids(1), await ids(100))
  })

  await t.test('and is never at its end', async (t) => {
    const { cursor } = await readFeed(service)
    t.type(cursor, 'string')
    const again = await call('GET', `/v1/events?after=${cursor}`)
    t.same(again.body, { data: [], nextCursor: cursor })
    const waiting = call('GET', `/v1/events?after=${cursor}`, { headers: { prefer: 'wait=20' } })
    const { id } = await createPayment()
    const answer = await waiting
    t.equal(answer.headers.get('preference-applied'), 'wait=20')
    t.match(answer.body.data, [{ paymentId: id, type: 'payment.created', sequence: 1 }])
    const quiet = await call('GET', `/v1/events?after=${answer.body.nextCursor}`, {
      headers: { prefer: 'wait=1' }
    })
    t.same(quiet.body.data, [])
  })

  await t.test('to a third party only of its own payments', async (t) => {
    const key = await service.addClient({
      scopes: ['payments:read', 'payments:write'],
      thirdParty: true
    })
    t.same((await readFeed(service, { key })).found, [])
    const { id } = await createPayment({}, { key })
    const waited = await call('GET', '/v1/events', { key, headers: { prefer: 'wait=10' } })
    t.match(waited.body.data, [{ paymentId: id }])
  })

  await t.test('and refuses a position that is none', async (t) => {
    for (const after of ['x', 'WyJ4Il0', 'WyIxIiwiMiJd']) {
      const answer = await call('GET', `/v1/events?after=${after}`)
      t.equal(answer.status, 400, after)
      t.equal(answer.body.code, 'request_invalid')
    }
  })
})

t.test('an event that is still committing comes after those that are shown', async (t) => {
  const { db } = await testDatabase(t)
  const write = (tx: typeof db, type: string) =>
    sql`with written as (
          insert into other_event (id, type, data) values (${`evt_${type}`}, ${type}, '{}')
          returning id, created_at
        )
        insert into event_outbox (event_id, created_at)
        select id, created_at from written`.execute(tx)
  const announced = async () => {
    await announce({ db, wake, onFault })
    const { rows } = await sql<{ type: string }>`
      select type from event_feed order by position`.execute(db)
    return rows.map(({ type }) => type)
  }
  await db.transaction().execute(async (tx) => {
    await write(tx, 'deferred')
    await write(db, 'late')
    t.same(await announced(), ['late'], 'what is not committed is not there')
  })
  t.same(await announced(), ['late', 'deferred'], 'and comes after what was shown')
})

t.test('many announcers give each event one place', async (t) => {
  const { db } = await testDatabase(t)
  await sql`
    with written as (
      insert into other_event (id, type, data)
      select 'evt_' || n, 'x', '{}' from generate_series(1, 2500) as n
      returning id, created_at
    )
    insert into event_outbox (event_id, created_at) select id, created_at from written`.execute(db)
  const counts = await Promise.all(Array.from({ length: 6 }, () => announce({ db, wake, onFault })))
  t.equal(
    counts.reduce((sum, count) => sum + count, 0),
    2500
  )
  const { rows } = await sql<{ count: number }>`select count(*) from event_feed`.execute(db)
  t.equal(rows[0]?.count, 2500)
  t.equal(await announce({ db, wake, onFault }), 0)
})

t.test('another announcer that takes long ends the round, and no event is blamed', async (t) => {
  const { db, url } = await testDatabase(t)
  const own = connect(url, { max: 1 })
  t.teardown(() => own.destroy())
  await sql`
    with written as (
      insert into other_event (id, type, data)
      select 'evt_' || n, 'x', '{}' from generate_series(1, 3) as n
      returning id, created_at
    )
    insert into event_outbox (event_id, created_at) select id, created_at from written`.execute(db)
  await sql`set lock_timeout = '100ms'`.execute(own)
  await db.transaction().execute(async (tx) => {
    await lockAnnouncer(tx)
    await t.rejects(announce({ db: own, wake, onFault }), { code: '55P03' })
  })
  const { rows } = await sql<{ attempts: number }>`select attempts from event_outbox`.execute(db)
  t.same(rows, [{ attempts: 0 }, { attempts: 0 }, { attempts: 0 }])
  t.equal(await announce({ db: own, wake, onFault }), 3, 'and then it is its turn')
})

/** One item that can't be worked on, in the whole service: the others go on, a person is told. */
import { sql } from 'kysely'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { Db } from '../../src/database/database.ts'
import { checkMoney } from '../invariants.ts'
import { findFreePort, type TestService, testService } from '../test-service.ts'

/** The service, with what it logs at error and what it counts. */
async function start(t: Test) {
  const metricsPort = await findFreePort()
  const errors: Array<Record<string, unknown>> = []
  const log = pino({ level: 'error' }, { write: (line) => errors.push(JSON.parse(line)) })
  const service = await testService(t, { metricsPort, log, duplicateWindowS: 0 })
  const faultsOf = async (task: string) => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
    const count = new RegExp(`^background_item_faults_total\\{task="${task}"\\} (\\d+)$`, 'm')
    return Number(count.exec(text)?.[1] ?? 0)
  }
  return { service, errors, faultsOf }
}

/** Refuses what `when` says of a table, until it is allowed again. */
async function refuse(db: Db, table: string, before: string, when: string) {
  await sql`create or replace function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'it can’t be'; end $$`.execute(db)
  await sql
    .raw(`create trigger refuse before ${before} on ${table} for each row
    when (${when}) execute function refuse()`)
    .execute(db)
  return async () => void (await sql.raw(`drop trigger refuse on ${table}`).execute(db))
}

async function eventually<T>(read: () => Promise<T>, isRight: (found: T) => boolean): Promise<T> {
  const giveUpAt = Date.now() + 15_000
  for (;;) {
    const found = await read()
    if (isRight(found)) return found
    if (Date.now() > giveUpAt) throw new Error(`not in time: ${JSON.stringify(found)}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

async function endNow({ db }: TestService, ids: readonly string[], attempts = 0): Promise<void> {
  await sql`update payment set attempts = greatest(attempts, ${attempts}), next_attempt_at = now()
    where id = any(${ids})`.execute(db)
}
async function attemptsOf({ db }: TestService, id: string): Promise<number> {
  const { rows } = await sql<{ attempts: number }>`
    select attempts from payment where id = ${id}`.execute(db)
  return rows[0]?.attempts ?? 0
}

t.test('a payment that can’t be ended lets the other pages end (D7)', async (t) => {
  const { service, errors, faultsOf } = await start(t)
  const { db, call, createPayment, until } = service
  const bad = (await createPayment()).id
  const others = [(await createPayment()).id, (await createPayment()).id]
  const allow = await refuse(
    db,
    'payment',
    'update',
    `new.id = '${bad}' and new.status <> 'pending'`
  )
  await endNow(service, [bad])
  await endNow(service, others)
  for (const id of others) await until(id, ({ status }) => status === 'expired')

  await eventually(
    () => attemptsOf(service, bad),
    (attempts) => attempts > 0
  )
  t.equal((await call('GET', `/v1/payments/${bad}`)).body.status, 'pending')
  t.ok((await faultsOf('end_pages')) > 0, 'it is counted')
  const told = errors.find(({ paymentId }) => paymentId === bad)
  t.match(told, { task: 'end_pages', err: { message: 'it can’t be' } }, 'and logged')
  t.same((await call('GET', '/v1/discrepancies')).body.data, [], 'it may be over in a moment')

  const later = (await createPayment()).id
  await endNow(service, [bad], 5)
  await endNow(service, [later])
  await until(later, ({ status }) => status === 'expired')
  const found = await eventually(
    async () => (await call('GET', '/v1/discrepancies')).body.data,
    (all) => all.length > 0
  )
  t.match(found, [{ kind: 'outcome_unknown', paymentId: bad, details: { attempts: 6 } }])

  await allow()
  await endNow(service, [bad])
  await until(bad, ({ status }) => status === 'expired')
  await checkMoney(t, db)
})

t.test('nor does one that can’t even be put off', async (t) => {
  const { service, errors } = await start(t)
  const { db, createPayment, until } = service
  const bad = (await createPayment()).id
  const other = (await createPayment()).id
  await endNow(service, [bad])
  const allow = await refuse(db, 'payment', 'update', `new.id = '${bad}'`)
  await endNow(service, [other])
  await until(other, ({ status }) => status === 'expired')
  t.ok(errors.some(({ paymentId }) => paymentId === bad))
  await allow()
  await until(bad, ({ status }) => status === 'expired')
})

t.test('an event that can’t be announced holds up its payment, and no other', async (t) => {
  const { service, faultsOf } = await start(t)
  const { db, call, createPayment, pay, until } = service
  const bad = (await createPayment()).id
  const which = `new.payment_id = '${bad}' and new.sequence = 2`
  const allow = await refuse(db, 'event_feed', 'insert', which)
  await pay(bad)
  await until(bad, ({ status }) => status === 'captured')
  await eventually(
    () => faultsOf('announce'),
    (count) => count > 0
  )
  const refund = await call('POST', `/v1/payments/${bad}/refunds`, {
    idempotencyKey: 'refund',
    body: { amount: { currency: 'GBP', value: 100 }, reason: 'too much' }
  })
  t.equal(refund.status, 202)
  const other = (await createPayment()).id
  await pay(other)
  await until(other, ({ status }) => status === 'captured')
  await eventually(
    () => sequencesOf(service, other),
    (found) => found.length === 2
  )
  t.same(await sequencesOf(service, bad), [1], 'what comes after it waits')

  await allow()
  await sql`update event_outbox set next_attempt_at = now()`.execute(db)
  await call('POST', '/v1/unknown')
  const found = await eventually(
    () => sequencesOf(service, bad),
    (all) => all.length >= 3
  )
  t.same(found.slice(0, 3), [1, 2, 3], 'in the order in which they happened')
})

async function sequencesOf(service: TestService, paymentId: string): Promise<number[]> {
  const { rows } = await sql<{ sequence: number }>`select sequence from event_feed
    where payment_id = ${paymentId} order by position`.execute(service.db)
  return rows.map(({ sequence }) => sequence)
}

t.test('a posting that can’t be placed lets the others be placed', async (t) => {
  const { service, faultsOf } = await start(t)
  const { db, createPayment, pay, until } = service
  const placed = async () => {
    const { rows } = await sql<{ paymentId: string }>`select t.payment_id as "paymentId"
      from billing_posting b join ledger_transfer t on t.id = b.id order by position`.execute(db)
    return rows.map(({ paymentId }) => paymentId)
  }
  const ids = [(await createPayment()).id, (await createPayment()).id]
  await sql`create function refuse_posting() returns trigger language plpgsql as $$ begin
    if exists (select from ledger_transfer where id = new.id and payment_id = ${sql.lit(ids[0])})
    then raise exception 'it can’t be'; end if; return new; end $$`.execute(db)
  await sql`create trigger refuse before insert on billing_posting for each row
    execute function refuse_posting()`.execute(db)
  for (const id of ids) {
    await pay(id)
    await until(id, ({ status }) => status === 'captured')
  }
  t.same(await eventually(placed, (found) => found.length > 0), [ids[1]])
  t.ok((await faultsOf('place_postings')) > 0)
  await sql`drop trigger refuse on billing_posting`.execute(db)
  await sql`update posting_outbox set next_attempt_at = now()`.execute(db)
  t.same(await eventually(placed, (found) => found.length > 1), [ids[1], ids[0]])
})

t.test(
  'a notification that can’t be applied lets the others of its batch be applied',
  async (t) => {
    const { service, errors, faultsOf } = await start(t)
    const { db, call, createPayment, pay, until } = service
    const [bad, other] = [(await createPayment()).id, (await createPayment()).id]
    const which = `new.payment_id = '${bad}' and new.type = 'payment.captured'`
    const allow = await refuse(db, 'payment_event', 'insert', which)
    await pay(bad)
    await pay(other)
    await until(other, ({ status }) => status === 'captured')
    const read = async () => (await call('GET', `/v1/notifications?reference=${bad}`)).body.data[0]
    const isTried = (found: { tries: number }) => found?.tries > 0
    t.match(await eventually(read, isTried), { status: 'received', fault: 'it can’t be' })
    t.ok((await faultsOf('apply_notifications')) > 0)
    const { id } = await read()
    t.ok(errors.some(({ notificationId }) => notificationId === id))

    await sql`update notification set attempts = 5, next_attempt_at = now()
    where id = ${id}`.execute(db)
    t.match(await eventually(read, ({ status }) => status === 'parked'), { tries: 6 })
    const { body } = await call('GET', '/v1/discrepancies')
    t.match(body.data, [{ paymentId: bad, kind: 'notification_not_understood' }])

    await allow()
    const retried = await call('POST', `/v1/notifications/${id}/retry`, { idempotencyKey: 'again' })
    t.equal(retried.status, 202)
    await until(bad, ({ status }) => status === 'captured')
  }
)

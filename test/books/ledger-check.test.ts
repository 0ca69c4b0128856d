import { setTimeout } from 'node:timers/promises'
import { sql } from 'kysely'
import t from 'tap'
import { createLedgerCheck } from '../../src/books/ledger-check.jobs.ts'
import { findWrongLately } from '../../src/books/ledger-check.store.ts'
import type { Db } from '../../src/database/database.ts'
import { countDiscrepancies, measureOldest } from '../../src/due/oldest-items.store.ts'
import { countOpenItems } from '../../src/due/open-items.store.ts'
import { findLate } from '../../src/verify/verify.store.ts'
import { testService } from '../test-service.ts'

/** Until what a payment moved has its place among the postings. */
async function untilPlaced(db: Db): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if ((await sql`select from billing_posting`.execute(db)).rows.length > 0) return
    await setTimeout(20)
  }
  throw new Error('not in time')
}

t.test(
  'what a payment says and the ledger does not is found, told once, and forgotten',
  async (t) => {
    const { db, createPayment, pay, until } = await testService(t)
    const { id } = await createPayment()
    await pay(id)
    await until(id, ({ status }) => status === 'captured')
    await untilPlaced(db)
    const told: string[] = []
    const check = createLedgerCheck((ids) => void told.push(...ids))
    t.equal(await check(db), 0)

    const write = (refunded: number) =>
      sql`update payment set amount_refunded = ${refunded} where id = ${id}`.execute(db)
    await write(1)
    t.equal(await check(db), 1)
    t.equal(await check(db), 1)
    t.same(told, [id])

    await write(0)
    for (let lap = 0; lap < 6; lap += 1) await check(db)
    t.equal(await check(db), 0, 'after a lap that has not found it again')
  }
)

t.test(
  'how long the oldest has waited is told of each kind, with 0 where none waits',
  async (t) => {
    const { db, createPayment, until } = await testService(t)
    const ages = async () =>
      new Map((await measureOldest(db)).map(({ kind, ageS }) => [kind, ageS] as const))
    const before = await ages()
    t.equal(before.size, 7)
    t.equal(before.get('payment_past_end'), 0)
    t.same(await countDiscrepancies(db), [])

    const { id } = await createPayment()
    await until(id, ({ status }) => status === 'pending')
    await sql`
    update payment set expires_at = now() - interval '1 hour',
      next_attempt_at = now() + interval '1 hour' where id = ${id}`.execute(db)
    const after = (await ages()).get('payment_past_end') ?? 0
    t.ok(after >= 3_600 && after < 3_700, String(after))

    await sql`update payment set next_attempt_at = null where id = ${id}`.execute(db)
    t.equal((await ages()).get('payment_past_end'), 0, 'a person has been told of it')
  }
)

t.test('a refund waits for its outcome from when it was asked for, not approved', async (t) => {
  const service = await testService(t, { refundApprovalAbove: 1000 })
  const { db, call, control, createPayment, pay, until } = service
  const { id } = await createPayment()
  await pay(id)
  await until(id, ({ status }) => status === 'captured')
  const withheld = { ms: 60_000 }
  await control('PUT', '/_simulator/faults', { webhooks: { delayMs: withheld } })
  const post = (path: string, body: object) => call('POST', path, { idempotencyKey: path, body })
  const amount = { currency: 'GBP', value: 1500 }
  const operator = { id: 'agent-7' }
  const asked = await post(`/v1/payments/${id}/refunds`, { amount, reason: 'twice', operator })
  t.equal(asked.body.status, 'awaitingApproval')
  // Nobody was there for a night.
  await sql`update operation set created_at = created_at - interval '9 hours',
    updated_at = updated_at - interval '9 hours' where id = ${asked.body.id}`.execute(db)
  const approval = { operator: { id: 'supervisor-2' } }
  t.equal((await post(`/v1/refunds/${asked.body.id}/approval`, approval)).status, 200)
  const ageOf = async () =>
    (await measureOldest(db)).find(({ kind }) => kind === 'operation')?.ageS ?? 0
  const fresh = await ageOf()
  t.ok(fresh < 60, String(fresh))
  const isTaken = async () => {
    const { rows } = await sql`
      select from operation where id = ${asked.body.id} and provider_reference is not null`.execute(
      db
    )
    return rows.length > 0
  }
  for (let tries = 0; tries < 500 && !(await isTaken()); tries++) await setTimeout(20)
  t.ok((await ageOf()) < 60, 'it was taken, and its outcome is to come')
  await sql`update operation set first_tried_at = now() - interval '3 hours'
    where id = ${asked.body.id}`.execute(db)
  const old = await ageOf()
  t.ok(old >= 10_800 && old < 10_900, String(old))
})

t.test('what moved last is found without reading the charges that were pushed since', async (t) => {
  const { db, createPayment, pay, until } = await testService(t)
  const { id, accountId } = await createPayment()
  await pay(id)
  await until(id, ({ status }) => status === 'captured')
  await untilPlaced(db)
  await db.transaction().execute(async (tx) => {
    await sql`update payment set amount_refunded = 1 where id = ${id}`.execute(tx)
    await sql`
      insert into ledger_transfer (id, account_id, debit_account, credit_account, currency, amount,
        posting, fact, cause_type, cause_id)
      select 'txn_z' || n, ${accountId}::integer, 'customer', 'billing', 'GBP', 1, 'charge',
        'chg_' || n, 'charge', 'chg_' || n
      from generate_series(1, 1000) n`.execute(tx)
    const readOf = async () => {
      const { rows } = await sql<{ read: number }>`
        select seq_tup_read + idx_tup_fetch as read from pg_stat_xact_user_tables
        where relname = 'ledger_transfer'`.execute(tx)
      return Number(rows[0]?.read)
    }
    const before = await readOf()
    t.same(await findWrongLately(tx), [id])
    const read = (await readOf()) - before
    t.ok(read > 0 && read < 10, String(read))
  })
})

t.test('an endpoint that its owner has switched off waits for nobody', async (t) => {
  const { db, call } = await testService(t)
  const body = { url: 'http://127.0.0.1:9/hook', events: ['*'] }
  const { body: endpoint } = await call('POST', '/v1/webhook-endpoints', {
    ...{ body, idempotencyKey: 'a' }
  })
  const countDisabled = async () =>
    (await countOpenItems(db)).find(({ kind }) => kind === 'webhook_endpoints_disabled')?.count
  const change = { body: { status: 'disabled' } }
  t.equal((await call('PATCH', `/v1/webhook-endpoints/${endpoint.id}`, change)).status, 200)
  t.equal(await countDisabled(), 0)
  await sql`update webhook_endpoint set disabled_reason = 'failing'`.execute(db)
  t.equal(await countDisabled(), 1)
})

t.test('a payment whose cancellation is under way is not overdue beside it', async (t) => {
  const { db, call, control, createPayment } = await testService(t)
  const { id } = await createPayment({ method: 'paymentLink' })
  const { id: other } = await createPayment({ method: 'paymentLink', allowDuplicate: true })
  await control('PUT', '/_simulator/faults', { api: { html500: { path: 'PATCH' } } })
  const asked = { idempotencyKey: 'cancel', body: { reason: 'hung up' } }
  t.match(await call('POST', `/v1/payments/${id}/cancellation`, asked), {
    ...{ status: 202, body: { status: 'requested' } }
  })
  const setDue = (payment: string) =>
    sql`update payment set next_attempt_at = now() - interval '2 hours'
      where id = ${payment}`.execute(db)
  await setDue(id)
  await setTimeout(1_500)
  const { rows } = await sql`select from payment where id = ${id}
    and next_attempt_at < now() - interval '1 hour'`.execute(db)
  t.equal(rows.length, 1, 'nobody asks about it but its cancellation')
  const overdue = async (some: Db) =>
    (await countOpenItems(some)).find(({ kind }) => kind === 'payments_overdue')?.count
  const late = async (some: Db) =>
    (await findLate(some, 'payments whose next step was due an hour ago', 1)).count
  t.same([await overdue(db), await late(db)], [0, 0])
  await db.transaction().execute(async (tx) => {
    await sql`update payment set next_attempt_at = now() - interval '2 hours'
      where id = ${other}`.execute(tx)
    t.same([await overdue(tx), await late(tx)], [1, 1])
  })
})

/** Batches of notifications, as the tasks of instances apply them. */
import { sql } from 'kysely'
import pg from 'pg'
import t from 'tap'
import { applyNotifications, notificationRounds } from '../../src/adyen/notification.jobs.ts'
import { insertItems } from '../../src/adyen/notification.store.ts'
import { connect, type Db } from '../../src/database/database.ts'
import { newId } from '../../src/id.ts'
import { addPayment } from '../checkout/intents.ts'
import { findMoneyFaults } from '../invariants.ts'
import { newPayment } from '../lifecycle/aggregates.ts'
import { testContext } from '../test-context.ts'
import { insertClients, testDatabase } from '../test-database.ts'
import { type Item, item } from './signed-notifications.ts'

const { db, url } = await testDatabase(t)
const accounts = Array.from({ length: 20 }, (_, place) => 10_000_000 + place)
await insertClients(db, newPayment().clientId)
await db
  .insertInto('account')
  .values(accounts.map((id) => ({ id, currency: 'GBP', name: null, status: 'open' as const })))
  .execute()

/** Payments of those accounts, in turn; answers their ids. */
async function addPayments(count: number): Promise<string[]> {
  const payments = Array.from({ length: count }, (_, place) =>
    newPayment({ id: newId('pay'), accountId: accounts[place % accounts.length] as number })
  )
  await Promise.all(payments.map((payment) => addPayment(db, payment)))
  return payments.map(({ id }) => id)
}

const store = (items: Item[]) => insertItems(db, items, false, () => false)
const paid = (ids: readonly string[], changes: Item = {}) =>
  ids.map((merchantReference) => item({ merchantReference, ...changes }))

function instance(own: Db) {
  const faults: unknown[] = []
  const deps = { ...testContext(own), onFault: (_: unknown, error: unknown) => faults.push(error) }
  return { faults, apply: () => applyNotifications(deps) }
}

t.test('a batch takes as many statements whatever its number', async (t) => {
  const own = connect(url, { max: 1 })
  t.teardown(() => own.destroy())
  const { apply, faults } = instance(own)
  const { query } = pg.Client.prototype
  let statements = 0
  t.teardown(() => Object.assign(pg.Client.prototype, { query }))
  const counts: number[] = []
  for (const count of [1, 10, 100]) {
    await store(paid(await addPayments(count)))
    // With its connection open.
    await sql`select 1`.execute(own)
    Object.assign(pg.Client.prototype, {
      query(this: pg.Client, ...given: Parameters<typeof query>) {
        statements += 1
        return query.apply(this, given)
      }
    })
    statements = 0
    t.equal(await apply(), count)
    counts.push(statements)
    Object.assign(pg.Client.prototype, { query })
  }
  t.same(counts, [12, 12, 12], 'begin and commit included')
  t.same(faults, [])
})

t.test('two instances at once, a payment that all want, and items that can’t be', async (t) => {
  const others = [connect(url, { max: 1 }), connect(url, { max: 1 })]
  t.teardown(() => Promise.all(others.map((one) => one.destroy())))
  const [bad, contended, ...good] = (await addPayments(122)) as [string, string, ...string[]]
  await sql`create function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'it can’t be'; end $$`.execute(db)
  await sql
    .raw(
      `create trigger refuse before update on payment for each row
       when (new.id = '${bad}' and new.status = 'captured') execute function refuse()`
    )
    .execute(db)
  const pspReference = 'PSPCONTENDED0001'
  const reports = Array.from({ length: 30 }, (_, place) => ({ pspReference, reason: `${place}` }))
  const items = [
    ...paid(good),
    ...reports.flatMap((changes) => paid([contended], changes)),
    ...paid([bad]),
    ...paid(['pay_0000000000000000'])
  ]
  // So that neither finds a batch that it could apply as a whole.
  t.ok(items.length < notificationRounds.batchSize)
  for (let start = 0; start < items.length; start += 40) await store(items.slice(start, start + 40))
  const instances = others.map(instance)
  await Promise.all(
    instances.map(async ({ apply }) => {
      while ((await apply()) > 0);
    })
  )

  const told = instances.flatMap(({ faults }) => faults).map((error) => (error as Error).message)
  t.ok(told.length >= 2, 'the batch has failed, and the item alone')
  t.same([...new Set(told)], ['it can’t be'])
  const { rows } = await sql<{ status: string; about: string; fault: string | null }>`
    select status, merchant_reference as about, fault from notification
    where status <> 'applied'`.execute(db)
  t.strictSame(
    rows.toSorted((one, other) => (one.status < other.status ? -1 : 1)),
    [
      { status: 'received', about: bad, fault: 'it can’t be' },
      { status: 'waiting', about: 'pay_0000000000000000', fault: null }
    ]
  )
  const { rows: captured } = await sql<{ count: number }>`
    select count(*) from payment where status = 'captured' and amount_captured = amount
      and event_count = 2 and id = any(${[contended, ...good]})`.execute(db)
  t.equal(captured[0]?.count, good.length + 1, 'each once')
  t.same(await findMoneyFaults(db, accounts), [])

  await sql`drop trigger refuse on payment`.execute(db)
  await sql`
    update notification set next_attempt_at = now()
    where merchant_reference = ${bad}`.execute(db)
  t.equal(await instance(db).apply(), 1)
  t.same(await findMoneyFaults(db, accounts), [])
})

/** What a create writes: rows, entries of indexes, and for which statement each index is there. */
import { type RawBuilder, sql } from 'kysely'
import t, { type Test } from 'tap'
import { recordPage } from '../../src/checkout/checkout.store.ts'
import { takeLeft } from '../../src/checkout/intent.store.ts'
import { connect, type Db } from '../../src/database/database.ts'
import { countOpenItems } from '../../src/due/open-items.store.ts'
import { announce } from '../../src/webhooks/announce.jobs.ts'
import { insertPayment } from '../checkout/intents.ts'
import { newPayment } from '../lifecycle/aggregates.ts'
import { insertClients, testDatabase } from '../test-database.ts'

/**
 * Every index of the tables that a create writes, and the statements that need it. An index that no
 * statement needs is dropped; one for a search that is rare has few rows by its condition.
 */
const neededBy: Readonly<Record<string, string>> = {
  create_batch_due: 'takeLeft, countOpenItems',
  event_feed_client: 'listFeed, for a third party',
  event_feed_other_once: 'an event is in the feed once',
  event_feed_payment_once: 'an event is in the feed once; the replay of a payment',
  event_feed_pkey: 'listFeed, findFeedEvents',
  event_outbox_set_aside: 'placeEvents, countOpenItems',
  idempotency_key_created: 'purgeKeys',
  idempotency_key_due: 'claimCreates, of what was put off or left',
  idempotency_key_pkey: 'a key is used once; findKey',
  latest_payment_pkey: 'insertIntent: one payment of an account and amount at a time',
  payment_account: 'listPayments of an account; findEarlierPayment',
  payment_amount: 'listPayments of an amount',
  payment_authorisation_code: 'the search of TMF676; only recorded payments have one',
  payment_brand: 'listPayments of a brand of card',
  payment_channel: 'listPayments of channels and methods',
  payment_client: 'listPayments of a third party',
  payment_due: 'claimDue of endedPages, links and cardPayments; countOpenItems',
  payment_event_created: 'the replay of a range of time',
  payment_event_pkey: 'listEvents, placeEvents',
  payment_last_four: 'listPayments of a card',
  payment_metadata: 'listPayments by metadata',
  payment_operator: 'listPayments of an operator',
  payment_pkey: 'findPayment and all that changes one; listPayments',
  payment_processor_reference: 'listPayments of a recorded payment’s reference',
  payment_recorded_late: 'the search of TMF676 by time; only what was recorded late has one',
  payment_recorded_once: 'a payment that was taken elsewhere is recorded once; findRecord',
  payment_reference: 'listPayments of a reference',
  payment_status: 'listPayments of statuses but captured',
  payment_unsettled: 'what is missing in reports'
}

const tables = [
  ...['create_batch', 'event_feed', 'event_outbox', 'idempotency_key', 'latest_payment'],
  ...['payment', 'payment_event']
]

const creates = 64

/** A database with that many creates, which one statement wrote, and the connection that it had. */
async function writeCreates(t: Test, count: number) {
  const { url, db } = await testDatabase(t)
  await insertClients(db, 'cli_0000000000000001')
  await sql`insert into account (id, currency, status) values (12345678, 'GBP', 'open')`.execute(db)
  const own = connect(url, { max: 1 })
  t.teardown(() => own.destroy())
  const payments = Array.from({ length: count }, (_, n) =>
    newPayment({
      id: `pay_${String(n).padStart(16, '0')}`,
      amount: { currency: 'GBP', value: 100 + n },
      reference: `basket-${n}`
    })
  )
  await Promise.all(
    payments.map((payment) => insertPayment(own, payment, { duplicateWindowS: 60 }))
  )
  return { db, own, payments }
}

t.test('a create writes few entries, and what comes of it none', async (t) => {
  const { own, payments } = await writeCreates(t, creates)
  const body = JSON.stringify({ text: 'as long as most answers are. '.repeat(30) })
  const page = { session: 'CS0000000000000001', url: 'https://checkout.example/CS0000000000000001' }
  const recorded = await Promise.all(
    payments.map(({ id }) => recordPage(own, id, page, null, { status: 201, body }))
  )
  t.ok(recorded.every(Boolean))
  await announce({ db: own, wake: () => {}, onFault: (_, error) => t.fail(String(error)) })
  await sql`select pg_stat_force_next_flush()`.execute(own)

  const { rows: written } = await sql<{ name: string; updated: number; inPlace: number }>`
    select relname as name, n_tup_upd as updated, n_tup_hot_upd as "inPlace"
    from pg_stat_user_tables where relname = any(${tables}) and n_tup_upd > 0
    order by relname`.execute(own)
  t.same(written, [
    { name: 'idempotency_key', updated: creates, inPlace: creates },
    { name: 'payment', updated: creates, inPlace: creates }
  ])

  const { rows: indexes } = await sql<{ table: string; index: string; where: string | null }>`
    select r.relname as table, i.relname as index, pg_get_expr(indpred, indrelid) as where
    from pg_index join pg_class i on i.oid = indexrelid join pg_class r on r.oid = indrelid
    where r.relname = any(${tables}) order by i.relname`.execute(own)
  t.same(
    indexes.map(({ index }) => index),
    Object.keys(neededBy),
    'each has its statement'
  )
  const entries: Record<string, number> = {}
  for (const { table, index, where } of indexes) {
    if (index === 'payment_event_created') continue // A summary of many pages.
    const condition: RawBuilder<unknown> = where === null ? sql`true` : sql.raw(where)
    const { rows } = await sql<{ count: number }>`
      select count(*) from ${sql.table(table)} where ${condition}`.execute(own)
    entries[table] = (entries[table] ?? 0) + (rows[0]?.count ?? 0) / creates
  }
  t.same(entries, {
    create_batch: 1 / creates,
    event_feed: 3,
    event_outbox: 0,
    idempotency_key: 2,
    latest_payment: 1,
    payment: 8,
    payment_event: 1
  })
})

const batches = async (db: Db) =>
  (
    await sql<{ ids: string[]; isDue: boolean }>`
      select payment_ids as ids, due_at <= now() as "isDue" from create_batch`.execute(db)
  ).rows
const dueKeys = async (db: Db) =>
  (
    await sql<{ key: string }>`
      select key from idempotency_key where next_attempt_at <= now() order by key`.execute(db)
  ).rows.map(({ key }) => key)
const timePasses = (db: Db) =>
  sql`update create_batch set due_at = now() - interval '2 minutes'`.execute(db)

t.test('what a process has left becomes due', async (t) => {
  const { db, own, payments } = await writeCreates(t, 3)
  const ids = payments.map(({ id }) => id)
  const [first = '', ...others] = ids

  await t.test('but for a key that somebody is writing: it is looked at again', async (t) => {
    await timePasses(db)
    await own.transaction().execute(async (tx) => {
      await sql`select from idempotency_key where key = ${first} for no key update`.execute(tx)
      await takeLeft(db)
      t.same(await dueKeys(db), others)
      t.same(await batches(db), [{ ids: [first], isDue: false }])
    })
    await timePasses(db)
    await takeLeft(db)
    t.same(await dueKeys(db), ids)
    t.same(await batches(db), [])
  })

  await t.test('all of it in one round, however much, and by several instances', async (t) => {
    await sql`insert into create_batch (payment_ids, due_at)
      select '{}', now() - interval '2 minutes' from generate_series(1, 450)`.execute(db)
    const overdue = (await countOpenItems(db)).find(({ kind }) => kind === 'create_batches_overdue')
    t.equal(overdue?.count, 450)
    await own.transaction().execute(async (tx) => {
      await sql`select from create_batch limit 50 for update`.execute(tx)
      await takeLeft(db)
      t.equal((await batches(db)).length, 50, 'those that another instance has are left to it')
    })
  })
})

t.test(
  'what is left is found by keys, though its plan is from before there were any',
  async (t) => {
    const { db, own, payments } = await writeCreates(t, 1)
    await sql`delete from idempotency_key`.execute(db)
    await sql`vacuum idempotency_key`.execute(db)
    // So often that the connection keeps its plan.
    for (let n = 0; n < 12; n += 1) await takeLeft(own)
    await sql`insert into idempotency_key (client_id, key, fingerprint, resource_id)
    select client_id, case n when 1 then idempotency_key else 'other-' || n end, '\\x00', id
    from payment cross join generate_series(1, 5000) n`.execute(db)
    await timePasses(db)
    const read = async () => {
      await sql`select pg_stat_force_next_flush()`.execute(own)
      const { rows } = await sql<{ count: number }>`
      select (seq_tup_read + idx_tup_fetch)::int as count from pg_stat_user_tables
      where relname = 'idempotency_key'`.execute(own)
      return rows[0]?.count ?? 0
    }
    const before = await read()
    await takeLeft(own)
    const count = (await read()) - before
    t.ok(count < 10, `${count} rows are read`)
    t.same(
      await dueKeys(db),
      payments.map(({ id }) => id)
    )
  }
)

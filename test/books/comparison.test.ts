/** Days that were compared are added up, and come to what all come to when asked at once. */
import { sql } from 'kysely'
import t from 'tap'
import { compareDays } from '../../src/books/comparison.jobs.ts'
import { splitPeriod, wholeDays } from '../../src/books/comparison.ts'
import { compareThreeWays } from '../../src/books/three-way.commands.ts'
import { sumUp } from '../../src/books/three-way.store.ts'
import type { SummedUp } from '../../src/books/three-way.ts'
import type { Db } from '../../src/database/database.ts'
import { type PostingKind, postings } from '../../src/ledger/ledger.ts'
import { insertClients, testDatabase } from '../test-database.ts'

const merchantAccount = 'TestMerchant'
const dayMs = 86_400_000
const days = 5
const today = Math.floor(Date.now() / dayMs) * dayMs

/** The same numbers in each run. */
function createRandom() {
  let state = 20_261_129
  return (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * below)
  }
}

const random = createRandom()
let made = 0

type Moved = { payment: number; posting: PostingKind; fact: string; cause?: string; at: Date }

async function insertTransfers(db: Db, all: readonly Moved[]): Promise<void> {
  const rows = all.map(({ posting, payment, fact, cause = fact, at }) => {
    made += 1
    const id = `txn_${made}`
    const fields = { id, posting, ...postings[posting], fact: `${fact}`, cause, at }
    return {
      ...fields,
      unique: `${fact}.${made}`,
      payment: `pay_${payment}`,
      amount: 100 + payment
    }
  })
  await sql`
    insert into ledger_transfer (id, account_id, payment_id, debit_account, credit_account,
      currency, amount, posting, fact, cause_type, cause_id, created_at)
    select id, 1, payment, debit, credit, case when amount % 5 = 0 then 'EUR' else 'GBP' end,
      amount, posting, case posting when 'refund' then "unique" else fact end,
      case posting when 'payment' then 'payment' when 'captureFailed' then 'payment'
        else 'refund' end,
      cause, at
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as x(id text, payment text, debit text,
      credit text, amount bigint, posting text, fact text, "unique" text, cause text,
      at timestamptz)`.execute(db)
  await sql`
    insert into billing_posting (id) select id
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as x(id text)`.execute(db)
}

type Line = { payment: number | null; record: string | null; gross: number; at: Date }

async function insertLines(db: Db, all: readonly Line[]): Promise<void> {
  const rows = all.map(({ payment, ...line }) => {
    made += 1
    return { number: made, payment: payment === null ? null : `pay_${payment}`, ...line }
  })
  await sql`
    insert into settlement_line (report_id, line, fact, occurrence, merchant_account, batch, type,
      meaning, psp_reference, booked_as, zone, gross_currency, gross, net_currency, net, fees,
      payment_id, record_type, record_id, our_currency, ours, created_at, matched_at)
    select 'set_1', number, convert_to(number::text, 'UTF8'), 1, ${merchantAccount}, '1', 'Settled',
      case when gross < 0 then 'refunded' else 'settled' end, record, '', '', 'GBP', gross, 'GBP',
      gross, 0, payment, case when record is not null then 'authorisation' end, record,
      case when record is not null then 'GBP' end, case when record is not null then gross end, at,
      case when record is not null then at end
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as x(number bigint, payment text,
      record text, gross bigint, at timestamptz)`.execute(db)
}

const payments = 64

/** Payments of the last days, some of them refunded, and most of them settled two days later. */
async function begin(db: Db): Promise<void> {
  await insertClients(db, 'cli')
  await sql`insert into account (id, currency, status) values (1, 'GBP', 'open')`.execute(db)
  await sql`
    insert into settlement_report (id, origin, status, finished_at)
    values ('set_1', 'upload', 'done', now())`.execute(db)
  await sql`
    insert into payment (id, client_id, idempotency_key, provider_key, account_id, channel, method,
      return_url, capture, save_card, currency, amount, status, expires_at)
    select 'pay_' || n, 'cli', n, n, 1, 'ivr', 'hostedPage', '', 'automatic', 'never', 'GBP', 1,
      'pending', now() from generate_series(0, ${payments - 1}) as n`.execute(db)
  const all = Array.from({ length: payments }, (_, payment) => {
    return { payment, at: new Date(today - (1 + random(days)) * dayMs + random(dayMs)) }
  })
  const moved = all.map(({ payment, at }): Moved => {
    return { payment, posting: 'payment', fact: `A${payment}`, at }
  })
  const refunds = all.flatMap(({ payment, at }): Moved[] => {
    const later = new Date(Math.min(at.getTime() + random(2) * dayMs, today - 1))
    return payment % 4 === 0 ? [{ payment, posting: 'refund', fact: `R${payment}`, at: later }] : []
  })
  await insertTransfers(db, [...moved, ...refunds])
  const settled = all.filter(({ at }) => at.getTime() < today - 3 * dayMs && random(4) > 0)
  await insertLines(
    db,
    settled.map(({ payment, at }) => {
      const gross = 100 + payment - (payment % 9 === 0 ? 1 : 0)
      return { payment, record: `A${payment}`, gross, at: new Date(at.getTime() + 2 * dayMs) }
    })
  )
  await insertLines(db, [{ payment: null, record: null, gross: 7, at: all[0]?.at as Date }])
  // Of money that comes to be known later.
  const early = all.filter(({ payment }) => payment % 8 === 6)
  await insertLines(
    db,
    early.map(({ payment, at }) => ({ payment, record: `E${payment}`, gross: 100 + payment, at }))
  )
}

/** What may be said later of what was there, each now. */
type Say = (db: Db, n: number) => Promise<unknown>
const news: ReadonlyArray<readonly [what: string, say: Say]> = [
  ['a line', (db, n) => insertLines(db, [line(n, `A${n}`, 100 + n)])],
  ['a second line', (db, n) => insertLines(db, [line(n, `A${n}`, 100 + n)])],
  ['the line of a refund', (db, n) => insertLines(db, [line(n, `R${n}`, -100 - n)])],
  [
    'a refund',
    (db, n) =>
      insertTransfers(db, [{ payment: n, posting: 'refund', fact: `N${made}`, at: new Date() }])
  ],
  [
    'money whose line came first',
    (db, n) =>
      insertTransfers(db, [{ payment: n, posting: 'payment', fact: `E${n}`, at: new Date() }])
  ],
  [
    'a capture that came to nothing',
    (db, n) =>
      insertTransfers(db, [
        { payment: n, posting: 'captureFailed', fact: `A${n}`, cause: `F${n}`, at: new Date() }
      ])
  ],
  [
    'what billing said',
    (db, n) =>
      sql`
      update billing_posting b
      set status = case when status = 'posted' then 'rejected' else 'posted' end, reason = 'r',
        acknowledged_at = now()
      from ledger_transfer t where t.id = b.id and t.payment_id = ${`pay_${n}`}`.execute(db)
  ],
  [
    'a match that came late',
    async (db, n) => {
      await sql`
        update settlement_line set payment_id = ${`pay_${n}`}, record_type = 'authorisation',
          record_id = ${`A${n}`}, our_currency = 'GBP', ours = gross, matched_at = now()
        where record_id is null`.execute(db)
    }
  ]
]
const line = (payment: number, record: string, gross: number): Line => {
  return { payment, record, gross, at: new Date() }
}

const sorted = (sums: readonly SummedUp[]) =>
  sums.map(({ currency, what, count, amount }) => `${currency} ${what} ${count} ${amount}`).sort()

type Deps = Parameters<typeof compareDays>[0]
function depsOf(db: Db, changes: Partial<Deps> = {}): Deps {
  const onFault: Deps['onFault'] = (_, error) => {
    throw error
  }
  return { db, merchantAccount, isStopping: () => false, onFault, ...changes }
}

async function check(t: Tap, db: Db, what: string, limits = {}): Promise<void> {
  const at = (ago: number) => new Date(today - ago * dayMs)
  for (const [from, to] of [
    [at(days + 2), new Date(Date.now() + 60_000)],
    [at(4.3), at(1.5)]
  ] as const) {
    const whole = await db.transaction().execute((tx) => sumUp(tx, { from, to }, merchantAccount))
    const parts = await compareThreeWays(db, { from, to }, merchantAccount, limits)
    t.same(sorted(parts), sorted(whole), `${what}: ${from.toISOString()} to ${to.toISOString()}`)
  }
}
type Tap = { same(found: unknown, wanted: unknown, message: string): unknown }

async function countCompared(db: Db): Promise<number> {
  const { rows } = await sql<{ days: number }>`
    select count(*) as days from daily_comparison`.execute(db)
  return rows[0]?.days ?? 0
}

t.test('whatever is said later, days add up to what all say at once', async (t) => {
  const { db } = await testDatabase(t)
  await begin(db)
  const deps = depsOf(db, { rowsAtOnce: 3 })
  await check(t, db, 'nothing compared')
  t.ok((await compareDays(deps)) >= days - 1)
  t.equal(await compareDays(deps), 0, 'once')
  await sql`update comparison_mark set until = clock_timestamp()`.execute(db)
  const compared = await countCompared(db)
  await check(t, db, 'all compared')
  for (const [n, [what, say]] of news.entries()) {
    for (let payment = n * 8; payment < n * 8 + 8; payment += 1) await say(db, payment)
    await check(t, db, what)
    const anew = await compareDays(deps)
    t.equal(anew > 0, what !== 'a refund', `${what}: only its own day has more to say`)
    t.equal(await countCompared(db), compared)
    // What comes next is alone in being new.
    await sql`update comparison_mark set until = clock_timestamp()`.execute(db)
  }
  await check(t, db, 'compared again')
  // As a restored copy, or a transaction that took a day, would write it.
  await insertLines(db, [{ payment: 1, record: 'A1', gross: 5, at: new Date(today - 2.5 * dayMs) }])
  t.ok((await countCompared(db)) < compared)
  await check(t, db, 'written long after its own time')
})

t.test('of a period that was compared nothing is read but what each day came to', async (t) => {
  const { db } = await testDatabase(t)
  await begin(db)
  await compareDays(depsOf(db))
  // Nothing is so new that it might still be committing.
  await sql`update comparison_mark set until = ${new Date(today + dayMs)}`.execute(db)
  const all = { from: new Date(today - days * dayMs), to: new Date(today) }
  await sql`
    insert into daily_comparison (day, sums)
    values (${new Date(today - 90 * dayMs)}, '[]') on conflict do nothing`.execute(db)
  const sum = { currency: 'GBP', what: 'ledger', count: 1, amount: 2 }
  await sql`update daily_comparison set sums = ${JSON.stringify([sum])}::jsonb`.execute(db)
  const sums = await compareThreeWays(db, all, merchantAccount)
  const compared = wholeDays(all)
  const count = (Date.parse(compared.last) - Date.parse(compared.first)) / dayMs + 1
  t.same(sums, [{ currency: 'GBP', what: 'ledger', count, amount: 2 * count }])
})

t.test(
  'what was written since the mark is looked at in parts, each of which moves it',
  async (t) => {
    const { db } = await testDatabase(t)
    await begin(db)
    await compareDays(depsOf(db))
    const mark = async () =>
      (await sql<{ until: Date }>`select until from comparison_mark`.execute(db)).rows[0]?.until ??
      0
    const longAgo = new Date(today - (days + 2) * dayMs)
    await sql`update comparison_mark set until = ${longAgo}`.execute(db)
    for (const payment of [1, 2, 3]) await insertLines(db, [line(payment, `A${payment}`, 5)])
    await check(t, db, 'nothing was looked at', { rows: 5 })
    let steps = 0
    await compareDays(depsOf(db, { rowsAtOnce: 5, isStopping: () => ++steps > 3 }))
    const moved = await mark()
    t.ok(moved > longAgo && moved < new Date(today), 'where it was stopped')
    await check(t, db, 'some was looked at', { rows: 5 })
    t.ok((await compareDays(depsOf(db, { rowsAtOnce: 5 }))) > 0)
    t.ok((await mark()) > moved)
    await check(t, db, 'all was looked at', { rows: 5 })
  }
)

t.test('a reader compares the whole period where too much was written since', async (t) => {
  const { db } = await testDatabase(t)
  await begin(db)
  await compareDays(depsOf(db))
  await sql`update comparison_mark set until = ${new Date(today - days * dayMs)}`.execute(db)
  const period = { from: new Date(today - 90 * dayMs), to: new Date(today) }
  const sum = { currency: 'GBP', what: 'heldMoney', count: 1, amount: 1 }
  await sql`
    insert into daily_comparison (day, sums)
    values (${period.from}, ${JSON.stringify([sum])}::jsonb)`.execute(db)
  const compare = async (steps: number) =>
    sorted(await compareThreeWays(db, period, merchantAccount, { rows: 5, steps }))
  const whole = sorted(await sumUp(db, period, merchantAccount))
  t.same(await compare(2), whole)
  t.same(await compare(1_000), [...whole, 'GBP heldMoney 1 1'].sort(), 'what is known is used')
})

t.test('a day that can’t be compared is told, and those before it are compared', async (t) => {
  const { db } = await testDatabase(t)
  await begin(db)
  const day = new Date(today - 2 * dayMs).toISOString().slice(0, 10)
  await sql`create function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'it can’t be'; end $$`.execute(db)
  await sql`create trigger refuse before insert on daily_comparison for each row
    when (new.day = ${sql.lit(day)}) execute function refuse()`.execute(db)
  const faults: unknown[] = []
  const count = await compareDays(depsOf(db, { onFault: (about) => faults.push(about) }))
  t.ok(count >= days - 2)
  t.equal(await countCompared(db), count)
  t.same(faults, [{ day }])
})

t.test('a period is split at the days that are known', async (t) => {
  const at = (text: string) => new Date(`2026-01-${text}:00:00Z`)
  const period = { from: at('01T06'), to: at('05T06') }
  t.same(wholeDays(period), { first: '2026-01-02', last: '2026-01-04' })
  t.same(wholeDays({ from: at('01T06'), to: at('01T08') }), {
    first: '2026-01-02',
    last: '2025-12-31'
  })
  const known = ['2026-01-04', '2026-01-02', '2026-01-01', '2026-01-05', '2026-01-03'].map(
    (day) => ({ day, sums: [] })
  )
  const { days, left } = splitPeriod(period, known, new Set(['2026-01-03']))
  t.same(
    days.map(({ day }) => day),
    ['2026-01-02', '2026-01-04']
  )
  t.same(left, [
    { from: at('01T06'), to: at('02T00') },
    { from: at('03T00'), to: at('04T00') },
    { from: at('05T00'), to: at('05T06') }
  ])
})

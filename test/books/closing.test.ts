/** The closings of days: what was before a day is not added up again, and comes to the same. */
import { sql } from 'kysely'
import t from 'tap'
import { closeDays } from '../../src/books/closing.jobs.ts'
import { addUp, readSummary } from '../../src/books/summary.commands.ts'
import type { Db, Tx } from '../../src/database/database.ts'
import { type PostingKind, postings } from '../../src/ledger/ledger.ts'
import { insertClients, testDatabase } from '../test-database.ts'

const merchantAccount = 'TestMerchant'
const dayMs = 86_400_000
const today = Math.floor(Date.now() / dayMs) * dayMs
const dateOf = (daysAgo: number) => new Date(today - daysAgo * dayMs).toISOString().slice(0, 10)
const closing = (db: Db) => ({ db, merchantAccount, isStopping: () => false })

/** The same numbers in each run. */
function createRandom() {
  let state = 20_261_128
  return (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state % below
  }
}

type Moved = { posting: PostingKind; currency: string; amount: number; at: string }
type Line = { currency: string; gross: number; ours: number | null; at: string; matchedAt: string }

let made = 0

async function insertTransfers(db: Db, all: readonly Moved[]): Promise<void> {
  const rows = all.map(({ posting, ...one }) => {
    made += 1
    return { id: `txn_${made}`, posting, ...postings[posting], ...one }
  })
  await sql`
    insert into ledger_transfer (id, account_id, debit_account, credit_account, currency, amount,
      posting, fact, cause_type, cause_id, created_at)
    select id, 1, debit, credit, currency, amount, posting, id, 'test', id, at
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as x(id text, debit text, credit text,
      currency text, amount bigint, posting text, at timestamptz)`.execute(db)
}

async function insertLines(db: Db, all: readonly Line[]): Promise<void> {
  const rows = all.map((one) => {
    made += 1
    return { number: made, ...one }
  })
  await sql`
    insert into settlement_line (report_id, line, fact, occurrence, merchant_account, batch, type,
      meaning, booked_as, zone, gross_currency, gross, net_currency, net, fees, record_type,
      record_id, our_currency, ours, created_at, matched_at)
    select 'set_1', number, convert_to(number::text, 'UTF8'), 1, ${merchantAccount}, '1', 'Settled',
      'settled', '', '', currency, gross, currency, gross, 0,
      case when ours is not null then 'authorisation' end,
      case when ours is not null then number::text end,
      case when ours is not null then currency end, ours, at,
      case when ours is not null then "matchedAt" end
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as x(number bigint, currency text,
      gross bigint, ours bigint, at timestamptz, "matchedAt" timestamptz)`.execute(db)
}

async function begin(db: Db): Promise<void> {
  await insertClients(db, 'cli')
  await sql`insert into account (id, currency, status) values (1, 'GBP', 'open')`.execute(db)
  await sql`
    insert into settlement_report (id, origin, status, finished_at)
    values ('set_1', 'upload', 'done', now())`.execute(db)
}

/** What the whole ledger comes to, added up here: each account of each currency before a moment. */
function balancesOf(all: readonly Moved[], before: string): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const { posting, currency, amount, at } of all) {
    if (at >= before) continue
    const { debit, credit } = postings[posting]
    sums[`${currency} ${debit}`] = (sums[`${currency} ${debit}`] ?? 0) + amount
    sums[`${currency} ${credit}`] = (sums[`${currency} ${credit}`] ?? 0) - amount
  }
  return sums
}

t.test('C5: the summary of every day is the sum of the whole ledger, closed or not', async (t) => {
  const { db } = await testDatabase(t)
  await begin(db)
  const random = createRandom()
  const kinds = Object.keys(postings) as PostingKind[]
  const days = 12
  const timeOf = (daysAgo: number) =>
    new Date(today - daysAgo * dayMs + random(dayMs)).toISOString()
  const pick = (daysAgo: number): Moved => ({
    posting: kinds[random(kinds.length)] as PostingKind,
    currency: ['GBP', 'EUR'][random(2)] as string,
    amount: 1 + random(10_000),
    at: timeOf(daysAgo)
  })
  const pickLine = (daysAgo: number): Line => ({
    currency: ['GBP', 'EUR', 'USD'][random(3)] as string,
    gross: random(1_000),
    ours: random(3) === 0 ? null : random(1_000),
    at: timeOf(daysAgo),
    matchedAt: timeOf(Math.max(1, daysAgo - random(3)))
  })
  const booked: Moved[] = []
  const add = async (all: Moved[]) => {
    booked.push(...all)
    await insertTransfers(db, all)
  }
  // Some days have nothing, the day before yesterday among them.
  const busy = [12, 11, 8, 7, 6, 3, 1]
  await add(busy.flatMap((daysAgo) => Array.from({ length: 8 }, () => pick(daysAgo))))
  await insertLines(
    db,
    busy.flatMap((daysAgo) => Array.from({ length: 4 }, () => pickLine(daysAgo)))
  )
  const all = async () =>
    await Promise.all(
      Array.from({ length: days + 3 }, (_, ago) => readSummary(db, merchantAccount, dateOf(ago)))
    )
  const check = (summaries: Awaited<ReturnType<typeof all>>) => {
    for (const [ago, { currencies }] of summaries.entries()) {
      const shown = Object.fromEntries(
        currencies.flatMap(({ currency, accounts }) =>
          accounts.map(({ account, closing }) => [`${currency} ${account}`, closing])
        )
      )
      t.same(shown, balancesOf(booked, `${dateOf(ago - 1)}T00:00:00.000Z`), dateOf(ago))
    }
  }
  const open = await all()
  check(open)
  t.equal(await closeDays(closing(db)), days - 1, 'every day that is over for a day')
  t.equal(await closeDays(closing(db)), 0, 'once')
  t.same(await all(), open, 'the closings change no answer')

  // What is written late takes the closings from its day on away.
  await add([pick(7), pick(1)])
  const { rows: left } = await sql<{ last: string }>`
    select max(day)::text as last from daily_closing`.execute(db)
  t.equal(left[0]?.last, dateOf(8))
  const late = await all()
  check(late)
  t.equal(await closeDays(closing(db)), 6)
  t.same(await all(), late)

  // So does the match of a line that is written late.
  const line = { ...pickLine(9), ours: 5, matchedAt: timeOf(9) }
  await insertLines(db, [line])
  const matched = await all()
  t.notSame(matched, late)
  t.equal(await closeDays(closing(db)), 8)
  t.same(await all(), matched)
})

t.test('C5: two instances close the same days once, and nothing that is new', async (t) => {
  const { db } = await testDatabase(t)
  await begin(db)
  t.equal(await closeDays(closing(db)), 0, 'there is nothing yet')
  const at = (daysAgo: number) => new Date(today - daysAgo * dayMs).toISOString()
  const one = { posting: 'payment', currency: 'GBP', amount: 100 } as const
  await insertTransfers(db, [
    { ...one, at: at(40) },
    { ...one, at: at(1) },
    { ...one, at: at(0) }
  ])
  const counts = await Promise.all([closeDays(closing(db)), closeDays(closing(db))])
  t.equal(counts[0] + counts[1], 39)
  const { rows } = await sql<{ days: number; last: string; amount: number }>`
    select count(*) as days, max(day)::text as last,
      max((postings->0->>'amount')::bigint) as amount from daily_closing`.execute(db)
  t.same(rows, [{ days: 39, last: dateOf(2), amount: 100 }])
  await insertTransfers(db, [{ ...one, at: new Date().toISOString() }])
  t.equal(await closeDays(closing(db)), 0, 'what is booked now opens no day')
})

t.test('C5: a summary reads no more than the last days, whatever was before', async (t) => {
  const { db } = await testDatabase(t)
  await begin(db)
  const perDay = 50
  const days = 120
  const one = { posting: 'payment', currency: 'GBP', amount: 100 } as const
  for (let ago = days; ago >= 0; ago -= 1) {
    const from = today - ago * dayMs
    const length = ago === 0 ? 5 : perDay
    const times = Array.from({ length }, (_, n) => new Date(from + n * 1000).toISOString())
    await insertTransfers(
      db,
      times.map((at) => ({ ...one, at }))
    )
    await insertLines(
      db,
      times.map((at) => ({ currency: 'GBP', gross: 100, ours: 100, at, matchedAt: at }))
    )
  }
  await sql`
    insert into discrepancy (id, kind, fact, details, status, resolution, created_at, resolved_at)
    select 'dis_' || n, 'settlement_amount', n, '{}', 'resolved', 'acknowledged',
      ${new Date(today)}::timestamptz - n * interval '30 minutes',
      ${new Date(today)}::timestamptz - n * interval '29 minutes'
    from generate_series(10, 5000) as n`.execute(db)
  await sql`analyze`.execute(db)
  while ((await closeDays(closing(db))) > 0);
  for (const ago of [0, 1, 2, 60]) {
    const { summary, read } = await db.transaction().execute(async (tx) => {
      const before = await rowsRead(tx)
      const summary = await addUp(tx, merchantAccount, dateOf(ago))
      return { summary, read: (await rowsRead(tx)) - before }
    })
    t.ok(read <= 12 * perDay, `${read} rows of ${2 * days * perDay} for ${dateOf(ago)}`)
    const [currency] = summary.currencies
    const provider = currency?.accounts.find(({ account }) => account === 'provider')
    const counted = (days - ago) * perDay + (ago === 0 ? 5 : perDay)
    t.equal(provider?.closing, 100 * counted)
    t.equal(currency?.settlement.unsettled, 0)
    t.same(summary.discrepancies, await countAll(db, dateOf(ago)))
  }
})

async function rowsRead(tx: Tx): Promise<number> {
  const { rows } = await sql<{ read: number }>`
    select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint as read
    from pg_stat_xact_user_tables
    where relname in ('ledger_transfer', 'settlement_line')`.execute(tx)
  return rows[0]?.read ?? 0
}

/** Of all discrepancies that there ever were. */
async function countAll(db: Db, date: string) {
  const from = new Date(`${date}T00:00:00Z`)
  const to = new Date(from.getTime() + dayMs)
  const { rows } = await sql`
    select kind, count(*) filter (where created_at >= ${from}) as opened,
      count(*) filter (where resolved_at >= ${from} and resolved_at < ${to}) as resolved,
      count(*) filter (where resolved_at is null or resolved_at >= ${to}) as open
    from discrepancy where created_at < ${to} group by 1 order by 1`.execute(db)
  return rows
}

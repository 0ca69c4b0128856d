/** What few payments have, and a search by id would pass all of the history for. */
import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { type Db, plannedEachTime } from '../database/database.ts'
import { currencies } from '../money.ts'

/** Minor units, both included. */
type AmountRange = { amountFrom: number | undefined; amountTo: number | undefined }
type RareFilter = AmountRange & { currency: string | undefined; accountId: number | undefined }

/** Up to so many accounts or payments are few beside all that a search by id may pass by. */
const few = { accounts: 100, payments: 10_000 } as const

/**
 * What few payments have and the planner can't know: in the end of a range of amounts, and in a
 * currency, which is that of an account. Then it is read by those, and else by id.
 */
export async function rareConditions(db: Db, filter: RareFilter): Promise<RawBuilder<SqlBool>[]> {
  const { currency, accountId } = filter
  const conditions: RawBuilder<SqlBool>[] = []
  if (currency !== undefined && accountId === undefined) {
    const { rows } = await sql<{ id: number }>`
      select id from account where currency = ${currency} order by id
      limit ${few.accounts + 1}`.execute(db)
    const ids = rows.map(({ id }) => id)
    if (ids.length <= few.accounts) conditions.push(sql<SqlBool>`account_id = any(${ids})`)
  }
  const amounts = amountConditions(filter)
  if (amounts.length === 0 || filter.amountFrom === filter.amountTo) return conditions
  const inRange = sql.join(amounts, sql` and `)
  if (!(await isRare(db, inRange))) return conditions
  const ids = sql`select id from payment where ${inRange} order by amount, payment.id`
  return [...conditions, sql<SqlBool>`id = any(array(${ids} limit ${few.payments}))`]
}

/**
 * Whether few payments are in a range of amounts, read in the order of its index: no more than a
 * page where it has only some, or many of the newest ones.
 */
async function isRare(db: Db, inRange: RawBuilder<unknown>): Promise<boolean> {
  const first = (limit: number) => sql`(select count(*) from (
    select from payment where ${inRange} order by amount, id limit ${limit}) as first)`
  const { rows } = await sql<{ some: number; newest: number }>`${plannedEachTime}
    select ${first(31)} as some, (
      select count(*) from (select amount from payment order by id desc limit 20) as newest
      where ${inRange}) as newest`.execute(db)
  const { some = 0, newest = 0 } = rows[0] ?? {}
  if (some <= 30 || newest >= 5) return some <= 30
  const all = await sql<{ count: number }>`${plannedEachTime}
    select ${first(few.payments + 1)} as count`.execute(db)
  return (all.rows[0]?.count ?? 0) <= few.payments
}

/** Those of the accounts that there are. */
export async function currenciesInUse(db: Db): Promise<string[]> {
  const { rows } = await sql<{ currency: string }>`
    select currency from unnest(${currencies}::text[]) as known(currency)
    where exists (select from account where account.currency = known.currency)`.execute(db)
  return rows.map(({ currency }) => currency)
}

export function amountConditions(filter: AmountRange) {
  const { amountFrom, amountTo } = filter
  // Of one amount the index has the payments in their order.
  const isOne = amountFrom !== undefined && amountFrom === amountTo
  const conditions = [
    isOne && sql<SqlBool>`amount = ${amountFrom}`,
    !isOne && amountFrom !== undefined && sql<SqlBool>`amount >= ${amountFrom}`,
    !isOne && amountTo !== undefined && sql<SqlBool>`amount <= ${amountTo}`
  ]
  return conditions.filter((one) => one !== false)
}

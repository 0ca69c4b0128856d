import { sql } from 'kysely'
import { balanceOf } from '../accounts/account.store.ts'
import type { Db } from '../database/database.ts'
import type { BillingAccount } from './billing-account.ts'

/** Accounts with their balances, by number: those of these numbers, or all. */
export async function listBillingAccounts(
  db: Db,
  ids: readonly number[] | null,
  { offset, limit }: { offset: number; limit: number }
): Promise<BillingAccount[]> {
  const { rows } = await sql<BillingAccount>`
    select account.id, currency, name, status, updated_at as "updatedAt", now() as "readAt",
      outstanding, overdue, "inQuery", credit
    from (
      select * from account where ${within(ids)}
      order by id offset ${offset} limit ${limit}
    ) account
    cross join lateral (${balanceOf(sql.ref('account.id'))}) balance
    order by account.id`.execute(db)
  return rows
}

const within = (ids: readonly number[] | null) =>
  ids === null ? sql`true` : sql`id = any(${ids}::integer[])`

/** How many of these accounts, or of all, there are, no further than `most`. */
export async function countAccounts(
  db: Db,
  ids: readonly number[] | null,
  most: number
): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*) from (
      select from account where ${within(ids)} limit ${most}) account`.execute(db)
  return Number(rows[0]?.count ?? 0)
}

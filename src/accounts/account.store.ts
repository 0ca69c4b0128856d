import { type RawBuilder, sql } from 'kysely'
import { batched } from '../database/batch.ts'
import type { Db, Tx } from '../database/database.ts'
import { newId } from '../id.ts'
import type { Account, Balance } from './account.ts'
import type { Charge } from './charge.ts'

const accountColumns = ['id', 'currency', 'name', 'status'] as const

export async function findAccount(db: Db, id: number): Promise<Account | undefined> {
  return await db
    .selectFrom('account')
    .select(accountColumns)
    .where('id', '=', id)
    .executeTakeFirst()
}

/** The account, locked: its money moves for one at a time. */
export async function lockAccount(tx: Tx, id: number): Promise<Account | undefined> {
  return await tx
    .selectFrom('account')
    .select(accountColumns)
    .where('id', '=', id)
    .forNoKeyUpdate()
    .executeTakeFirst()
}

/** False where an account of that number exists. */
export async function insertAccount(tx: Tx, account: Account): Promise<boolean> {
  const result = await tx
    .insertInto('account')
    .values(account)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return result.numInsertedOrUpdatedRows === 1n
}

export async function updateAccount(tx: Tx, account: Account): Promise<void> {
  const { id, name, status } = account
  await tx
    .updateTable('account')
    .set({ name, status, updated_at: sql`now()` })
    .where('id', '=', id)
    .execute()
}

/** A row of a `Balance`: of the account of this number, or that this column names. */
export const balanceOf = (accountId: RawBuilder<unknown>) => sql<Balance>`
    select (coalesce(sum(open_amount), 0) + (select coalesce(sum(open_amount), 0) from debit
        where account_id = ${accountId} and open_amount > 0))::bigint as outstanding,
      coalesce(sum(open_amount) filter (where due_at < now() and not in_query), 0)::bigint
        as overdue,
      coalesce(sum(open_amount) filter (where in_query), 0)::bigint as "inQuery",
      (select coalesce(sum(open_amount), 0)::bigint from credit
        where account_id = ${accountId} and open_amount > 0) as credit
    from charge where account_id = ${accountId} and open_amount > 0`

export async function findBalance(db: Db, accountId: number): Promise<Balance> {
  const { rows } = await balanceOf(sql`${accountId}`).execute(db)
  return rows[0] as Balance
}

const chargeColumns = [
  'id',
  'account_id as accountId',
  'reference',
  'amount',
  'open_amount as openAmount',
  'in_query as inQuery',
  'due_at as dueAt',
  'created_at as createdAt'
] as const

/** Answers its id. */
export async function insertCharge(
  tx: Tx,
  charge: Pick<Charge, 'accountId' | 'reference' | 'amount' | 'dueAt'>
): Promise<string> {
  const { accountId: account_id, reference, amount, dueAt: due_at } = charge
  const id = newId('chg')
  await tx
    .insertInto('charge')
    .values({ id, account_id, reference, amount, open_amount: amount, due_at })
    .execute()
  return id
}

export async function findChargeByReference(
  db: Db,
  accountId: number,
  reference: string
): Promise<Charge | undefined> {
  return await db
    .selectFrom('charge')
    .select(chargeColumns)
    .where('account_id', '=', accountId)
    .where('reference', '=', reference)
    .executeTakeFirst()
}

const readCharges = batched<readonly string[], Charge[]>({
  run: async (db, lists) => {
    const charges = await db
      .selectFrom('charge')
      .select(chargeColumns)
      .where('id', '=', sql<string>`any(${[...new Set(lists.flat())]})`)
      .execute()
    return lists.map((ids) => charges.filter(({ id }) => ids.includes(id)))
  }
})

/** Those of these charges that are the account's, in any order. */
export async function findCharges(
  db: Db,
  accountId: number,
  ids: readonly string[]
): Promise<Charge[]> {
  return (await readCharges(db, ids)).filter((charge) => charge.accountId === accountId)
}

export async function updateInQuery(tx: Tx, chargeId: string, inQuery: boolean): Promise<void> {
  await tx.updateTable('charge').set({ in_query: inQuery }).where('id', '=', chargeId).execute()
}

export async function listCharges(
  db: Db,
  accountId: number,
  filter: { status: 'open' | 'paid' | undefined; before: string | null; limit: number }
): Promise<Charge[]> {
  let query = db
    .selectFrom('charge')
    .select(chargeColumns)
    .where('account_id', '=', accountId)
    .orderBy('id', 'desc')
    .limit(filter.limit)
  if (filter.before !== null) query = query.where('id', '<', filter.before)
  if (filter.status === 'open') query = query.where('open_amount', '>', 0)
  if (filter.status === 'paid') query = query.where('open_amount', '=', 0)
  return await query.execute()
}

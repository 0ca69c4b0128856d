import { type Kysely, sql } from 'kysely'
import type { Database, Db, Tx } from '../database/database.ts'
import { newId } from '../id.ts'

export type Account = {
  id: number
  currency: string
  name: string | null
  status: 'open' | 'closed'
}

export type Charge = {
  id: string
  accountId: number
  reference: string
  amount: number
  openAmount: number
  inQuery: boolean
  dueAt: Date
  createdAt: Date
}

/** Minor units of the account's currency, each at least 0. */
export type Balance = { outstanding: number; overdue: number; inQuery: number; credit: number }

export async function findAccount(db: Kysely<Database>, id: number): Promise<Account | undefined> {
  return await db
    .selectFrom('account')
    .select(['id', 'currency', 'name', 'status'])
    .where('id', '=', id)
    .executeTakeFirst()
}

/** The account, locked: its money moves for one at a time. */
export async function lockAccount(tx: Tx, id: number): Promise<Account | undefined> {
  return await tx
    .selectFrom('account')
    .select(['id', 'currency', 'name', 'status'])
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

export async function findBalance(db: Db, accountId: number): Promise<Balance> {
  const { rows } = await sql<Balance>`
    select (coalesce(sum(open_amount), 0) + (select coalesce(sum(open_amount), 0) from debit
        where account_id = ${accountId} and open_amount > 0))::bigint as outstanding,
      coalesce(sum(open_amount) filter (where due_at < now() and not in_query), 0)::bigint
        as overdue,
      coalesce(sum(open_amount) filter (where in_query), 0)::bigint as "inQuery",
      (select coalesce(sum(open_amount), 0)::bigint from credit
        where account_id = ${accountId} and open_amount > 0) as credit
    from charge where account_id = ${accountId} and open_amount > 0`.execute(db)
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

/** Undefined where the account has a charge with that reference already. */
export async function insertCharge(
  tx: Tx,
  charge: { accountId: number; reference: string; amount: number; dueAt: Date }
): Promise<Charge | undefined> {
  return await tx
    .insertInto('charge')
    .values({
      id: newId('chg'),
      account_id: charge.accountId,
      reference: charge.reference,
      amount: charge.amount,
      open_amount: charge.amount,
      due_at: charge.dueAt
    })
    .onConflict((conflict) => conflict.constraint('charge_reference_once').doNothing())
    .returning(chargeColumns)
    .executeTakeFirst()
}

export async function findChargeByReference(
  db: Kysely<Database>,
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

/** Those of these charges that are the account's, in any order. */
export async function findCharges(
  db: Db,
  accountId: number,
  ids: readonly string[]
): Promise<Charge[]> {
  return await db
    .selectFrom('charge')
    .select(chargeColumns)
    .where('account_id', '=', accountId)
    .where('id', '=', sql<string>`any(${ids})`)
    .execute()
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

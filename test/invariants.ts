import { sql } from 'kysely'
import type { Test } from 'tap'
import type { Db } from '../src/database/database.ts'
import { verify } from '../src/verify/verify.commands.ts'
import { type Fault, findFaults } from '../src/verify/verify.store.ts'
import { findAllocationFaults } from './allocated.ts'
import { checkEvents } from './events.ts'

/** Holds every invariant of the money over the whole database: those of `npm run verify`. */
export async function checkMoney(t: Test, db: Db): Promise<void> {
  const { broken } = await verify(db)
  t.same(broken, [], 'all invariants hold')
  t.same(await findAllocationFaults(db), [], 'what payments say of their money is in the ledger')
  await checkEvents(t, db)
}

/** The rows of these accounts that break an invariant of accounts, each with its name. */
export async function findLedgerFaults(db: Db, accountIds: readonly number[]): Promise<Fault[]> {
  return await findFaults(db, 'accounts', accountIds)
}

/** The same with the invariants of their payments. */
export async function findMoneyFaults(db: Db, accountIds: readonly number[]): Promise<Fault[]> {
  const payments = await db
    .selectFrom('payment')
    .select('id')
    .where(sql<boolean>`account_id = any(${accountIds})`)
    .execute()
  const ids = payments.map(({ id }) => id)
  return [...(await findFaults(db, 'payments', ids)), ...(await findLedgerFaults(db, accountIds))]
}

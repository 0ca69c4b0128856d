/** What the answers of payments say of their money, held against the ledger. */
import { sql } from 'kysely'
import type { Db, Tx } from '../src/database/database.ts'
import { findShownPayments } from '../src/payments/payment.store.ts'

/**
 * Charges, by their ids, and credits of accounts, by their numbers, of which payments say otherwise
 * than the ledger: what payments have paid of a charge, with what other credits have, is what of it
 * is not open; and so it is with what is left.
 */
export async function findAllocationFaults(db: Db): Promise<string[]> {
  // One snapshot for all that is compared: a service may go on meanwhile.
  const isolated = db.transaction().setIsolationLevel('repeatable read')
  return await isolated.execute(compare)
}

async function compare(db: Tx): Promise<string[]> {
  const { rows: ids } = await sql<{ id: string }>`select id from payment`.execute(db)
  const shown = await findShownPayments(
    db,
    ids.map(({ id }) => id)
  )
  const said = new Map<string, number>()
  const add = (of: string | number, amount: number) =>
    said.set(String(of), (said.get(String(of)) ?? 0) + amount)
  for (const { accountId, allocated } of shown) {
    add(accountId, allocated.left)
    for (const { chargeId, amount } of allocated.charges) add(chargeId, amount)
  }
  const { rows: others } = await sql<{ of: string; amount: number }>`
    with other as (
      select c.* from credit c join ledger_transfer t on t.id = c.transfer_id
      left join payment p on p.id = t.payment_id
      where p.id is null or p.amount_captured = 0 or t.posting = 'heldApplied'
    )
    select charge_id as of, sum(a.amount)::bigint as amount
    from allocation a join other using (transfer_id) where charge_id is not null group by 1
    union all
    select account_id::text, sum(open_amount)::bigint from other group by 1`.execute(db)
  for (const { of, amount } of others) add(of, amount)
  const { rows: facts } = await sql<{ of: string; amount: number }>`
    select id as of, amount - open_amount as amount from charge
    union all
    select account_id::text, sum(open_amount)::bigint from credit group by 1`.execute(db)
  for (const { of, amount } of facts) add(of, -amount)
  return [...said].flatMap(([of, amount]) => (amount === 0 ? [] : `${of}: ${amount}`))
}

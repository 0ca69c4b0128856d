import { sql } from 'kysely'
import type { Db } from '../database/database.ts'
import type { ReceiptRefund } from './receipt.ts'

/** Nobody refunds one payment as often; the sum of all stands beside them. */
const refundsMax = 100

/** Those that have gone to the card, newest first. */
export async function findRefunds(db: Db, paymentId: string): Promise<ReceiptRefund[]> {
  const { rows } = await sql<ReceiptRefund>`
    select id, amount, created_at as "createdAt" from operation
    where payment_id = ${paymentId} and kind = 'refund' and status = 'succeeded'
    order by id desc limit ${refundsMax}`.execute(db)
  return rows
}

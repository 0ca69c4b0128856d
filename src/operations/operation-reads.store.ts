/** What the API shows of the operations of a payment; no aggregate is locked. */
import { sql } from 'kysely'
import type { Db } from '../database/database.ts'
import type { Operation, OperationKind } from '../lifecycle/model.ts'
import { type OperationRow, operationColumns, toOperation } from '../lifecycle/operation.store.ts'

type FoundOperation = { paymentId: string; operation: Operation }

/** `clientId`: only where the payment is that client's. */
export async function findRefund(
  db: Db,
  id: string,
  clientId: string | null
): Promise<FoundOperation | undefined> {
  const { rows } = await sql<OperationRow>`
    select ${operationColumns} from operation m
    where id = ${id} and kind = 'refund' and (${clientId}::text is null or exists (
      select from payment where payment.id = m.payment_id and client_id = ${clientId}))`.execute(db)
  return rows[0] && { paymentId: rows[0].paymentId, operation: toOperation(rows[0]) }
}

/** Newest first. */
export async function listOperations(
  db: Db,
  paymentId: string,
  kind: OperationKind,
  before: string | null,
  limit: number
): Promise<Operation[]> {
  const { rows } = await sql<OperationRow>`
    select ${operationColumns} from operation
    where payment_id = ${paymentId} and kind = ${kind}
      and (${before}::text is null or id < ${before})
    order by id desc limit ${limit}`.execute(db)
  return rows.map(toOperation)
}

import { sql } from 'kysely'
import type { Db, Tx } from '../database/database.ts'
import type { Decision, DiscrepancyKind, Reopening } from './discrepancy.ts'

type OpenDiscrepancy = { id: string; kind: DiscrepancyKind; paymentId: string | null }

/** Those about these facts that are open; locked. */
export async function lockOpen(
  tx: Tx,
  kind: DiscrepancyKind,
  facts: readonly string[]
): Promise<OpenDiscrepancy[]> {
  const { rows } = await sql<OpenDiscrepancy>`
    select id, kind, payment_id as "paymentId" from discrepancy
    where kind = ${kind} and fact = any(${facts}) and status = 'open'
    order by id for update`.execute(tx)
  return rows
}

/**
 * Writes down how discrepancies were resolved, and the refund that was asked for, if any; those
 * that were resolved before stay so.
 */
export async function saveResolved(
  tx: Tx,
  ids: readonly string[],
  { resolution, reason, operator }: Decision,
  refundId: string | null = null
): Promise<void> {
  const added = refundId === null ? {} : { refundId }
  await sql`
    update discrepancy set status = 'resolved', resolution = ${resolution}, reason = ${reason},
      operator = ${operator === null ? null : JSON.stringify(operator)}::jsonb,
      details = details || ${JSON.stringify(added)}::jsonb, resolved_at = statement_timestamp()
    where id = any(${ids}) and status = 'open'`.execute(tx)
}

/** A discrepancy that was resolved by a refund which came to nothing. */
export type ToReopen = { id: string; paymentId: string }

export async function findToReopen(db: Db, limit: number): Promise<ToReopen[]> {
  const { rows } = await sql<ToReopen>`
    select d.id, d.payment_id as "paymentId" from discrepancy d
    join operation refund on refund.id = d.details->>'refundId'
    where d.status = 'resolved' and d.resolution = 'refund'
      and refund.status in ('failed', 'rejected')
    order by d.id limit ${limit}`.execute(db)
  return rows
}

/** Opens it again; the decision that came to nothing is kept in its details. */
export async function saveReopened(tx: Tx, id: string, reopening: Reopening): Promise<void> {
  await sql`
    update discrepancy set status = 'open', resolution = null, reason = null, operator = null,
      resolved_at = null, reopened_at = statement_timestamp(),
      details = details || jsonb_build_object('reopened',
        coalesce(details->'reopened', '[]') || ${JSON.stringify([reopening])}::jsonb)
    where id = ${id} and status = 'resolved'`.execute(tx)
}

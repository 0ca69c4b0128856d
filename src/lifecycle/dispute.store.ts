import { sql } from 'kysely'
import type { Tx } from '../database/database.ts'
import type { Dispute } from './model.ts'

export type DisputeRow = Omit<Dispute, 'amount'> & {
  paymentId: string
  currency: string
  value: number
}

/** The columns of a `DisputeRow`, for a statement. */
export const disputeColumnText =
  'id, payment_id as "paymentId", reference, also_reported_as as "alsoReportedAs", status, ' +
  'stage, currency, amount as value, amount_charged_back as "amountChargedBack", reason, ' +
  'reason_code as "reasonCode", defend_by as "defendBy", reported, created_at as "createdAt", ' +
  'updated_at as "updatedAt", closed_at as "closedAt"'

/** Of JSON too, in which times are texts. */
export function toDispute({ currency, value, paymentId: _, ...row }: DisputeRow): Dispute {
  return {
    ...row,
    amount: { currency, value },
    createdAt: new Date(row.createdAt),
    updatedAt: new Date(row.updatedAt),
    defendBy: row.defendBy && new Date(row.defendBy),
    closedAt: row.closedAt && new Date(row.closedAt)
  }
}

export async function saveDisputes(
  tx: Tx,
  disputes: ReadonlyArray<Dispute & { paymentId: string }>
): Promise<void> {
  if (disputes.length === 0) return
  const rows = disputes.map((one) => ({ ...one, ...one.amount }))
  await sql`
    insert into dispute (id, payment_id, reference, status, stage, currency, amount,
      amount_charged_back, reason, reason_code, defend_by, reported, also_reported_as,
      created_at, updated_at, closed_at)
    select id, "paymentId", reference, status, stage, currency, value, "amountChargedBack", reason,
      "reasonCode", "defendBy", array(select jsonb_array_elements_text(reported)),
      array(select jsonb_array_elements_text("alsoReportedAs")), "createdAt", "updatedAt",
      "closedAt"
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as x(id text, "paymentId" text,
      reference text, status text, stage text, currency text, value bigint,
      "amountChargedBack" bigint, reason text, "reasonCode" text, "defendBy" timestamptz,
      reported jsonb, "alsoReportedAs" jsonb, "createdAt" timestamptz, "updatedAt" timestamptz,
      "closedAt" timestamptz)
    on conflict (id) do update set reference = excluded.reference,
      status = excluded.status, stage = excluded.stage,
      amount = excluded.amount, amount_charged_back = excluded.amount_charged_back,
      reason = excluded.reason, reason_code = excluded.reason_code,
      defend_by = excluded.defend_by, reported = excluded.reported,
      also_reported_as = excluded.also_reported_as,
      updated_at = excluded.updated_at, closed_at = excluded.closed_at`.execute(tx)
}

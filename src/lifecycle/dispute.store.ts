import { sql } from 'kysely'
import type { Db, Tx } from '../database/database.ts'
import type { DisputeEvent } from '../provider.ts'
import type { PaymentAggregate } from './aggregate.ts'
import type { Dispute, DisputeStage, DisputeStatus } from './dispute.ts'

type Row = {
  id: string
  payment_id: string
  provider_reference: string
  status: DisputeStatus
  stage: DisputeStage
  currency: string
  amount: number
  amount_charged_back: number
  reason: string | null
  reason_code: string | null
  defend_by: Date | null
  told: DisputeEvent[]
  told_as: string[]
  created_at: Date
  updated_at: Date
  closed_at: Date | null
}

const columns = sql.raw(
  'id, payment_id, provider_reference, status, stage, currency, amount, amount_charged_back, ' +
    'reason, reason_code, defend_by, told, told_as, created_at, updated_at, closed_at'
)

function toDispute(row: Row): Dispute {
  return {
    id: row.id,
    reference: row.provider_reference,
    status: row.status,
    stage: row.stage,
    amount: { currency: row.currency, value: row.amount },
    amountChargedBack: row.amount_charged_back,
    reason: row.reason,
    reasonCode: row.reason_code,
    defendBy: row.defend_by,
    reported: row.told,
    alsoReportedAs: row.told_as,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    closedAt: row.closed_at
  }
}

/** The disputes of payments whose aggregates are locked, oldest first, by payment. */
export async function findDisputes(
  tx: Tx,
  paymentIds: readonly string[]
): Promise<Map<string, Dispute[]>> {
  const { rows } = await sql<Row>`
    select ${columns} from dispute where payment_id = any(${paymentIds})
    order by created_at, id`.execute(tx)
  const all = Map.groupBy(rows, (row) => row.payment_id)
  return new Map([...all].map(([id, own]) => [id, own.map(toDispute)]))
}

export async function saveDisputes(tx: Tx, aggregates: readonly PaymentAggregate[]): Promise<void> {
  const rows = aggregates.flatMap(({ payment, disputes, touched }) =>
    disputes
      .filter((one) => touched.has(one))
      .map((one) => ({ ...one, ...one.amount, paymentId: payment.id }))
  )
  if (rows.length === 0) return
  await sql`
    insert into dispute (id, payment_id, provider_reference, status, stage, currency, amount,
      amount_charged_back, reason, reason_code, defend_by, told, told_as, created_at, updated_at,
      closed_at)
    select id, "paymentId", reference, status, stage, currency, value, "amountChargedBack", reason,
      "reasonCode", "defendBy", array(select jsonb_array_elements_text(reported)),
      array(select jsonb_array_elements_text("alsoReportedAs")), "createdAt", "updatedAt",
      "closedAt"
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as x(id text, "paymentId" text,
      reference text, status text, stage text, currency text, value bigint,
      "amountChargedBack" bigint, reason text, "reasonCode" text, "defendBy" timestamptz,
      reported jsonb, "alsoReportedAs" jsonb, "createdAt" timestamptz, "updatedAt" timestamptz,
      "closedAt" timestamptz)
    on conflict (id) do update set provider_reference = excluded.provider_reference,
      status = excluded.status, stage = excluded.stage,
      amount = excluded.amount, amount_charged_back = excluded.amount_charged_back,
      reason = excluded.reason, reason_code = excluded.reason_code,
      defend_by = excluded.defend_by, told = excluded.told, told_as = excluded.told_as,
      updated_at = excluded.updated_at, closed_at = excluded.closed_at`.execute(tx)
}

/** Newest first. */
export async function listDisputes(
  db: Db,
  paymentId: string,
  before: string | null,
  limit: number
): Promise<Dispute[]> {
  const { rows } = await sql<Row>`
    select ${columns} from dispute
    where payment_id = ${paymentId} and (${before}::text is null or id < ${before})
    order by id desc limit ${limit}`.execute(db)
  return rows.map(toDispute)
}

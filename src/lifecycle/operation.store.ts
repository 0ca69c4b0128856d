import { sql } from 'kysely'
import type { Tx } from '../database/database.ts'
import type { Operation } from './model.ts'

export type OperationRow = Omit<Operation, 'amount'> & {
  paymentId: string
  currency: string
  value: number
}

/** The columns of an `OperationRow`, for a statement. */
export const operationColumnText =
  'id, kind, payment_id as "paymentId", authorisation_reference as "authorisationReference", ' +
  'currency, amount as value, status, failure, origin, reason, operator, decision, processor, ' +
  'provider_key as "providerKey", provider_reference as "providerReference", ' +
  'also_reported_as as "alsoReportedAs", reported, created_at as "createdAt"'
export const operationColumns = sql.raw(operationColumnText)

/** Of JSON too, in which times are texts. */
export function toOperation({ currency, value, paymentId: _, ...row }: OperationRow): Operation {
  return { ...row, amount: { currency, value }, createdAt: new Date(row.createdAt) }
}

/** What is asked of the provider is due from the moment that it is written down. */
export async function saveOperations(
  tx: Tx,
  operations: ReadonlyArray<Operation & { paymentId: string }>
): Promise<void> {
  if (operations.length === 0) return
  const rows = operations.map((one) => ({ ...one, ...one.amount }))
  await sql`
    insert into operation (id, kind, payment_id, authorisation_reference, currency, amount, status,
      failure, origin, reason, operator, decision, processor, provider_key, provider_reference,
      also_reported_as, reported, created_at, next_attempt_at)
    select id, kind, "paymentId", "authorisationReference", currency, value, status, failure,
      origin, reason, operator, decision, processor, "providerKey", "providerReference",
      array(select jsonb_array_elements_text("alsoReportedAs")), reported, "createdAt",
      case when status = 'requested' and "providerKey" is not null then "createdAt" end
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as x(id text, kind text,
      "paymentId" text, "authorisationReference" text, currency text, value bigint, status text,
      failure jsonb, origin text, reason text, operator jsonb, decision jsonb, processor jsonb,
      "providerKey" text, "providerReference" text, "alsoReportedAs" jsonb, reported jsonb,
      "createdAt" timestamptz)
    on conflict (id) do update set status = excluded.status, failure = excluded.failure,
      amount = excluded.amount, decision = excluded.decision,
      also_reported_as = excluded.also_reported_as, reported = excluded.reported,
      provider_reference = coalesce(operation.provider_reference, excluded.provider_reference),
      next_attempt_at = case
        when excluded.status <> 'requested' or excluded.provider_key is null then null
        when operation.status = 'requested' then operation.next_attempt_at
        else excluded.next_attempt_at end,
      lease = case when excluded.status = 'requested' then operation.lease end,
      leased_until = case when excluded.status = 'requested' then operation.leased_until end,
      updated_at = excluded.updated_at`.execute(tx)
}

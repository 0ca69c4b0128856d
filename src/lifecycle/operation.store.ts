import { sql } from 'kysely'
import type { Db, Tx } from '../database/database.ts'
import { moneyRetryForMs } from '../due/delays.ts'
import { type Claimed, postpone, type Queue } from '../due/due.store.ts'
import type { Operation, OperationKind } from './model.ts'

type Row = Omit<Operation, 'amount' | 'createdAt'> & {
  currency: string
  value: number
  paymentId: string
  createdAt: Date
}

const columns = sql.raw(
  'id, kind, payment_id as "paymentId", authorisation_reference as "authorisationReference", ' +
    'currency, amount as value, status, failure, origin, reason, operator, decision, processor, ' +
    'provider_key as "providerKey", provider_reference as "providerReference", ' +
    'also_reported_as as "alsoReportedAs", reported, created_at as "createdAt"'
)

function toOperation({ currency, value, paymentId: _, ...row }: Row): Operation {
  return { ...row, amount: { currency, value } }
}

/** The operations of payments whose aggregates are locked, oldest first, by payment. */
export async function findOperations(
  tx: Tx,
  paymentIds: readonly string[]
): Promise<Map<string, Operation[]>> {
  const { rows } = await sql<Row>`
    select ${columns} from operation where payment_id = any(${paymentIds})
    order by created_at, id`.execute(tx)
  const all = Map.groupBy(rows, (row) => row.paymentId)
  return new Map([...all].map(([id, own]) => [id, own.map(toOperation)]))
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

type AskedOperation = {
  id: string
  kind: OperationKind
  paymentId: string
  authorisationReference: string | null
  amount: number
  currency: string
  providerKey: string
  /** Since the first attempt, ms by the database's clock. */
  triedForMs: number
  /** The link of the payment, where that is what is to be closed. */
  link: string | null
}
export type DueOperation = Claimed<AskedOperation>

/** Operations that the provider is to be asked for, with the time of their first attempt. */
export const dueOperations: Queue<AskedOperation> = {
  table: 'operation',
  key: ['id'],
  set: sql`first_tried_at = least(first_tried_at, now())`,
  read: sql<AskedOperation>`
    claimed.id, kind, payment_id as "paymentId",
    claimed.authorisation_reference as "authorisationReference", claimed.amount,
    claimed.currency, claimed.provider_key as "providerKey",
    (extract(epoch from now() - first_tried_at) * 1000)::double precision as "triedForMs",
    case when claimed.authorisation_reference is null and method = 'paymentLink'
      then provider_session end as link
    from claimed join payment on payment.id = payment_id`
}

/**
 * The provider took it; its outcome comes as a notification. Where none comes within a day of the
 * first attempt it is due again, to be shown to a person.
 */
export async function recordAccepted(db: Db, due: DueOperation, reference: string): Promise<void> {
  const accepted = sql`
    provider_reference = coalesce(provider_reference, ${reference}), updated_at = now()`
  const leftS = (moneyRetryForMs - due.triedForMs) / 1000 + 60
  if (await postpone(db, dueOperations, due, leftS, accepted)) return
  // Its outcome was reported meanwhile, or somebody else is at it: the reference is true anyhow.
  await sql`update operation set ${accepted} where id = ${due.id}`.execute(db)
}

/** Whether a refund of that processor and reference was recorded before. */
export function isRecordedTwice(error: unknown): boolean {
  return (error as { constraint?: string }).constraint === 'operation_recorded_once'
}

export type FoundOperation = { paymentId: string; operation: Operation }

/** `clientId`: only where the payment is that client's. */
export async function findRefund(
  db: Db | Tx,
  id: string,
  clientId: string | null
): Promise<FoundOperation | undefined> {
  const { rows } = await sql<Row>`
    select ${columns} from operation m
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
  const { rows } = await sql<Row>`
    select ${columns} from operation
    where payment_id = ${paymentId} and kind = ${kind}
      and (${before}::text is null or id < ${before})
    order by id desc limit ${limit}`.execute(db)
  return rows.map(toOperation)
}

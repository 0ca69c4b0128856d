import { type Generated, type Selectable, sql } from 'kysely'
import type { Db, Tx } from '../database/database.ts'
import type { Operator } from '../payments/payment.ts'
import type { Failure } from '../provider.ts'
import type { PaymentAggregate } from './aggregate.ts'
import type { Decision, Operation, OperationKind, OperationStatus } from './operation.ts'

export type OperationTables = {
  modification: {
    id: string
    kind: OperationKind
    payment_id: string
    authorisation: string | null
    currency: string
    amount: number
    status: OperationStatus
    failure: Failure | null
    origin: 'client' | 'provider'
    reason: string | null
    operator: Operator | null
    decision: Decision | null
    processor: { name: string; reference: string } | null
    provider_key: string | null
    provider_reference: string | null
    told_as: string[]
    is_rest: Generated<boolean>
    successes: number
    failures: number
    first_tried_at: Date | null
    due_at: Date | null
    tries: Generated<number>
    created_at: Date
  }
}

const columns = [
  'id',
  'kind',
  'payment_id',
  'authorisation',
  'currency',
  'amount',
  'status',
  'failure',
  'origin',
  'reason',
  'operator',
  'decision',
  'processor',
  'provider_key',
  'provider_reference',
  'told_as',
  'is_rest',
  'successes',
  'failures',
  'created_at'
] as const
type Row = Selectable<Pick<OperationTables['modification'], (typeof columns)[number]>>
const columnList = sql.raw(columns.join(', '))

function toOperation(row: Row): Operation {
  return {
    id: row.id,
    kind: row.kind,
    authorisationReference: row.authorisation,
    amount: { currency: row.currency, value: row.amount },
    status: row.status,
    failure: row.failure,
    origin: row.origin,
    reason: row.reason,
    operator: row.operator,
    decision: row.decision,
    processor: row.processor,
    providerKey: row.provider_key,
    providerReference: row.provider_reference,
    alsoReportedAs: row.told_as,
    isRest: row.is_rest,
    successes: row.successes,
    failures: row.failures,
    createdAt: row.created_at
  }
}

/** The operations of payments whose aggregates are locked, oldest first, by payment. */
export async function findOperations(
  tx: Tx,
  paymentIds: readonly string[]
): Promise<Map<string, Operation[]>> {
  const { rows } = await sql<Row>`
    select ${columnList} from modification where payment_id = any(${paymentIds})
    order by created_at, id`.execute(tx)
  const all = Map.groupBy(rows, (row) => row.payment_id)
  return new Map([...all].map(([id, own]) => [id, own.map(toOperation)]))
}

/** What is asked of the provider is due from the moment that it is written down. */
export async function saveOperations(
  tx: Tx,
  aggregates: readonly PaymentAggregate[]
): Promise<void> {
  const rows = aggregates.flatMap(({ payment, operations, touched }) =>
    operations
      .filter((one) => touched.has(one))
      .map((one) => ({ ...one, ...one.amount, paymentId: payment.id }))
  )
  if (rows.length === 0) return
  await sql`
    insert into modification (id, kind, payment_id, authorisation, currency, amount, status,
      failure, origin, reason, operator, decision, processor, provider_key, provider_reference,
      told_as, is_rest, successes, failures, created_at, due_at)
    select id, kind, "paymentId", "authorisationReference", currency, value, status, failure,
      origin, reason,
      operator, decision, processor, "providerKey", "providerReference", "alsoReportedAs", "isRest",
      successes, failures, "createdAt",
      case when status = 'requested' and "providerKey" is not null then now() end
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as x(id text, kind text,
      "paymentId" text, "authorisationReference" text, currency text, value bigint, status text,
      failure jsonb, origin text, reason text, operator jsonb, decision jsonb, processor jsonb,
      "providerKey" text, "providerReference" text, "alsoReportedAs" jsonb, "isRest" boolean,
      successes smallint, failures smallint, "createdAt" timestamptz)
    on conflict (id) do update set status = excluded.status, failure = excluded.failure,
      decision = excluded.decision, told_as = excluded.told_as,
      successes = excluded.successes, failures = excluded.failures,
      provider_reference = coalesce(modification.provider_reference, excluded.provider_reference),
      due_at = case
        when excluded.status <> 'requested' then null
        when modification.status = 'requested' then modification.due_at
        else now() end,
      updated_at = now()`.execute(tx)
}

export type DueOperation = {
  id: string
  kind: OperationKind
  paymentId: string
  authorisationReference: string | null
  amount: number
  currency: string
  providerKey: string
  tries: number
  /** Since the first attempt, ms by the database's clock; 0 before it. */
  triedForMs: number
  /** The link of the payment, where that is what is to be closed. */
  link: string | null
}

/** Takes operations that are due, for `leaseS` seconds, and notes their first attempt. */
export async function claimDueOperations(
  db: Db,
  leaseS: number,
  limit: number
): Promise<DueOperation[]> {
  const { rows } = await sql<DueOperation>`
    with claimed as (
      update modification set due_at = now() + make_interval(secs => ${leaseS}),
        tries = tries + 1, first_tried_at = coalesce(first_tried_at, now())
      where id in (
        select id from modification where due_at <= now()
        order by due_at limit ${limit} for update skip locked
      )
      returning id, kind, payment_id, authorisation, amount, currency, provider_key, tries,
        first_tried_at
    )
    select claimed.id, kind, payment_id as "paymentId",
      claimed.authorisation as "authorisationReference", claimed.amount,
      claimed.currency, claimed.provider_key as "providerKey", tries,
      (extract(epoch from now() - first_tried_at) * 1000)::double precision as "triedForMs",
      case when claimed.authorisation is null and method = 'paymentLink' then provider_session end
        as link
    from claimed join payment on payment.id = payment_id`.execute(db)
  return rows
}

/**
 * The provider took it; its outcome comes as a notification. Where none comes within a day it is
 * due again, to be told to a person.
 */
export async function recordAccepted(db: Db, id: string, reference: string): Promise<void> {
  await sql`
    update modification set provider_reference = coalesce(provider_reference, ${reference}),
      updated_at = now(),
      due_at = case when status = 'requested' then first_tried_at + interval '24 hours 1 minute' end
    where id = ${id}`.execute(db)
}

/** Whether it arrived is not known: it is due again in `delayS`, under the same key. */
export async function postponeOperation(db: Db, id: string, delayS: number): Promise<void> {
  await sql`
    update modification set due_at = now() + make_interval(secs => ${delayS})
    where id = ${id} and status = 'requested' and provider_reference is null`.execute(db)
}

/** It is not asked again: a person has been told. */
export async function stopAsking(tx: Tx, id: string): Promise<void> {
  await sql`update modification set due_at = null where id = ${id}`.execute(tx)
}

/** Whether a refund of that processor and reference was recorded before. */
export function isRecordedTwice(error: unknown): boolean {
  return (error as { constraint?: string }).constraint === 'refund_recorded_once'
}

export type FoundOperation = { paymentId: string; operation: Operation }

/** `clientId`: only where the payment is that client's. */
export async function findRefund(
  db: Db | Tx,
  id: string,
  clientId: string | null
): Promise<FoundOperation | undefined> {
  const { rows } = await sql<Row>`
    select ${columnList} from modification m
    where id = ${id} and kind = 'refund' and (${clientId}::text is null or exists (
      select from payment where payment.id = m.payment_id and client_id = ${clientId}))`.execute(db)
  return rows[0] && { paymentId: rows[0].payment_id, operation: toOperation(rows[0]) }
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
    select ${columnList} from modification
    where payment_id = ${paymentId} and kind = ${kind}
      and (${before}::text is null or id < ${before})
    order by id desc limit ${limit}`.execute(db)
  return rows.map(toOperation)
}

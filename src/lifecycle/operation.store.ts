import { type Generated, type Selectable, sql } from 'kysely'
import type { Db, Tx } from '../database/database.ts'
import { moneyRetryForMs } from '../due/delays.ts'
import { type Claimed, postpone, type Queue } from '../due/due.store.ts'
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
    next_attempt_at: Date | null
    attempts: Generated<number>
    lease: string | null
    leased_until: Date | null
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
      .map((one) => ({ ...one, ...one.amount, paymentId: payment.id, dueAt: dueAtOf(one) }))
  )
  if (rows.length === 0) return
  await sql`
    insert into modification (id, kind, payment_id, authorisation, currency, amount, status,
      failure, origin, reason, operator, decision, processor, provider_key, provider_reference,
      told_as, is_rest, successes, failures, created_at, next_attempt_at)
    select id, kind, "paymentId", "authorisationReference", currency, value, status, failure,
      origin, reason,
      operator, decision, processor, "providerKey", "providerReference", "alsoReportedAs", "isRest",
      successes, failures, "createdAt", "dueAt"
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as x(id text, kind text,
      "paymentId" text, "authorisationReference" text, currency text, value bigint, status text,
      failure jsonb, origin text, reason text, operator jsonb, decision jsonb, processor jsonb,
      "providerKey" text, "providerReference" text, "alsoReportedAs" jsonb, "isRest" boolean,
      successes smallint, failures smallint, "createdAt" timestamptz, "dueAt" timestamptz)
    on conflict (id) do update set status = excluded.status, failure = excluded.failure,
      decision = excluded.decision, told_as = excluded.told_as,
      successes = excluded.successes, failures = excluded.failures,
      provider_reference = coalesce(modification.provider_reference, excluded.provider_reference),
      next_attempt_at = case
        when excluded.status <> 'requested' then null
        when modification.status = 'requested' then modification.next_attempt_at
        else excluded.next_attempt_at end,
      lease = case when excluded.status = 'requested' then modification.lease end,
      leased_until = case when excluded.status = 'requested' then modification.leased_until end,
      updated_at = excluded.updated_at`.execute(tx)
}

/** When it is asked of the provider: at once. Null where nothing is to be asked. */
function dueAtOf({ status, providerKey, createdAt }: Operation): Date | null {
  return status === 'requested' && providerKey !== null ? createdAt : null
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
  table: 'modification',
  key: ['id'],
  set: sql`first_tried_at = least(first_tried_at, now())`,
  read: sql<AskedOperation>`
    claimed.id, kind, payment_id as "paymentId",
    claimed.authorisation as "authorisationReference", claimed.amount,
    claimed.currency, claimed.provider_key as "providerKey",
    (extract(epoch from now() - first_tried_at) * 1000)::double precision as "triedForMs",
    case when claimed.authorisation is null and method = 'paymentLink' then provider_session end
      as link
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
  await sql`update modification set ${accepted} where id = ${due.id}`.execute(db)
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

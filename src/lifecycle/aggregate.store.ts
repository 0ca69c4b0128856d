import { sql } from 'kysely'
import { statement, type Tx } from '../database/database.ts'
import { type PaymentEvent, recordPaymentEvents } from '../events/event.store.ts'
import { type AllocatedOf, post } from '../ledger/ledger.store.ts'
import { notifyChanged } from '../payments/changed.store.ts'
import {
  paymentColumnText,
  type StoredPayment,
  toPayment,
  updatePayments
} from '../payments/payment.store.ts'
import { toPaymentView } from '../payments/payment-view.ts'
import { type DisputeRow, disputeColumnText, saveDisputes, toDispute } from './dispute.store.ts'
import type { Authorisation, Discrepancy, PaymentAggregate } from './model.ts'
import {
  type OperationRow,
  operationColumnText,
  saveOperations,
  toOperation
} from './operation.store.ts'

type OfPayment = { paymentId: string }

/** What belongs to payments, in the order in which it is kept; as JSON, without those of no row. */
type Belonging = {
  now: Date
  authorisations: Array<Authorisation & OfPayment> | null
  operations: OperationRow[] | null
  disputes: DisputeRow[] | null
  discrepancies: Array<Discrepancy & OfPayment> | null
}

/**
 * The aggregates of these payments, locked; always in the same order, so that none wait in a ring.
 * Of their discrepancies only those that stand as long as what they say is true.
 */
export async function lockAggregates(
  tx: Tx,
  paymentIds: readonly string[]
): Promise<Map<string, PaymentAggregate>> {
  return (await openAggregates(tx, paymentIds)).aggregates
}

/** The same, with the database's clock as it was once all were locked: see `readClock`. */
export async function openAggregates(
  tx: Tx,
  paymentIds: readonly string[]
): Promise<{ aggregates: Map<string, PaymentAggregate>; now: Date }> {
  const { rows: payments } = await tx.executeQuery(lockStatement(paymentIds))
  // A statement of its own, which sees what those wrote who had the locks before.
  const { rows } = await tx.executeQuery(belongingStatement(paymentIds))
  const { now, ...belonging } = rows[0] as Belonging
  const byPayment = <One extends OfPayment>(all: One[] | null) =>
    Map.groupBy(all ?? [], ({ paymentId }) => paymentId)
  const authorisations = byPayment(belonging.authorisations)
  const operations = byPayment(belonging.operations)
  const disputes = byPayment(belonging.disputes)
  const discrepancies = byPayment(belonging.discrepancies)
  const aggregates = payments.map((row): [string, PaymentAggregate] => [
    row.id,
    {
      payment: toPayment(row),
      authorisations: authorisations.get(row.id) ?? [],
      operations: (operations.get(row.id) ?? []).map(toOperation),
      disputes: (disputes.get(row.id) ?? []).map(toDispute),
      discrepancies: discrepancies.get(row.id) ?? [],
      events: [],
      postings: [],
      touched: new Set()
    }
  ])
  return { aggregates: new Map(aggregates), now }
}

const lockStatement = statement<StoredPayment>(`
  select ${paymentColumnText} from payment where id = any($1::text[])
  order by id for no key update`)

const belongingStatement = statement<Belonging>(`
  select clock_timestamp() as now,
    (select json_agg(one) from (
      select reference, payment_id as "paymentId", outcome, disposition,
        json_build_object('currency', currency, 'value', amount) as amount, reported
      from authorisation where payment_id = any($1::text[])
      order by created_at, reference) one) as authorisations,
    (select json_agg(one) from (
      select ${operationColumnText} from operation where payment_id = any($1::text[])
      order by created_at, id) one) as operations,
    (select json_agg(one) from (
      select ${disputeColumnText} from dispute where payment_id = any($1::text[])
      order by created_at, id) one) as disputes,
    (select json_agg(one) from (
      select id, payment_id as "paymentId", kind, fact, details, status, resolution
      from discrepancy where payment_id = any($1::text[]) and kind in
        ('refund_and_chargeback', 'refunded_beyond_captured', 'reversal_amount_unknown',
         'recapture_unconfirmed')) one) as discrepancies`)

/** What changed of some aggregates, with the payment that each belongs to. */
function changedOf<One extends object>(
  aggregates: readonly PaymentAggregate[],
  listOf: (aggregate: PaymentAggregate) => readonly One[]
): Array<One & { paymentId: string }> {
  return aggregates.flatMap((aggregate) =>
    listOf(aggregate)
      .filter((one) => (aggregate.touched as ReadonlySet<object>).has(one))
      .map((one) => ({ ...one, paymentId: aggregate.payment.id }))
  )
}

/**
 * Writes what changed in the aggregates: a statement for each kind of record, whatever their
 * number. An authorisation is written before the payment that names it. Answers what the money that
 * came in stands for.
 */
export async function saveAggregates(
  tx: Tx,
  aggregates: readonly PaymentAggregate[],
  providerName: string
): Promise<AllocatedOf> {
  const changed = aggregates.filter(({ events, touched }) => events.length > 0 || touched.size > 0)
  if (changed.length === 0) return () => undefined
  await saveAuthorisations(tx, changed)
  await updatePayments(
    tx,
    changed.map(({ payment, events }) => ({ payment, version: payment.eventCount - events.length }))
  )
  await saveOperations(
    tx,
    changedOf(changed, ({ operations }) => operations)
  )
  await saveDisputes(
    tx,
    changedOf(changed, ({ disputes }) => disputes)
  )
  await recordPaymentEvents(tx, changed.flatMap(toEventRows(providerName)))
  await saveDiscrepancies(tx, changed)
  const allocatedOf = await post(
    tx,
    changed.flatMap(({ postings }) => postings)
  )
  // What no event tells, which is announced: such as the card, once another source names it.
  const silent = changed.filter(({ events }) => events.length === 0)
  if (silent.length > 0) {
    await notifyChanged(
      tx,
      silent.map(({ payment }) => payment.id)
    )
  }
  return allocatedOf
}

async function saveAuthorisations(tx: Tx, aggregates: readonly PaymentAggregate[]): Promise<void> {
  const rows = changedOf(aggregates, ({ authorisations }) => authorisations)
  if (rows.length === 0) return
  const result = await sql`
    insert into authorisation
      (reference, payment_id, outcome, disposition, currency, amount, reported)
    select reference, "paymentId", outcome, disposition, amount->>'currency',
      (amount->>'value')::bigint, reported
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as x(reference text, "paymentId" text,
      outcome text, disposition text, amount jsonb, reported jsonb)
    -- One is kept after the other was let go.
    order by disposition is not distinct from 'kept'
    on conflict (reference) do update set outcome = excluded.outcome,
      disposition = excluded.disposition, currency = excluded.currency, amount = excluded.amount,
      reported = excluded.reported
    where authorisation.payment_id = excluded.payment_id`.execute(tx)
  if (result.numAffectedRows !== BigInt(rows.length)) {
    throw new Error('an authorisation belongs to another payment')
  }
}

const toEventRows =
  (providerName: string) =>
  ({ payment, events }: PaymentAggregate): PaymentEvent[] =>
    events.map(({ sequence, type, data, payment: then }) => ({
      sequence,
      type,
      data,
      paymentId: payment.id,
      createdAt: then.updatedAt,
      payment: toPaymentView(then, providerName)
    }))

/** One that is open again is no longer resolved. */
async function saveDiscrepancies(tx: Tx, aggregates: readonly PaymentAggregate[]): Promise<void> {
  const at = aggregates[0]?.payment.updatedAt
  const rows = changedOf(aggregates, ({ discrepancies }) => discrepancies)
  if (rows.length === 0) return
  await sql`
    insert into discrepancy (id, kind, fact, payment_id, details, status, resolution, created_at,
      resolved_at)
    select id, kind, fact, "paymentId", details, status, resolution, at,
      case when status = 'resolved' then at end
    from jsonb_to_recordset(${JSON.stringify(rows.map((row) => ({ ...row, at })))}::jsonb)
      as x(id text, kind text, fact text, "paymentId" text, details jsonb, status text,
        resolution text, at timestamptz)
    on conflict (id) do update set status = excluded.status, details = excluded.details,
      resolution = excluded.resolution, resolved_at = excluded.resolved_at,
      reopened_at = case when excluded.status = 'open' then excluded.created_at
        else discrepancy.reopened_at end`.execute(tx)
}

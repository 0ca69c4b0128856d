import { sql } from 'kysely'
import type { Tx } from '../database/database.ts'
import { type PaymentEvent, recordPaymentEvents } from '../events/event.store.ts'
import { post } from '../ledger/ledger.store.ts'
import { notifyChanged } from '../payments/changed.store.ts'
import { paymentColumnList, type StoredPayment, toPayment } from '../payments/payment.store.ts'
import { toPaymentView } from '../payments/payment-view.ts'
import { findDisputes, saveDisputes } from './dispute.store.ts'
import type { Authorisation, Discrepancy, PaymentAggregate } from './model.ts'
import { findOperations, saveOperations } from './operation.store.ts'

type OfPayment = { payment_id: string }
type AuthorisationRow = Omit<Authorisation, 'amount'> & { currency: string; amount: number }

/**
 * The aggregates of these payments, locked; always in the same order, so that none wait in a ring.
 * Of their discrepancies only those that stand as long as what they say is true.
 */
export async function lockAggregates(
  tx: Tx,
  paymentIds: readonly string[]
): Promise<Map<string, PaymentAggregate>> {
  const payments = await sql<StoredPayment>`
    select ${paymentColumnList} from payment where id = any(${paymentIds})
    order by id for no key update`.execute(tx)
  const authorisations = await sql<AuthorisationRow & OfPayment>`
    select reference, payment_id, outcome, disposition, currency, amount, reported
    from authorisation where payment_id = any(${paymentIds}) order by created_at, reference
    `.execute(tx)
  const operations = await findOperations(tx, paymentIds)
  const disputes = await findDisputes(tx, paymentIds)
  const discrepancies = await sql<Discrepancy & OfPayment>`
    select id, payment_id, kind, fact, details, status, resolution from discrepancy
    where payment_id = any(${paymentIds}) and kind in
      ('refund_and_chargeback', 'refunded_beyond_captured', 'reversal_amount_unknown',
       'recapture_unconfirmed')`.execute(tx)
  return new Map(
    payments.rows.map((row) => [
      row.id,
      {
        payment: toPayment(row),
        authorisations: authorisations.rows.filter(isOf(row.id)).map(toAuthorisation),
        operations: operations.get(row.id) ?? [],
        disputes: disputes.get(row.id) ?? [],
        discrepancies: discrepancies.rows.filter(isOf(row.id)).map(toDiscrepancy),
        events: [],
        postings: [],
        touched: new Set()
      }
    ])
  )
}

const isOf = (id: string) => (row: OfPayment) => row.payment_id === id

function toAuthorisation(row: AuthorisationRow): Authorisation {
  const { reference, outcome, disposition, currency, amount: value, reported } = row
  return { reference, outcome, disposition, amount: { currency, value }, reported }
}

function toDiscrepancy(row: Discrepancy): Discrepancy {
  const { id, kind, fact, details, status, resolution } = row
  return { id, kind, fact, details, status, resolution }
}

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
 * number. An authorisation is written before the payment that names it.
 */
export async function saveAggregates(
  tx: Tx,
  aggregates: readonly PaymentAggregate[],
  providerName: string
): Promise<void> {
  const changed = aggregates.filter(({ events, touched }) => events.length > 0 || touched.size > 0)
  if (changed.length === 0) return
  await saveAuthorisations(tx, changed)
  await updatePayments(tx, changed)
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
  await post(
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
}

/** The event count is the version: it must still be what it was when the aggregate was read. */
async function updatePayments(tx: Tx, aggregates: readonly PaymentAggregate[]): Promise<void> {
  const rows = aggregates.map(({ payment, events }) => ({
    ...payment,
    version: payment.eventCount - events.length
  }))
  const result = await sql`
    update payment set status = x.status, cancelled_by = x."cancelledBy", failure = x.failure,
      card = x.card, authorisation_reference = x."authorisationReference",
      amount_authorised = x."amountAuthorised", amount_captured = x."amountCaptured",
      amount_refunded = x."amountRefunded", amount_refunding = x."amountRefunding",
      amount_charged_back = x."amountChargedBack", settlement = x.settlement,
      event_count = x."eventCount", updated_at = x."updatedAt", finished_at = x."finishedAt",
      next_attempt_at = case when x.status = 'pending' then next_attempt_at end,
      lease = case when x.status = 'pending' then lease end,
      leased_until = case when x.status = 'pending' then leased_until end
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as x(
      id text, version integer, status text, "cancelledBy" text, failure jsonb, card jsonb,
      "authorisationReference" text, "amountAuthorised" bigint, "amountCaptured" bigint,
      "amountRefunded" bigint, "amountRefunding" bigint, "amountChargedBack" bigint,
      settlement jsonb, "eventCount" integer, "updatedAt" timestamptz, "finishedAt" timestamptz)
    where payment.id = x.id and payment.event_count = x.version`.execute(tx)
  if (result.numAffectedRows !== BigInt(aggregates.length)) {
    throw new Error('a payment changed while its aggregate was open')
  }
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
  const rows = changedOf(aggregates, ({ discrepancies }) => discrepancies)
  if (rows.length === 0) return
  const now = aggregates[0]?.payment.updatedAt
  await sql`
    insert into discrepancy (id, kind, fact, payment_id, details, status, resolution, resolved_at)
    select id, kind, fact, "paymentId", details, status, resolution,
      case when status = 'resolved' then ${now}::timestamptz end
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as x(id text, kind text, fact text,
      "paymentId" text, details jsonb, status text, resolution text)
    on conflict (id) do update set status = excluded.status, details = excluded.details,
      resolution = excluded.resolution, resolved_at = excluded.resolved_at,
      reopened_at = case when excluded.status = 'open' then ${now}::timestamptz
        else discrepancy.reopened_at end`.execute(tx)
}

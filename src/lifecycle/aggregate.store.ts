import { sql } from 'kysely'
import type { Tx } from '../database/database.ts'
import { post } from '../ledger/ledger.store.ts'
import { paymentColumnList, type StoredPayment, toPayment } from '../payments/payment.store.ts'
import { toPaymentView } from '../payments/payment-view.ts'
import type { Authorisation, PaymentAggregate } from './aggregate.ts'
import { findDisputes, saveDisputes } from './dispute.store.ts'
import { findOperations, saveOperations } from './operation.store.ts'

/**
 * The database's clock. Read after the aggregates are locked, so that of two events of a payment
 * the later one has the later time, however long its transaction waited.
 */
export async function readClock(tx: Tx): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(tx)
  return (rows[0] as { now: Date }).now
}

type AuthorisationRow = {
  provider_reference: string
  payment_id: string
  outcome: Authorisation['outcome']
  disposition: Authorisation['disposition']
  currency: string
  amount: number
}

/** The books of these payments, locked; always in the same order, so that none wait in a ring. */
export async function lockAggregates(
  tx: Tx,
  paymentIds: readonly string[]
): Promise<Map<string, PaymentAggregate>> {
  const payments = await sql<StoredPayment>`
    select ${paymentColumnList} from payment where id = any(${paymentIds})
    order by id for no key update`.execute(tx)
  const authorisations = await sql<AuthorisationRow>`
    select provider_reference, payment_id, outcome, disposition, currency, amount
    from authorisation where payment_id = any(${paymentIds}) order by created_at`.execute(tx)
  const operations = await findOperations(tx, paymentIds)
  const disputes = await findDisputes(tx, paymentIds)
  return new Map(
    payments.rows.map((row) => [
      row.id,
      {
        payment: toPayment(row),
        authorisations: authorisations.rows.filter(isOf(row.id)).map(toAuthorisation),
        operations: operations.get(row.id) ?? [],
        disputes: disputes.get(row.id) ?? [],
        events: [],
        postings: [],
        discrepancies: [],
        touched: new Set()
      }
    ])
  )
}

const isOf = (id: string) => (row: { payment_id: string }) => row.payment_id === id

function toAuthorisation(row: AuthorisationRow): Authorisation {
  const { provider_reference: reference, outcome, disposition, currency, amount } = row
  return { reference, outcome, disposition, amount: { currency, value: amount } }
}

/** Writes what changed in the books: a statement for each kind of record, whatever their number. */
export async function saveAggregates(
  tx: Tx,
  aggregates: readonly PaymentAggregate[],
  providerName: string
): Promise<void> {
  const changed = aggregates.filter(
    (aggregate) => aggregate.events.length > 0 || aggregate.touched.size > 0
  )
  if (changed.length === 0) return
  await updatePayments(tx, changed)
  await saveAuthorisations(tx, changed)
  await saveOperations(tx, changed)
  await saveDisputes(tx, changed)
  await insertEvents(tx, changed, providerName)
  await insertDiscrepancies(tx, changed)
  await post(
    tx,
    changed.flatMap((aggregate) => aggregate.postings)
  )
}

/** The event count is the version: it must still be what it was when the aggregate was read. */
async function updatePayments(tx: Tx, aggregates: readonly PaymentAggregate[]): Promise<void> {
  const rows = aggregates.map(({ payment, events }) => ({
    ...payment,
    wasAt: payment.eventCount - events.length
  }))
  const result = await sql`
    update payment set status = x.status, cancelled_by = x."cancelledBy", failure = x.failure,
      card = x.card, authorisation = x."authorisationReference",
      amount_captured = x."amountCaptured",
      amount_refunded = x."amountRefunded", amount_refunding = x."amountRefunding",
      amount_charged_back = x."amountChargedBack", settlement = x.settlement,
      event_count = x."eventCount", updated_at = x."updatedAt", finished_at = x."finishedAt",
      due_at = case when x.status = 'pending' then due_at end
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as x(
      id text, "wasAt" integer, status text, "cancelledBy" text, failure jsonb, card jsonb,
      "authorisationReference" text, "amountCaptured" bigint, "amountRefunded" bigint,
      "amountRefunding" bigint, "amountChargedBack" bigint, settlement jsonb, "eventCount" integer,
      "updatedAt" timestamptz, "finishedAt" timestamptz)
    where payment.id = x.id and payment.event_count = x."wasAt"`.execute(tx)
  if (result.numAffectedRows !== BigInt(aggregates.length)) {
    throw new Error('a payment changed while its book was open')
  }
}

async function saveAuthorisations(tx: Tx, aggregates: readonly PaymentAggregate[]): Promise<void> {
  const rows = aggregates.flatMap(({ payment, authorisations, touched }) =>
    authorisations
      .filter((one) => touched.has(one))
      .map((one) => ({ ...one, ...one.amount, paymentId: payment.id }))
  )
  if (rows.length === 0) return
  const result = await sql`
    insert into authorisation
      (provider_reference, payment_id, outcome, disposition, currency, amount)
    select reference, "paymentId", outcome, disposition, currency, value
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as x(reference text, "paymentId" text,
      outcome text, disposition text, currency text, value bigint)
    on conflict (provider_reference) do update set outcome = excluded.outcome,
      disposition = excluded.disposition, currency = excluded.currency, amount = excluded.amount
    where authorisation.payment_id = excluded.payment_id`.execute(tx)
  if (result.numAffectedRows !== BigInt(rows.length)) {
    throw new Error('an authorisation belongs to another payment')
  }
}

async function insertEvents(
  tx: Tx,
  aggregates: readonly PaymentAggregate[],
  providerName: string
): Promise<void> {
  const rows = aggregates.flatMap(({ payment, events }) =>
    events.map((event) => ({
      ...event,
      paymentId: payment.id,
      createdAt: event.payment.updatedAt,
      payment: toPaymentView(event.payment, providerName)
    }))
  )
  if (rows.length === 0) return
  await sql`
    with written as (
      insert into payment_event (payment_id, sequence, type, data, payment, created_at)
      select "paymentId", sequence, type, data, payment, "createdAt"
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        as x("paymentId" text, sequence integer, type text, data jsonb, payment jsonb,
          "createdAt" timestamptz)
      returning payment_id, sequence, created_at
    )
    insert into event_outbox (payment_id, sequence, created_at)
    select payment_id, sequence, created_at from written`.execute(tx)
}

async function insertDiscrepancies(tx: Tx, aggregates: readonly PaymentAggregate[]): Promise<void> {
  const rows = aggregates.flatMap(({ payment, discrepancies }) =>
    discrepancies.map((one) => ({ ...one, paymentId: payment.id }))
  )
  if (rows.length === 0) return
  await sql`
    insert into discrepancy (id, kind, fact, payment_id, details)
    select id, kind, fact, "paymentId", details
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as x(id text, kind text, fact text, "paymentId" text, details jsonb)`.execute(tx)
}

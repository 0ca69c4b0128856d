/**
 * The book of a payment: the payment with what belongs to it, and what is to be written of it. The
 * functions here keep an aggregate; what a fact of the provider does to it stands in apply.ts, and
 * what a client may ask for in request.ts.
 */
import type { Posting } from '../ledger/ledger.ts'
import type { Money } from '../money.ts'
import type { EventType } from '../payments/event.ts'
import { isFinished, mayMove, moves, type Payment, type PaymentMove } from '../payments/payment.ts'
import type { Failure } from '../provider.ts'
import { type Dispute, toDisputeView } from './dispute.ts'
import {
  newOperation,
  type Operation,
  type OperationKind,
  type OperationPrefix,
  type OperationStatus,
  toOperationView
} from './operation.ts'

export type Authorisation = {
  reference: string
  outcome: 'refused' | 'authorised'
  /** `applied`, `writtenOff`: it was held, and a person has decided what becomes of it. */
  disposition: 'kept' | 'released' | 'reversing' | 'differs' | 'applied' | 'writtenOff' | null
  amount: Money
}

export type Discrepancy = {
  id: string
  kind:
    | 'paid_after_end'
    | 'amount_differs'
    | 'reversal_failed'
    | 'outcome_unknown'
    | 'success_without_reference'
    | 'refund_and_chargeback'
    | 'possible_duplicate'
    | 'billing_rejected'
    | 'settlement_missing'
    | 'settlement_unmatched'
    | 'settlement_doubled'
    | 'settlement_amount'
  fact: string
  details: Record<string, unknown>
}

/** An event to be written, with the payment as it was right after it. */
export type NewEvent = {
  sequence: number
  type: EventType
  data: Record<string, unknown>
  payment: Payment
}

/** A payment with what belongs to it, and what is to be written of it. */
export type PaymentAggregate = {
  payment: Payment
  authorisations: Authorisation[]
  operations: Operation[]
  disputes: Dispute[]
  events: NewEvent[]
  postings: Posting[]
  discrepancies: Discrepancy[]
  /** What of the lists above is new or changed. */
  touched: Set<Authorisation | Operation | Dispute>
}

export type LifecycleContext = {
  now: Date
  newId: (prefix: OperationPrefix | 'dsp' | 'dis') => string
}

export function findAuthorisation(
  aggregate: PaymentAggregate,
  reference: string | null
): Authorisation | undefined {
  return aggregate.authorisations.find((one) => one.reference === reference)
}

/** Oldest first. */
export function operationsOf(aggregate: PaymentAggregate, kind: OperationKind): Operation[] {
  return aggregate.operations.filter((one) => one.kind === kind)
}

export function findReversal(
  aggregate: PaymentAggregate,
  authorisation: string
): Operation | undefined {
  return operationsOf(aggregate, 'reversal').findLast(
    (one) => one.authorisationReference === authorisation
  )
}

export function addAuthorisation(
  aggregate: PaymentAggregate,
  event: { authorisationReference: string; amount: Money }
): Authorisation {
  const added: Authorisation = {
    reference: event.authorisationReference,
    outcome: 'refused',
    disposition: null,
    amount: event.amount
  }
  aggregate.authorisations.push(added)
  aggregate.touched.add(added)
  return added
}

export function addOperation(
  aggregate: PaymentAggregate,
  given: Parameters<typeof newOperation>[0],
  context: LifecycleContext
): Operation {
  const added = newOperation(given, context)
  aggregate.operations.push(added)
  aggregate.touched.add(added)
  return added
}

export function movePayment(
  aggregate: PaymentAggregate,
  move: PaymentMove,
  data: Record<string, unknown>,
  context: LifecycleContext
): void {
  const { payment } = aggregate
  if (!mayMove(payment.status, move)) throw new Error(`${move} from ${payment.status}`)
  payment.status = moves[move].to
  payment.finishedAt = isFinished(payment.status) ? context.now : null
  record(aggregate, `payment.${payment.status}` as EventType, data, context)
}

export function record(
  aggregate: PaymentAggregate,
  type: EventType,
  data: Record<string, unknown>,
  context: LifecycleContext
): void {
  const { payment } = aggregate
  payment.eventCount += 1
  payment.updatedAt = context.now
  aggregate.events.push({ sequence: payment.eventCount, type, data, payment: { ...payment } })
}

/** Records what a operation has come to; by default its status says it. */
export function recordOperation(
  aggregate: PaymentAggregate,
  operation: Operation,
  context: LifecycleContext,
  what: OperationStatus | 'approved' = operation.status
): void {
  const { kind } = operation
  aggregate.touched.add(operation)
  const data = { [kind]: toOperationView(operation, aggregate.payment) }
  record(aggregate, `${kind}.${what}` as EventType, data, context)
}

/** Ends a operation that came to nothing. */
export function failOperation(
  aggregate: PaymentAggregate,
  operation: Operation,
  failure: Failure,
  context: LifecycleContext
): void {
  operation.status = 'failed'
  operation.failure = failure
  recordOperation(aggregate, operation, context)
}

export function recordDispute(
  aggregate: PaymentAggregate,
  dispute: Dispute,
  what: 'opened' | 'updated' | 'closed',
  context: LifecycleContext
): void {
  dispute.updatedAt = context.now
  aggregate.touched.add(dispute)
  record(
    aggregate,
    `dispute.${what}`,
    { dispute: toDisputeView(dispute, aggregate.payment.id) },
    context
  )
}

/**
 * Opens a discrepancy of the payment; `fact` names what it is about. `told`: what of the details
 * the payment's client may know, who reads the event.
 */
export function openDiscrepancy(
  aggregate: PaymentAggregate,
  kind: Discrepancy['kind'],
  fact: string,
  details: Record<string, unknown>,
  context: LifecycleContext,
  told = details
): void {
  const discrepancy: Discrepancy = { id: context.newId('dis'), kind, fact, details }
  aggregate.discrepancies.push(discrepancy)
  record(
    aggregate,
    'discrepancy.opened',
    { discrepancy: { id: discrepancy.id, kind, details: told } },
    context
  )
}

export function post(
  aggregate: PaymentAggregate,
  kind: Posting['kind'],
  fact: string,
  amount: Money,
  cause: Posting['cause'],
  allocations?: Posting['allocations']
): void {
  const { accountId, id } = aggregate.payment
  aggregate.postings.push({
    kind,
    fact,
    accountId,
    amount,
    cause,
    paymentId: id,
    ...(allocations && allocations.length > 0 && { allocations })
  })
}

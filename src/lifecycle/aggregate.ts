/**
 * The aggregate of a payment: the payment with its authorisations, operations, disputes and
 * discrepancies, and what is to be written of them. The functions here change it and keep note of
 * what changed; the rules stand in the file of each noun.
 */
import type { Posting } from '../ledger/ledger.ts'
import type { Money } from '../money.ts'
import type { EventType } from '../payments/event.ts'
import { isFinished, mayMove, moves, type Payment, type PaymentMove } from '../payments/payment.ts'
import type {
  Authorisation,
  AuthorisationReport,
  Discrepancy,
  LifecycleContext,
  Operation,
  OperationKind,
  PaymentAggregate
} from './model.ts'

/** With manual capture an authorisation only reserves. */
export function isTaken(payment: Payment): boolean {
  return payment.capture === 'automatic'
}

export function findAuthorisation(
  aggregate: PaymentAggregate,
  reference: string | null
): Authorisation | undefined {
  return aggregate.authorisations.find((one) => one.reference === reference)
}

/** The authorisation, where it is the payment's own money; else why a fact about it must wait. */
export function findOwn(
  aggregate: PaymentAggregate,
  reference: string
): Authorisation | 'deferred' | 'contradictory' {
  const found = findAuthorisation(aggregate, reference)
  if (found?.outcome !== 'authorised') return 'deferred'
  return aggregate.payment.authorisationReference === reference ? found : 'contradictory'
}

/** Oldest first. */
export function operationsOf(aggregate: PaymentAggregate, kind: OperationKind): Operation[] {
  return aggregate.operations.filter((one) => one.kind === kind)
}

/** Adds a report to the set of an authorisation; false where it was there. */
export function addToAuthorisation(
  aggregate: PaymentAggregate,
  authorisation: Authorisation,
  report: AuthorisationReport
): boolean {
  const isKnown = authorisation.reported.some(
    (one) =>
      one.what === report.what &&
      one.reference === report.reference &&
      ('again' in one && one.again) === ('again' in report && report.again)
  )
  if (isKnown) return false
  authorisation.reported = [...authorisation.reported, report]
  aggregate.touched.add(authorisation)
  return true
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

/** Records an event, with the payment as it is now. */
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

/** Notes a movement of the ledger; `fact` is unique among its kind. */
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

/**
 * Opens a discrepancy, of its kind and fact once. `publicDetails`: the part of the details that is
 * included in the event, which the payment's client reads.
 */
export function openDiscrepancy(
  aggregate: PaymentAggregate,
  kind: Discrepancy['kind'],
  fact: string,
  details: Record<string, unknown>,
  context: LifecycleContext,
  publicDetails = details
): void {
  const id = context.newId('dis')
  const opened = { id, kind, fact, details, status: 'open', resolution: null } as const
  publishOpened(aggregate, { ...opened }, publicDetails, context)
}

function publishOpened(
  aggregate: PaymentAggregate,
  discrepancy: Discrepancy,
  publicDetails: Record<string, unknown>,
  context: LifecycleContext
): void {
  const { id, kind } = discrepancy
  if (!aggregate.discrepancies.includes(discrepancy)) aggregate.discrepancies.push(discrepancy)
  aggregate.touched.add(discrepancy)
  const data = { discrepancy: { id, kind, details: publicDetails } }
  record(aggregate, 'discrepancy.opened', data, context)
}

/** How a discrepancy is resolved that is no longer true. */
export const noLongerTrue = 'noLongerTrue'

/**
 * Opens or resolves a discrepancy that stands as long as what it says is true of the payment. One
 * that a person has resolved stays resolved.
 */
export function keepDiscrepancy(
  aggregate: PaymentAggregate,
  kind: Discrepancy['kind'],
  fact: string,
  details: Record<string, unknown> | undefined,
  context: LifecycleContext
): void {
  const known = aggregate.discrepancies.find((one) => one.kind === kind && one.fact === fact)
  if (details === undefined) {
    if (known?.status !== 'open') return
    known.status = 'resolved'
    known.resolution = noLongerTrue
    aggregate.touched.add(known)
    const { id } = known
    const data = { discrepancy: { id, kind, resolution: noLongerTrue } }
    record(aggregate, 'discrepancy.resolved', data, context)
  } else if (known === undefined) {
    openDiscrepancy(aggregate, kind, fact, details, context)
  } else if (known.resolution === noLongerTrue) {
    known.status = 'open'
    known.resolution = null
    known.details = details
    publishOpened(aggregate, known, details, context)
  }
}

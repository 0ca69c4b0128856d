/**
 * Captures: what a client may ask for, what the provider reports, and what stands. With automatic
 * capture there is none to ask for: one is written down only when it comes to nothing
 * (docs.adyen.com/online-payments/capture). A capture may fail days after it was accepted and be
 * taken again, and the reports may come in any order.
 */
import { allocationsLeft } from '../ledger/ledger.ts'
import type { Money } from '../money.ts'
import { type CanExpress, checkCurrency, checkRepresentable } from '../payments/amounts.ts'
import { mayMove } from '../payments/payment.ts'
import { Problem } from '../problem.ts'
import type { RequestReference } from '../provider.ts'
import { findOwn, isTaken, movePayment, operationsOf, post } from './aggregate.ts'
import { isLapsed, largestAuthorised, reservedNow } from './authorisations.ts'
import type {
  Authorisation,
  Effect,
  EventOf,
  LifecycleContext,
  Operation,
  OperationStatus,
  PaymentAggregate,
  Report
} from './model.ts'
import {
  addOperation,
  addProvidersOperation,
  addReport,
  dropReports,
  isSame,
  isUnderWay,
  recognise,
  recordOperation,
  standingOf,
  timesFailed,
  timesSucceeded
} from './operation.ts'

export type CaptureAsked = {
  /** All that is reserved and not captured, where it is null. */
  amount: Money | null
  /** Whether the merchant account has several partial captures switched on at Adyen. */
  several: boolean
  canExpress?: CanExpress
}

/**
 * Asks for reserved money: `payment_not_capturable`, `amount_not_representable`,
 * `capture_exceeds_authorised`.
 */
export function requestCapture(
  aggregate: PaymentAggregate,
  asked: CaptureAsked,
  context: LifecycleContext
): Operation {
  const { payment } = aggregate
  const captures = operationsOf(aggregate, 'capture').filter(
    ({ status }) => status === 'succeeded' || status === 'requested'
  )
  const own = findOwn(aggregate, payment.authorisationReference ?? '')
  const refusal = whyNotCapturable(aggregate, own, captures, asked.several)
  if (refusal !== undefined || typeof own === 'string') {
    const detail = `Payment ${payment.id} can't be captured: ${refusal}.`
    throw new Problem('payment_not_capturable', detail)
  }
  const taken = captures.reduce((sum, { amount }) => sum + amount.value, 0)
  const left = Math.max(0, reservedNow(own) - taken)
  const amount = asked.amount ?? { ...payment.amount, value: left }
  checkCurrency(payment, amount)
  if (asked.amount !== null) checkRepresentable(amount, asked.canExpress)
  if (amount.value > left || left === 0) {
    throw new Problem('capture_exceeds_authorised', `At most ${left} can be captured.`, {
      errors: [{ pointer: '/amount/value', detail: `At most ${left} in minor units.` }]
    })
  }
  const authorisationReference = own.reference
  const given = { kind: 'capture', authorisationReference, amount } as const
  const capture = addOperation(aggregate, given, context)
  recordOperation(aggregate, capture, context)
  return capture
}

/** Why nothing can be captured, in words; undefined where something can. */
function whyNotCapturable(
  aggregate: PaymentAggregate,
  own: ReturnType<typeof findOwn>,
  captures: readonly Operation[],
  several: boolean
): string | undefined {
  const { status, capture } = aggregate.payment
  if (operationsOf(aggregate, 'cancellation').some(isUnderWay)) return 'it is being cancelled'
  const isOpen =
    status === 'authorised' || (status === 'captured' && capture === 'manual' && several)
  if (isOpen && typeof own !== 'string' && isLapsed(own)) return 'what was reserved is gone'
  if (isOpen && (several || captures.length === 0)) return undefined
  return captures.length > 0 ? 'it has a capture already' : `it is ${status}`
}

export function onCaptured(
  aggregate: PaymentAggregate,
  event: EventOf<'captured'>,
  context: LifecycleContext
): Effect {
  const own = findOwn(aggregate, event.authorisationReference)
  if (typeof own === 'string') return own
  const { amount, by, again } = event
  if (amount.currency !== aggregate.payment.amount.currency) return 'contradictory'
  const report = successOf(by, again)
  const known = findCapture(aggregate, own, by)
  if (known === undefined) {
    // No more is taken than was reserved: an adjustment, or a failure of another one, is missing.
    const taken = aggregate.payment.amountCaptured + amount.value
    if (taken > largestAuthorised(own)) return 'deferred'
    takeOverFailure(aggregate, own, by, context)
  } else if (known.amount.value !== amount.value) {
    return 'contradictory'
  } else if (wouldExceed(aggregate, own, known, report)) {
    return 'deferred'
  }
  const capture = known ?? addCapture(aggregate, own, amount, by, context)
  recognise(aggregate, capture, by)
  reportCapture(aggregate, capture, own, report, context)
  return 'applied'
}

/** The report of a capture that went well. */
export function successOf(
  { providerReference: reference }: RequestReference,
  again: boolean
): Report {
  return { outcome: 'succeeded', reference, ...(again && { again }) }
}

/** Whether a capture that is known would take more than was reserved, if it stood now. */
function wouldExceed(
  { payment }: PaymentAggregate,
  own: Authorisation,
  known: Operation,
  report: Report
): boolean {
  if (known.status === 'succeeded') return false
  const isMore = payment.amountCaptured + known.amount.value > largestAuthorised(own)
  const reported = [...known.reported, report]
  return isMore && standingOf({ ...known, reported }) === 'succeeded'
}

export function onCaptureRefused(
  aggregate: PaymentAggregate,
  event: EventOf<'captureRefused'>,
  context: LifecycleContext
): Effect {
  const capture = operationsOf(aggregate, 'capture').find((one) => isSame(one, event.by))
  if (capture === undefined) return 'ignored'
  const { by, reason } = event
  const report = { outcome: 'refused', reference: by.providerReference, reason } as const
  if (addReport(aggregate, capture, report) !== undefined) {
    recordOperation(aggregate, capture, context)
  }
  return 'applied'
}

/** A capture that was accepted came to nothing: what it brought goes. */
export function onCaptureFailed(
  aggregate: PaymentAggregate,
  event: EventOf<'captureFailed'>,
  context: LifecycleContext
): Effect {
  const own = findOwn(aggregate, event.authorisationReference)
  if (typeof own === 'string') return own
  const { by, reason } = event
  const capture = findFailed(aggregate, own, event)
  if (capture === undefined) return 'deferred'
  recognise(aggregate, capture, by)
  const failed = { outcome: 'failed', reference: by.providerReference, reason } as const
  reportCapture(aggregate, capture, own, failed, context)
  return 'applied'
}

/** Of this money: a payment may have had other money, whose capture failed. */
export function capturesOf(aggregate: PaymentAggregate, authorisation: string): Operation[] {
  return operationsOf(aggregate, 'capture').filter(
    ({ authorisationReference }) => authorisationReference === authorisation
  )
}

/** What was ever taken of the payment's own money, whatever failed later; minor units. */
export function amountEverTaken(aggregate: PaymentAggregate): number {
  const { payment } = aggregate
  const own = findOwn(aggregate, payment.authorisationReference ?? '')
  if (typeof own === 'string') return payment.amountCaptured
  if (isTaken(payment)) return own.amount.value
  const taken = capturesOf(aggregate, own.reference)
    .filter((one) => timesSucceeded(one) > 0)
    .reduce((sum, { amount }) => sum + amount.value, 0)
  // What failed may have been taken again by another capture: it is the same money.
  return Math.min(taken, largestAuthorised(own))
}

/** By its own references, and not by one under which only a failure was reported. */
function findCapture(
  aggregate: PaymentAggregate,
  own: Authorisation,
  by: RequestReference
): Operation | undefined {
  const captures = capturesOf(aggregate, own.reference)
  return captures.find((one) => isSame(one, by) && !isBorrowed(one, by))
}

/** Whether a reference is known of a capture only as that of a failure, while it has its own. */
function isBorrowed({ id, providerReference, reported }: Operation, by: RequestReference): boolean {
  if (by.reference === id || by.providerReference === providerReference) return false
  return !reported.some(
    ({ outcome, reference }) => outcome === 'succeeded' && reference === by.providerReference
  )
}

/**
 * A capture is reported under a reference under which another of that amount was reported to have
 * failed: it was this one that failed, and the other stands.
 */
function takeOverFailure(
  aggregate: PaymentAggregate,
  own: Authorisation,
  by: RequestReference,
  context: LifecycleContext
): void {
  const other = capturesOf(aggregate, own.reference).find(
    (one) => isSame(one, by) && isBorrowed(one, by)
  )
  if (other === undefined) return
  const { reason } =
    other.reported.find(({ reference }) => reference === by.providerReference) ?? {}
  const before = dropReports(aggregate, other, by.providerReference)
  if (before !== undefined) moveCaptured(aggregate, other, before, own, context)
  const failed = addProvidersOperation(
    aggregate,
    { kind: 'capture', authorisationReference: own.reference, amount: other.amount },
    by,
    context
  )
  addReport(aggregate, failed, {
    outcome: 'failed',
    reference: by.providerReference,
    ...(reason !== undefined && { reason })
  })
}

/** The capture that came to nothing: by its references, else the last one of that amount. */
function findFailed(
  aggregate: PaymentAggregate,
  own: Authorisation,
  { amount, by }: EventOf<'captureFailed'>
): Operation | undefined {
  const captures = capturesOf(aggregate, own.reference)
  const sameAmount = captures.filter((one) => one.amount.value === amount.value)
  return (
    captures.find((one) => isSame(one, by)) ??
    sameAmount.findLast(({ status }) => status === 'succeeded')
  )
}

/** One that somebody asked for at the provider. */
function addCapture(
  aggregate: PaymentAggregate,
  own: Authorisation,
  amount: Money,
  by: RequestReference,
  context: LifecycleContext
): Operation {
  const made = capturesOf(aggregate, own.reference).find(
    (one) => one.providerReference === by.providerReference
  )
  if (made !== undefined) return made
  const given = { kind: 'capture', authorisationReference: own.reference, amount } as const
  return addProvidersOperation(aggregate, given, by, context)
}

/** Adds a report to a capture and moves what has changed by it. */
export function reportCapture(
  aggregate: PaymentAggregate,
  capture: Operation,
  own: Authorisation,
  report: Report,
  context: LifecycleContext
): void {
  const before = addReport(aggregate, capture, report)
  if (before !== undefined) moveCaptured(aggregate, capture, before, own, context)
  failIfLost(aggregate, capture, context)
}

/** The status of a capture has changed from `before`: what it brings comes, or goes. */
function moveCaptured(
  aggregate: PaymentAggregate,
  capture: Operation,
  before: OperationStatus,
  own: Authorisation,
  context: LifecycleContext
): void {
  const { payment } = aggregate
  const { id, amount } = capture
  // Each change is recorded as an event, so that the count of those distinguishes its postings.
  const fact = `${id}.${payment.eventCount}`
  const cause = { type: 'capture', id } as const
  if (capture.status === 'succeeded') {
    own.disposition = 'kept'
    aggregate.touched.add(own)
    const named = allocationsLeft(payment.allocations ?? [], payment.amountCaptured)
    payment.amountCaptured += amount.value
    payment.failure = null
    payment.cancelledBy = null
    post(aggregate, 'payment', fact, amount, cause, named)
  } else if (before === 'succeeded') {
    payment.amountCaptured -= amount.value
    post(aggregate, 'captureFailed', fact, amount, cause)
  }
  recordOperation(aggregate, capture, context)
  if (capture.status === 'succeeded' && payment.status !== 'captured') {
    movePayment(aggregate, 'captured', { authorisation: own.reference }, context)
  }
}

/** A payment has failed once what was captured of it came to nothing, and nothing else is left. */
function failIfLost(
  aggregate: PaymentAggregate,
  capture: Operation,
  context: LifecycleContext
): void {
  const { payment } = aggregate
  const isLost = timesFailed(capture) > 0 && timesSucceeded(capture) > 0
  if (!isLost || payment.amountCaptured > 0 || !mayMove(payment.status, 'captureFailed')) return
  payment.failure = capture.failure
  payment.cancelledBy = null
  movePayment(aggregate, 'captureFailed', { capture: capture.id }, context)
}

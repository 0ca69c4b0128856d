/**
 * Captures, as the provider tells of them. With automatic capture there is none to ask for: one is
 * written down only when it comes to nothing (docs.adyen.com/online-payments/capture). A capture
 * may fail days later and be taken again, and the news may come in any order, so they are counted:
 * it stands while it went well more often than it failed.
 */
import type { NamedAllocation } from '../ledger/ledger.ts'
import type { Money } from '../money.ts'
import type { RequestReference } from '../provider.ts'
import {
  type Authorisation,
  addOperation,
  failOperation,
  type LifecycleContext,
  movePayment,
  operationsOf,
  type PaymentAggregate,
  post,
  recordOperation
} from './aggregate.ts'
import { type Effect, type EventOf, findOwn, isTaken, refused } from './effect.ts'
import { isSame, type Operation, recognise } from './operation.ts'

export function onCaptured(
  aggregate: PaymentAggregate,
  event: EventOf<'captured'>,
  context: LifecycleContext
): Effect {
  const { payment } = aggregate
  const { amount, by, again } = event
  const own = findOwn(aggregate, event.authorisationReference)
  if (typeof own === 'string') return own
  const known = findTaken(aggregate, event)
  // It was taken with the authorisation, and that said so already.
  if (known === undefined && isTaken(payment) && !again) return 'applied'
  if (amount.currency !== payment.amount.currency) return 'unsupported'
  if (known !== undefined && known.amount.value !== amount.value) return 'unsupported'
  if (amount.value > payment.amount.value) return 'unsupported'
  // No more is taken than was reserved: it is still to be told that another one came to nothing.
  const isMore = payment.amountCaptured + amount.value > payment.amount.value
  if (known === undefined && isMore && !isTaken(payment)) return 'early'
  const capture = known ?? addCapture(aggregate, own, amount, by, context)
  know(aggregate, capture, by)
  const stands = capture.successes > capture.failures
  // The same news in other words; but that it was taken again may come before that it failed.
  if (stands && (!again || capture.successes > capture.failures + 1)) return 'applied'
  // What is taken again went well before, also where that is still to be told.
  const successes = Math.max(capture.successes + 1, again ? 2 : 1)
  const takes = !stands && successes > capture.failures
  if (takes && isMore) return 'early'
  capture.successes = successes
  aggregate.touched.add(capture)
  if (takes) take(aggregate, capture, own, context)
  return 'applied'
}

export function onCaptureRefused(
  aggregate: PaymentAggregate,
  event: EventOf<'captureRefused'>,
  context: LifecycleContext
): Effect {
  const capture = operationsOf(aggregate, 'capture').find((one) => isSame(one, event.by))
  if (capture === undefined) return 'ignored'
  if (capture.status !== 'requested') return 'applied'
  failOperation(aggregate, capture, refused(event.reason), context)
  return 'applied'
}

export function onCaptureFailed(
  aggregate: PaymentAggregate,
  event: EventOf<'captureFailed'>,
  context: LifecycleContext
): Effect {
  const own = findOwn(aggregate, event.authorisationReference)
  if (typeof own === 'string') return own
  const { by, reason } = event
  const known = findFallen(aggregate, event)
  if (known === undefined && !isTaken(aggregate.payment)) return 'early'
  const capture = known ?? addTakenCapture(aggregate, own, by, context)
  know(aggregate, capture, by)
  return takeBack(aggregate, capture, reason, context)
}

/** It was told under this reference, and may be again. */
function know(aggregate: PaymentAggregate, capture: Operation, by: RequestReference): void {
  if (isSame(capture, by)) return
  recognise(capture, by)
  aggregate.touched.add(capture)
}

/** A capture that was accepted came to nothing: what it brought goes, once for each failure. */
export function takeBack(
  aggregate: PaymentAggregate,
  capture: Operation,
  reason: string,
  context: LifecycleContext
): Effect {
  const { payment } = aggregate
  const { id, amount } = capture
  const stood = capture.status === 'succeeded'
  if (capture.failures > 0 && capture.failures >= capture.successes) return 'applied'
  // What was refunded of it must come back first; the provider tells that too.
  const left = payment.amountCaptured - amount.value
  const stands = capture.successes > capture.failures + 1
  if (stood && !stands && left < payment.amountRefunded) return 'early'
  capture.failures += 1
  aggregate.touched.add(capture)
  if (stands) return 'applied'
  const failure = { code: 'capture_failed', message: reason, retryable: true } as const
  if (stood) {
    payment.amountCaptured = left
    post(aggregate, 'captureFailed', `${id}.${capture.failures}`, amount, { type: 'capture', id })
  }
  failOperation(aggregate, capture, failure, context)
  if (stood && left === 0) {
    payment.failure = failure
    movePayment(aggregate, 'captureFailed', { capture: id }, context)
  }
  return 'applied'
}

/** Of this money: a payment may have had other money, whose capture failed. */
export function capturesOf(aggregate: PaymentAggregate, authorisation: string): Operation[] {
  return operationsOf(aggregate, 'capture').filter(
    (one) => one.authorisationReference === authorisation
  )
}

/** What an automatic capture took, as a capture that can fail. */
export function addTakenCapture(
  aggregate: PaymentAggregate,
  { reference, amount }: Authorisation,
  by: RequestReference | null,
  context: LifecycleContext
): Operation {
  return addOperation(
    aggregate,
    {
      kind: 'capture',
      authorisationReference: reference,
      amount,
      origin: 'provider',
      status: 'succeeded',
      successes: 1,
      providerReference: by?.providerReference ?? null
    },
    context
  )
}

/**
 * The capture that went well: by its references. One that is taken again may be told under another
 * reference; it then has the amount of one that failed, or that is about to be told to have failed
 * or to have gone well at first.
 */
function findTaken(
  aggregate: PaymentAggregate,
  { authorisationReference: authorisation, amount, by, again }: EventOf<'captured'>
) {
  const captures = capturesOf(aggregate, authorisation)
  const sameAmount = captures.filter((one) => one.amount.value === amount.value)
  return (
    captures.find((one) => isSame(one, by)) ??
    sameAmount.findLast((one) => one.failures > 0 && one.failures >= one.successes) ??
    (again
      ? (sameAmount.findLast(({ status }) => status === 'succeeded') ??
        sameAmount.findLast(({ status }) => status === 'requested'))
      : undefined)
  )
}

/** The capture that came to nothing: by its references, else one of that amount. */
function findFallen(
  aggregate: PaymentAggregate,
  { authorisationReference: authorisation, amount, by }: EventOf<'captureFailed'>
) {
  const captures = capturesOf(aggregate, authorisation)
  const told = captures.filter(
    (one) => one.amount.value === amount.value && one.successes + one.failures > 0
  )
  return (
    captures.find((one) => isSame(one, by)) ??
    told.findLast(({ status }) => status === 'succeeded') ??
    told.at(-1)
  )
}

/** One that somebody asked for at the provider. */
function addCapture(
  aggregate: PaymentAggregate,
  authorisation: Authorisation,
  amount: Money,
  by: RequestReference,
  context: LifecycleContext
): Operation {
  if (isTaken(aggregate.payment)) return addTakenCapture(aggregate, authorisation, by, context)
  return addOperation(
    aggregate,
    {
      kind: 'capture',
      authorisationReference: authorisation.reference,
      amount,
      origin: 'provider',
      providerReference: by.providerReference
    },
    context
  )
}

/** The money is taken now, for the first time or again. */
function take(
  aggregate: PaymentAggregate,
  capture: Operation,
  authorisation: Authorisation,
  context: LifecycleContext
): void {
  const { payment } = aggregate
  const { id, amount } = capture
  const named = leftOf(payment.allocations ?? [], payment.amountCaptured)
  capture.status = 'succeeded'
  capture.failure = null
  authorisation.disposition = 'kept'
  aggregate.touched.add(authorisation)
  payment.amountCaptured += amount.value
  payment.failure = null
  payment.cancelledBy = null
  const fact = `${id}.${capture.successes}`
  post(aggregate, 'payment', fact, amount, { type: 'capture', id }, named)
  recordOperation(aggregate, capture, context)
  if (payment.status !== 'captured') {
    movePayment(aggregate, 'captured', { authorisation: authorisation.reference }, context)
  }
}

/** What of the named allocations was not paid by the first `paid` minor units. */
function leftOf(named: readonly NamedAllocation[], paid: number): NamedAllocation[] {
  let skip = paid
  return named.flatMap(({ chargeId, amount }) => {
    const passed = Math.min(skip, amount)
    skip -= passed
    return passed < amount ? [{ chargeId, amount: amount - passed }] : []
  })
}

/**
 * Cancellations, as the provider tells of them: of reservations that were not captured, and of
 * payments that have not come so far (docs.adyen.com/online-payments/cancel).
 */
import type { RequestReference } from '../provider.ts'
import {
  type Authorisation,
  addAuthorisation,
  failOperation,
  findAuthorisation,
  type LifecycleContext,
  movePayment,
  operationsOf,
  type PaymentAggregate,
  recordOperation
} from './aggregate.ts'
import { addTakenCapture, capturesOf, takeBack } from './apply-captures.ts'
import { onReversed } from './apply-reversals.ts'
import { type Effect, type EventOf, isTaken, refused } from './effect.ts'
import { isSame, type Operation } from './operation.ts'
import { recordCancellation, release } from './release.ts'

export function onCancelled(
  aggregate: PaymentAggregate,
  event: EventOf<'cancelled'>,
  context: LifecycleContext
): Effect {
  const { authorisationReference: reference, by } = event
  const known = findAuthorisation(aggregate, reference)
  const asked = findCancellation(aggregate, by)
  if (known?.outcome !== 'authorised') {
    return asked === undefined ? 'early' : cancelUnseen(aggregate, asked, reference, context)
  }
  // Money that is not the payment's own goes back, by whatever kind of request.
  if (known.disposition === 'reversing' || known.disposition === 'differs') {
    return onReversed(
      aggregate,
      { ...event, type: 'reversed', authorisationReference: known.reference, amount: known.amount },
      context
    )
  }
  if (known.disposition === 'kept' && aggregate.payment.status === 'captured') {
    // With manual capture, what was not captured is let go: the books stay as they are.
    if (!isTaken(aggregate.payment) && asked === undefined) return 'ignored'
    // With automatic capture, it was let go before it was taken, and we had booked it as taken.
    if (isTaken(aggregate.payment) && undoCapture(aggregate, known, by, context) === 'early')
      return 'early'
  }
  recordCancellation(aggregate, asked, known, by, context)
  release(aggregate, known.reference, 'cancelled', context)
  return 'applied'
}

export function onCancellationRefused(
  aggregate: PaymentAggregate,
  event: EventOf<'cancellationRefused'>,
  context: LifecycleContext
): Effect {
  const cancellation = findCancellation(aggregate, event.by)
  if (cancellation === undefined) return 'ignored'
  if (cancellation.status !== 'requested') return 'applied'
  const { status, method } = aggregate.payment
  // The provider has nothing to cancel of a charge, or money that it has not told of yet: the
  // charge is not sent again, and money that is told later goes back.
  if (status === 'pending' && method === 'registeredCard') {
    cancelPending(aggregate, cancellation, context)
    return 'applied'
  }
  failOperation(aggregate, cancellation, refused(event.reason), context)
  return 'applied'
}

/**
 * The link can't be paid any more; but whoever was quicker has paid. Undefined where nobody asked
 * to cancel it.
 */
export function onLinkExpired(
  aggregate: PaymentAggregate,
  context: LifecycleContext
): Effect | undefined {
  const cancellation = operationsOf(aggregate, 'cancellation').find(
    ({ status }) => status === 'requested'
  )
  if (cancellation === undefined) return undefined
  if (aggregate.payment.status === 'pending') {
    cancelPending(aggregate, cancellation, context)
  } else {
    failOperation(aggregate, cancellation, refused('The link was paid already.'), context)
  }
  return 'applied'
}

/** Ends a payment that waits for its customer, because the client wants it no more. */
export function cancelPending(
  aggregate: PaymentAggregate,
  cancellation: Operation,
  context: LifecycleContext
): void {
  cancellation.status = 'succeeded'
  recordOperation(aggregate, cancellation, context)
  aggregate.payment.cancelledBy = 'client'
  movePayment(aggregate, 'cancelled', {}, context)
}

/** A payment was cancelled before we were told of any authorisation of it. */
function cancelUnseen(
  aggregate: PaymentAggregate,
  cancellation: Operation,
  reference: string | null,
  context: LifecycleContext
): Effect {
  const { payment } = aggregate
  if (cancellation.status === 'succeeded') return 'applied'
  // When the authorisation is told later it is known to be gone.
  const { amount } = payment
  if (reference !== null) {
    const seen = findAuthorisation(aggregate, reference)
    const gone = seen ?? addAuthorisation(aggregate, { authorisationReference: reference, amount })
    gone.outcome = 'authorised'
    gone.disposition = 'released'
    aggregate.touched.add(gone)
  }
  cancellation.failure = null
  if (payment.status === 'pending') {
    cancelPending(aggregate, cancellation, context)
  } else {
    cancellation.status = 'succeeded'
    recordOperation(aggregate, cancellation, context)
  }
  return 'applied'
}

function undoCapture(
  aggregate: PaymentAggregate,
  kept: Authorisation,
  by: RequestReference,
  context: LifecycleContext
): Effect {
  if (aggregate.payment.amountRefunded > 0) return 'early'
  const [taken] = capturesOf(aggregate, kept.reference)
  const capture = taken ?? addTakenCapture(aggregate, kept, null, context)
  const reason = `It was cancelled before it was taken (${by.providerReference}).`
  return takeBack(aggregate, capture, reason, context)
}

/**
 * The cancellation that is told of. A payment has one at a time, and cancelling twice is cancelling
 * once, so one that waits for its outcome has it, whoever else may have asked.
 */
function findCancellation(
  aggregate: PaymentAggregate,
  by: RequestReference
): Operation | undefined {
  const all = operationsOf(aggregate, 'cancellation')
  return all.find((one) => isSame(one, by)) ?? all.find(({ status }) => status === 'requested')
}

/**
 * Cancellations: of reservations that were not captured, and of payments that have not come so far
 * (docs.adyen.com/online-payments/cancel).
 */
import type { Payment } from '../payments/payment.ts'
import { Problem } from '../problem.ts'
import type { RequestReference } from '../provider.ts'
import {
  addToAuthorisation,
  findAuthorisation,
  isTaken,
  movePayment,
  operationsOf
} from './aggregate.ts'
import { addAuthorisation, release } from './authorisations.ts'
import { failTaken } from './automatic-captures.ts'
import type {
  Authorisation,
  Effect,
  EventOf,
  LifecycleContext,
  Operation,
  PaymentAggregate
} from './model.ts'
import {
  addOperation,
  addProvidersOperation,
  addReport,
  isSame,
  isUnderWay,
  recordOperation
} from './operation.ts'

/**
 * Asks to have no payment: `payment_not_cancellable`. A page can't be closed at the provider, so
 * the payment ends here at once, and money that comes all the same is sent back. A link is closed
 * first, a card payment whose outcome is not known is cancelled by our reference, a reservation by
 * its own.
 */
export function requestCancellation(
  aggregate: PaymentAggregate,
  asked: { reason: string | null },
  context: LifecycleContext
): Operation {
  const { payment } = aggregate
  const { status, authorisationReference, amount } = payment
  const isBeing = (kind: 'cancellation' | 'capture') =>
    operationsOf(aggregate, kind).some(isUnderWay)
  const isOpen = status === 'pending' || status === 'authorised'
  if (!isOpen || isBeing('cancellation') || isBeing('capture')) {
    const why = isBeing('capture')
      ? 'being captured'
      : isBeing('cancellation')
        ? 'being cancelled'
        : status
    const detail = `Payment ${payment.id} can't be cancelled: it is ${why}.`
    throw new Problem('payment_not_cancellable', detail)
  }
  const given = { kind: 'cancellation', authorisationReference, amount, ...asked } as const
  if (endsHere(payment)) {
    const cancellation = addOperation(aggregate, { ...given, providerKey: null }, context)
    succeed(aggregate, cancellation, cancellation.id, context)
    cancelPayment(aggregate, context)
    return cancellation
  }
  const cancellation = addOperation(aggregate, given, context)
  recordOperation(aggregate, cancellation, context)
  return cancellation
}

/** Whether there is nothing at the provider that could be closed or cancelled. */
function endsHere({ status, method, providerSession }: Payment): boolean {
  if (status !== 'pending') return false
  if (method === 'paymentLink') return providerSession === null
  // One that sent the customer away for 3-D Secure is not authorised before they come back.
  if (method === 'registeredCard') return providerSession !== null
  return true
}

export function onCancelled(
  aggregate: PaymentAggregate,
  event: EventOf<'cancelled'>,
  context: LifecycleContext
): Effect {
  const { authorisationReference: reference, by } = event
  const known = findAuthorisation(aggregate, reference)
  const asked = findCancellation(aggregate, by)
  if (known?.outcome !== 'authorised') {
    return asked === undefined ? 'deferred' : cancelUnseen(aggregate, asked, event, context)
  }
  cancelOwn(aggregate, known, by, context)
  return 'applied'
}

/**
 * The payment's own money is let go: all of a reservation, or what was not captured of it; an
 * automatic capture before the provider took it, which we had booked as taken.
 */
export function cancelOwn(
  aggregate: PaymentAggregate,
  own: Authorisation,
  by: RequestReference,
  context: LifecycleContext
): void {
  const reference = by.providerReference
  if (!addToAuthorisation(aggregate, own, { what: 'cancelled', reference })) return
  if (isTaken(aggregate.payment) && aggregate.payment.authorisationReference === own.reference) {
    const reason = `It was cancelled before it was taken (${reference}).`
    failTaken(aggregate, own, { reference, reason }, context)
  }
  const asked = findCancellation(aggregate, by)
  const given = { authorisationReference: own.reference, amount: own.amount }
  const cancellation =
    asked ?? addProvidersOperation(aggregate, { kind: 'cancellation', ...given }, by, context)
  succeed(aggregate, cancellation, reference, context)
  release(aggregate, own, 'cancelled', context)
}

export function onCancellationRefused(
  aggregate: PaymentAggregate,
  event: EventOf<'cancellationRefused'>,
  context: LifecycleContext
): Effect {
  const { by, reason } = event
  const cancellation = findCancellation(aggregate, by)
  if (cancellation === undefined) return 'ignored'
  if (cancellation.status === 'succeeded') return 'applied'
  const { status, method } = aggregate.payment
  // The provider has nothing to cancel of a card payment, or money that it has not reported yet:
  // the card is not charged again, and money that is reported later goes back.
  if (cancellation.status === 'requested' && status === 'pending' && method === 'registeredCard') {
    succeed(aggregate, cancellation, by.providerReference, context)
    cancelPayment(aggregate, context)
    return 'applied'
  }
  refuseCancellation(aggregate, cancellation, by.providerReference, reason, context)
  return 'applied'
}

function refuseCancellation(
  aggregate: PaymentAggregate,
  cancellation: Operation,
  reference: string,
  reason: string,
  context: LifecycleContext
): void {
  const before = addReport(aggregate, cancellation, { outcome: 'refused', reference, reason })
  if (before !== undefined) recordOperation(aggregate, cancellation, context)
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
  const { id } = cancellation
  if (aggregate.payment.status === 'pending') {
    succeed(aggregate, cancellation, id, context)
    cancelPayment(aggregate, context)
  } else {
    refuseCancellation(aggregate, cancellation, id, 'The link was paid already.', context)
  }
  return 'applied'
}

/** A payment was cancelled before any authorisation of it was reported. */
function cancelUnseen(
  aggregate: PaymentAggregate,
  cancellation: Operation,
  { authorisationReference, by }: EventOf<'cancelled'>,
  context: LifecycleContext
): Effect {
  const { payment } = aggregate
  if (cancellation.status === 'succeeded') return 'applied'
  // When the authorisation is reported later it is known to be gone.
  if (authorisationReference !== null) {
    const { amount } = payment
    const gone =
      findAuthorisation(aggregate, authorisationReference) ??
      addAuthorisation(aggregate, { authorisationReference, amount })
    gone.outcome = 'authorised'
    gone.disposition = 'released'
    addToAuthorisation(aggregate, gone, { what: 'cancelled', reference: by.providerReference })
  }
  succeed(aggregate, cancellation, by.providerReference, context)
  if (payment.status === 'pending') cancelPayment(aggregate, context)
  return 'applied'
}

function succeed(
  aggregate: PaymentAggregate,
  cancellation: Operation,
  reference: string,
  context: LifecycleContext
): void {
  const before = addReport(aggregate, cancellation, { outcome: 'succeeded', reference })
  if (before !== undefined) recordOperation(aggregate, cancellation, context)
}

/** Ends a payment that waits for its customer, because the client wants it no more. */
function cancelPayment(aggregate: PaymentAggregate, context: LifecycleContext): void {
  aggregate.payment.cancelledBy = 'client'
  movePayment(aggregate, 'cancelled', {}, context)
}

/**
 * The cancellation that is reported. A payment has one at a time, and cancelling twice is
 * cancelling once, so one that waits for its outcome has it, whoever else may have asked.
 */
function findCancellation(
  aggregate: PaymentAggregate,
  by: RequestReference
): Operation | undefined {
  const all = operationsOf(aggregate, 'cancellation')
  return all.find((one) => isSame(one, by)) ?? all.find(({ status }) => status === 'requested')
}

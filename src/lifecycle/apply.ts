/**
 * What a fact of the provider does to a payment. Pure: it reads and changes an aggregate, and a store
 * writes what changed. Webhook, page result, answer to a card payment,
 * link poll and, later, reports all end here. The provider's reference of an authorisation is the
 * identity of money: the same one from any source is the same fact, only another one is a second
 * success.
 */
import type { Posting } from '../ledger/ledger.ts'
import { isUnpaid, mayMove, type Payment } from '../payments/payment.ts'
import type { CardFace, ProviderEvent } from '../provider.ts'
import {
  type Authorisation,
  addAuthorisation,
  addOperation,
  findAuthorisation,
  type LifecycleContext,
  movePayment,
  openDiscrepancy,
  type PaymentAggregate,
  post,
  record,
  recordOperation
} from './aggregate.ts'
import { onCancellationRefused, onCancelled, onLinkExpired } from './apply-cancellations.ts'
import { onCaptured, onCaptureFailed, onCaptureRefused } from './apply-captures.ts'
import { onDisputed } from './apply-disputes.ts'
import { onOperationRejected, onOperationUnknown } from './apply-operations.ts'
import { findFallenRefund, onRefunded, onRefundFailed, onRefundRefused } from './apply-refunds.ts'
import { onReversalFailed, onReversalRefused, onReversed } from './apply-reversals.ts'
import { type Effect, type EventOf, isTaken } from './effect.ts'
import { release } from './release.ts'

export function applyEvent(
  aggregate: PaymentAggregate,
  event: ProviderEvent,
  context: LifecycleContext
): Effect {
  switch (event.type) {
    case 'authorised':
      return onAuthorised(aggregate, event, context)
    case 'attemptRefused':
      return onAttemptRefused(aggregate, event, context)
    case 'pageClosed':
      return onPageClosed(aggregate, event.by, context)
    case 'authorisationExpired':
      return release(aggregate, event.authorisationReference, 'expired', context)
    case 'captured':
      return onCaptured(aggregate, event, context)
    case 'captureRefused':
      return onCaptureRefused(aggregate, event, context)
    case 'captureFailed':
      return onCaptureFailed(aggregate, event, context)
    case 'cancelled':
      return onCancelled(aggregate, event, context)
    case 'cancellationRefused':
      return onCancellationRefused(aggregate, event, context)
    case 'linkExpired':
      return onLinkExpired(aggregate, context) ?? onLinkEnded(aggregate, context)
    case 'refunded':
      return onRefunded(aggregate, event, context)
    case 'refundRefused':
      return onRefundRefused(aggregate, event, context)
    case 'refundFailed':
      return onGivenBackFailed(aggregate, event, context)
    case 'reversed':
      return onReversed(aggregate, event, context)
    case 'reversalRefused':
      return onReversalRefused(aggregate, event, context)
    case 'disputed':
      return onDisputed(aggregate, event, context)
    case 'operationRejected':
      return onOperationRejected(aggregate, event.id, event.reason, context)
    case 'operationUnknown':
      return onOperationUnknown(aggregate, event.id, context)
    case 'paidWithoutReference':
      return onUnsettled(aggregate, 'success_without_reference', context)
    case 'cardPaymentUnknown':
      return onUnsettled(aggregate, 'outcome_unknown', context)
    case 'rejected':
      return onRejected(aggregate, event.reason, context)
  }
}

function onAuthorised(
  aggregate: PaymentAggregate,
  event: EventOf<'authorised'>,
  context: LifecycleContext
): Effect {
  const { payment } = aggregate
  const known = findAuthorisation(aggregate, event.authorisationReference)
  if (known?.outcome === 'authorised') return showCard(aggregate, known, event.card, context)

  const authorisation = known ?? addAuthorisation(aggregate, event)
  authorisation.outcome = 'authorised'
  authorisation.amount = event.amount
  aggregate.touched.add(authorisation)
  const { amount } = payment
  if (event.amount.value !== amount.value || event.amount.currency !== amount.currency) {
    hold(aggregate, authorisation, context)
  } else if (payment.cancelledBy === 'client' || !mayMove(payment.status, successOf(payment))) {
    sendBack(aggregate, authorisation, context)
  } else {
    keep(aggregate, authorisation, event.card, context)
  }
  return 'applied'
}

/** The same fact from a source that also knows the card. */
function showCard(
  { payment, touched }: PaymentAggregate,
  known: Authorisation,
  card: CardFace | null,
  context: LifecycleContext
): Effect {
  if (
    payment.card === null &&
    card !== null &&
    known.reference === payment.authorisationReference
  ) {
    payment.card = card
    payment.updatedAt = context.now
    touched.add(known)
  }
  return 'applied'
}

/** Where a success leads: an automatic capture needs no step of its own. */
function successOf(payment: Payment): 'captured' | 'authorised' {
  return payment.capture === 'automatic' ? 'captured' : 'authorised'
}

/** The money is the customer's payment. */
function keep(
  aggregate: PaymentAggregate,
  authorisation: Authorisation,
  card: CardFace | null,
  context: LifecycleContext
): void {
  const { payment } = aggregate
  const late = isUnpaid(payment.status)
  const endedAs = payment.status
  const move = successOf(payment)
  // Its capture came to nothing.
  const before = aggregate.authorisations.find(({ disposition }) => disposition === 'kept')
  if (before !== undefined) {
    before.disposition = 'released'
    aggregate.touched.add(before)
  }
  authorisation.disposition = 'kept'
  payment.authorisationReference = authorisation.reference
  payment.card = card ?? payment.card
  payment.failure = null
  payment.cancelledBy = null
  if (move === 'captured') {
    payment.amountCaptured = payment.amount.value
    const cause = { type: 'payment', id: payment.id } as const
    const named = payment.allocations ?? []
    post(aggregate, 'payment', authorisation.reference, authorisation.amount, cause, named)
  }
  movePayment(aggregate, move, { authorisation: authorisation.reference }, context)
  if (late) {
    const details = { endedAs, authorisation: authorisation.reference }
    openDiscrepancy(aggregate, 'paid_after_end', authorisation.reference, details, context)
  }
}

/** The money is not wanted: the caller cancelled, or other money has paid already. */
function sendBack(
  aggregate: PaymentAggregate,
  authorisation: Authorisation,
  context: LifecycleContext
): void {
  const { reference, amount } = authorisation
  authorisation.disposition = 'reversing'
  const asked = { kind: 'reversal', authorisationReference: reference, amount } as const
  const reversal = addOperation(aggregate, asked, context)
  holdTaken(aggregate, authorisation, { type: 'reversal', id: reversal.id })
  recordOperation(aggregate, reversal, context)
}

/** The money is not what we asked for: a person must say what it is. */
function hold(
  aggregate: PaymentAggregate,
  authorisation: Authorisation,
  context: LifecycleContext
): void {
  authorisation.disposition = 'differs'
  holdTaken(aggregate, authorisation, { type: 'payment', id: aggregate.payment.id })
  const details = {
    authorisation: authorisation.reference,
    expected: aggregate.payment.amount,
    received: authorisation.amount
  }
  openDiscrepancy(aggregate, 'amount_differs', authorisation.reference, details, context)
}

/**
 * Money that was taken stands in clearing; a mere reservation, or an amount of 0, moves no books.
 */
function holdTaken(
  aggregate: PaymentAggregate,
  authorisation: Authorisation,
  cause: Posting['cause']
): void {
  if (isTaken(aggregate.payment) && authorisation.amount.value > 0) {
    post(aggregate, 'held', authorisation.reference, authorisation.amount, cause)
  }
}

/** Of a refund, or of a reversal that became one. */
function onGivenBackFailed(
  aggregate: PaymentAggregate,
  event: EventOf<'refundFailed'>,
  context: LifecycleContext
): Effect {
  const refund = findFallenRefund(aggregate, event)
  return refund === undefined
    ? onReversalFailed(aggregate, event, context)
    : onRefundFailed(aggregate, refund, event, context)
}

function onAttemptRefused(
  aggregate: PaymentAggregate,
  event: EventOf<'attemptRefused'>,
  context: LifecycleContext
): Effect {
  const known = findAuthorisation(aggregate, event.authorisationReference)
  // A refusal after a success of the same reference is the older of the two.
  if (known !== undefined) return known.outcome === 'refused' ? 'applied' : 'ignored'
  addAuthorisation(aggregate, event)
  const { payment } = aggregate
  if (payment.status === 'pending') payment.failure = event.failure
  const attempt = { providerReference: event.authorisationReference, failure: event.failure }
  record(aggregate, 'payment.attemptRefused', { attempt }, context)
  // A page lets the customer try again; a card that is charged has one attempt.
  if (payment.status === 'pending' && payment.method === 'registeredCard') {
    movePayment(aggregate, 'refused', {}, context)
  }
  return 'applied'
}

function onPageClosed(
  aggregate: PaymentAggregate,
  by: ClosedBy,
  context: LifecycleContext
): Effect {
  // One visit to a link is over, which can be paid until it expires: it is asked itself.
  if (aggregate.payment.method === 'paymentLink' && by === 'time') return 'ignored'
  return closePage(aggregate, by, context)
}

/** Nobody asked to close it: its time is over, or somebody has closed it at the provider. */
function onLinkEnded(aggregate: PaymentAggregate, context: LifecycleContext): Effect {
  return aggregate.payment.method === 'paymentLink'
    ? closePage(aggregate, 'time', context)
    : 'ignored'
}

type ClosedBy = EventOf<'pageClosed'>['by']

function closePage(aggregate: PaymentAggregate, by: ClosedBy, context: LifecycleContext): Effect {
  const { payment } = aggregate
  if (payment.status !== 'pending') return 'ignored'
  if (by === 'customer') {
    payment.cancelledBy = 'customer'
    payment.failure = {
      code: 'cancelled_by_customer',
      message: 'The customer cancelled on the card page.',
      retryable: true
    }
    movePayment(aggregate, 'cancelled', {}, context)
  } else if (
    by === 'refusals' ||
    aggregate.authorisations.some((one) => one.outcome === 'refused')
  ) {
    payment.failure ??= { code: 'card_declined', message: 'Refused.', retryable: true }
    movePayment(aggregate, 'refused', {}, context)
  } else {
    payment.failure = {
      code: 'expired',
      message: 'The card page ended without an outcome.',
      retryable: true
    }
    movePayment(aggregate, 'expired', {}, context)
  }
  return 'applied'
}

/** The provider was asked and its word is not enough: a person must find out. */
function onUnsettled(
  aggregate: PaymentAggregate,
  kind: 'success_without_reference' | 'outcome_unknown',
  context: LifecycleContext
): Effect {
  const { id, status, method, createdAt } = aggregate.payment
  if (status !== 'pending') return 'ignored'
  openDiscrepancy(aggregate, kind, id, { method, createdAt: createdAt.toISOString() }, context)
  return 'applied'
}

function onRejected(
  aggregate: PaymentAggregate,
  reason: string,
  context: LifecycleContext
): Effect {
  const { payment } = aggregate
  if (payment.status !== 'pending' || payment.providerSession !== null) return 'ignored'
  payment.failure = { code: 'provider_rejected', message: reason, retryable: false }
  movePayment(aggregate, 'failed', {}, context)
  return 'applied'
}

/**
 * What a fact of the provider does to a payment. Pure: it reads and changes a book, the payment's
 * page of the records, and a store writes what changed. Webhook, page result, answer to a charge,
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
  addModification,
  type Book,
  type Context,
  findAuthorisation,
  movePayment,
  openDiscrepancy,
  post,
  record,
  recordModification
} from './aggregate.ts'
import { onCancellationRefused, onCancelled, onLinkExpired } from './apply-cancellations.ts'
import { onCaptured, onCaptureFellThrough, onCaptureRefused } from './apply-captures.ts'
import { onDisputed } from './apply-disputes.ts'
import { onModificationRejected, onModificationUnknown } from './apply-operations.ts'
import {
  findFallenRefund,
  onRefunded,
  onRefundFellThrough,
  onRefundRefused
} from './apply-refunds.ts'
import { onReversalFellThrough, onReversalRefused, onReversed } from './apply-reversals.ts'
import { type Effect, type EventOf, isTaken } from './effect.ts'
import { release } from './release.ts'

export function applyEvent(book: Book, event: ProviderEvent, context: Context): Effect {
  switch (event.type) {
    case 'authorised':
      return onAuthorised(book, event, context)
    case 'attemptRefused':
      return onAttemptRefused(book, event, context)
    case 'pageClosed':
      return onPageClosed(book, event.by, context)
    case 'authorisationExpired':
      return release(book, event.authorisation, 'expired', context)
    case 'captured':
      return onCaptured(book, event, context)
    case 'captureRefused':
      return onCaptureRefused(book, event, context)
    case 'captureFellThrough':
      return onCaptureFellThrough(book, event, context)
    case 'cancelled':
      return onCancelled(book, event, context)
    case 'cancellationRefused':
      return onCancellationRefused(book, event, context)
    case 'linkExpired':
      return onLinkExpired(book, context) ?? onLinkEnded(book, context)
    case 'refunded':
      return onRefunded(book, event, context)
    case 'refundRefused':
      return onRefundRefused(book, event, context)
    case 'refundFellThrough':
      return onFellThrough(book, event, context)
    case 'reversed':
      return onReversed(book, event, context)
    case 'reversalRefused':
      return onReversalRefused(book, event, context)
    case 'disputed':
      return onDisputed(book, event, context)
    case 'modificationRejected':
      return onModificationRejected(book, event.id, event.reason, context)
    case 'modificationUnknown':
      return onModificationUnknown(book, event.id, context)
    case 'paidWithoutReference':
      return onUnsettled(book, 'success_without_reference', context)
    case 'chargeUnknown':
      return onUnsettled(book, 'outcome_unknown', context)
    case 'rejected':
      return onRejected(book, event.reason, context)
  }
}

function onAuthorised(book: Book, event: EventOf<'authorised'>, context: Context): Effect {
  const { payment } = book
  const known = findAuthorisation(book, event.authorisation)
  if (known?.outcome === 'authorised') return showCard(book, known, event.card, context)

  const authorisation = known ?? addAuthorisation(book, event)
  authorisation.outcome = 'authorised'
  authorisation.amount = event.amount
  book.touched.add(authorisation)
  const { amount } = payment
  if (event.amount.value !== amount.value || event.amount.currency !== amount.currency) {
    hold(book, authorisation, context)
  } else if (payment.cancelledBy === 'client' || !mayMove(payment.status, successOf(payment))) {
    sendBack(book, authorisation, context)
  } else {
    keep(book, authorisation, event.card, context)
  }
  return 'applied'
}

/** The same fact from a source that also knows the card. */
function showCard(
  { payment, touched }: Book,
  known: Authorisation,
  card: CardFace | null,
  context: Context
): Effect {
  if (payment.card === null && card !== null && known.reference === payment.authorisation) {
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
  book: Book,
  authorisation: Authorisation,
  card: CardFace | null,
  context: Context
): void {
  const { payment } = book
  const late = isUnpaid(payment.status)
  const endedAs = payment.status
  const move = successOf(payment)
  // Its capture came to nothing.
  const before = book.authorisations.find(({ disposition }) => disposition === 'kept')
  if (before !== undefined) {
    before.disposition = 'released'
    book.touched.add(before)
  }
  authorisation.disposition = 'kept'
  payment.authorisation = authorisation.reference
  payment.card = card ?? payment.card
  payment.failure = null
  payment.cancelledBy = null
  if (move === 'captured') {
    payment.amountCaptured = payment.amount.value
    const cause = { type: 'payment', id: payment.id } as const
    const named = payment.allocations ?? []
    post(book, 'payment', authorisation.reference, authorisation.amount, cause, named)
  }
  movePayment(book, move, { authorisation: authorisation.reference }, context)
  if (late) {
    const details = { endedAs, authorisation: authorisation.reference }
    openDiscrepancy(book, 'paid_after_end', authorisation.reference, details, context)
  }
}

/** The money is not wanted: the caller cancelled, or other money has paid already. */
function sendBack(book: Book, authorisation: Authorisation, context: Context): void {
  const { reference, amount } = authorisation
  authorisation.disposition = 'reversing'
  const asked = { kind: 'reversal', authorisation: reference, amount } as const
  const reversal = addModification(book, asked, context)
  holdTaken(book, authorisation, { type: 'reversal', id: reversal.id })
  recordModification(book, reversal, context)
}

/** The money is not what we asked for: a person must say what it is. */
function hold(book: Book, authorisation: Authorisation, context: Context): void {
  authorisation.disposition = 'differs'
  holdTaken(book, authorisation, { type: 'payment', id: book.payment.id })
  const details = {
    authorisation: authorisation.reference,
    expected: book.payment.amount,
    received: authorisation.amount
  }
  openDiscrepancy(book, 'amount_differs', authorisation.reference, details, context)
}

/**
 * Money that was taken stands in clearing; a mere reservation, or an amount of 0, moves no books.
 */
function holdTaken(book: Book, authorisation: Authorisation, cause: Posting['cause']): void {
  if (isTaken(book.payment) && authorisation.amount.value > 0) {
    post(book, 'held', authorisation.reference, authorisation.amount, cause)
  }
}

/** Of a refund, or of a reversal that became one. */
function onFellThrough(book: Book, event: EventOf<'refundFellThrough'>, context: Context): Effect {
  const refund = findFallenRefund(book, event)
  return refund === undefined
    ? onReversalFellThrough(book, event, context)
    : onRefundFellThrough(book, refund, event, context)
}

function onAttemptRefused(book: Book, event: EventOf<'attemptRefused'>, context: Context): Effect {
  const known = findAuthorisation(book, event.authorisation)
  // A refusal after a success of the same reference is the older of the two.
  if (known !== undefined) return known.outcome === 'refused' ? 'applied' : 'ignored'
  addAuthorisation(book, event)
  const { payment } = book
  if (payment.status === 'pending') payment.failure = event.failure
  const attempt = { providerReference: event.authorisation, failure: event.failure }
  record(book, 'payment.attemptRefused', { attempt }, context)
  // A page lets the customer try again; a card that is charged has one attempt.
  if (payment.status === 'pending' && payment.method === 'registeredCard') {
    movePayment(book, 'refused', {}, context)
  }
  return 'applied'
}

function onPageClosed(book: Book, by: ClosedBy, context: Context): Effect {
  // One visit to a link is over, which can be paid until it expires: it is asked itself.
  if (book.payment.method === 'paymentLink' && by === 'time') return 'ignored'
  return closePage(book, by, context)
}

/** Nobody asked to close it: its time is over, or somebody has closed it at the provider. */
function onLinkEnded(book: Book, context: Context): Effect {
  return book.payment.method === 'paymentLink' ? closePage(book, 'time', context) : 'ignored'
}

type ClosedBy = EventOf<'pageClosed'>['by']

function closePage(book: Book, by: ClosedBy, context: Context): Effect {
  const { payment } = book
  if (payment.status !== 'pending') return 'ignored'
  if (by === 'customer') {
    payment.cancelledBy = 'customer'
    payment.failure = {
      code: 'cancelled_by_customer',
      message: 'The customer cancelled on the card page.',
      retryable: true
    }
    movePayment(book, 'cancelled', {}, context)
  } else if (by === 'refusals' || book.authorisations.some((one) => one.outcome === 'refused')) {
    payment.failure ??= { code: 'card_declined', message: 'Refused.', retryable: true }
    movePayment(book, 'refused', {}, context)
  } else {
    payment.failure = {
      code: 'expired',
      message: 'The card page ended without an outcome.',
      retryable: true
    }
    movePayment(book, 'expired', {}, context)
  }
  return 'applied'
}

/** The provider was asked and its word is not enough: a person must find out. */
function onUnsettled(
  book: Book,
  kind: 'success_without_reference' | 'outcome_unknown',
  context: Context
): Effect {
  const { id, status, method, createdAt } = book.payment
  if (status !== 'pending') return 'ignored'
  openDiscrepancy(book, kind, id, { method, createdAt: createdAt.toISOString() }, context)
  return 'applied'
}

function onRejected(book: Book, reason: string, context: Context): Effect {
  const { payment } = book
  if (payment.status !== 'pending' || payment.providerSession !== null) return 'ignored'
  payment.failure = { code: 'provider_rejected', message: reason, retryable: false }
  movePayment(book, 'failed', {}, context)
  return 'applied'
}

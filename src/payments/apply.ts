/**
 * What a fact of the provider does to a payment. Pure: it reads and changes a book, the payment's
 * page of the records, and a store writes what changed. Webhook, page result and, later, reports
 * all end here. The provider's reference of an authorisation is the identity of money: the same one
 * from any source is the same fact, only another one is a second success.
 */
import type { Posting } from '../ledger/ledger.ts'
import type { CardFace, ProviderEvent } from '../provider.ts'
import {
  type Authorisation,
  addAuthorisation,
  type Book,
  type Context,
  findReversal,
  movePayment,
  openDiscrepancy,
  post,
  type Reversal,
  record,
  recordReversal,
  toReversalView
} from './book.ts'
import { isUnpaid, mayMove, type Payment, providerKey } from './payment.ts'

/**
 * `applied`: it changed something, or had changed it already. `ignored`: of no effect here.
 * `early`: it is about an authorisation that is not known yet, so it must be applied again.
 */
export type Effect = 'applied' | 'ignored' | 'early'

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
    case 'givenBack':
      return onGivenBack(book, event.authorisation, context)
    case 'reversalFailed':
      return onReversalFailed(book, event.authorisation, event.reason, context)
    case 'reversalUnknown':
      return onReversalUnknown(book, event.authorisation, context)
    case 'rejected':
      return onRejected(book, event.reason, context)
  }
}

function onAuthorised(
  book: Book,
  event: Extract<ProviderEvent, { type: 'authorised' }>,
  context: Context
): Effect {
  const { payment } = book
  const known = book.authorisations.find((one) => one.reference === event.authorisation)
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
  authorisation.disposition = 'kept'
  payment.authorisation = authorisation.reference
  payment.card = card
  payment.failure = null
  payment.cancelledBy = null
  if (move === 'captured') {
    payment.amountCaptured = payment.amount.value
    post(book, 'payment', authorisation.reference, authorisation.amount, {
      type: 'payment',
      id: payment.id
    })
  }
  movePayment(book, move, { authorisation: authorisation.reference }, context)
  if (late) {
    const details = { endedAs, authorisation: authorisation.reference }
    openDiscrepancy(book, 'paid_after_end', authorisation.reference, details, context)
  }
}

/** The money is not wanted: the caller cancelled, or other money has paid already. */
function sendBack(book: Book, authorisation: Authorisation, context: Context): void {
  const { payment } = book
  const id = context.newId('rev')
  const reversal: Reversal = {
    id,
    authorisation: authorisation.reference,
    amount: authorisation.amount,
    status: 'requested',
    failure: null,
    providerKey: providerKey(id, 'reversal'),
    createdAt: context.now
  }
  authorisation.disposition = 'reversing'
  book.reversals.push(reversal)
  book.touched.add(reversal)
  holdTaken(book, authorisation, { type: 'reversal', id })
  record(book, 'reversal.requested', { reversal: toReversalView(reversal, payment.id) }, context)
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

/** With manual capture an authorisation only reserves. */
function isTaken(payment: Payment): boolean {
  return payment.capture === 'automatic'
}

function onAttemptRefused(
  book: Book,
  event: Extract<ProviderEvent, { type: 'attemptRefused' }>,
  context: Context
): Effect {
  const known = book.authorisations.find((one) => one.reference === event.authorisation)
  // A refusal after a success of the same reference is the older of the two.
  if (known !== undefined) return known.outcome === 'refused' ? 'applied' : 'ignored'
  addAuthorisation(book, event)
  const { payment } = book
  if (payment.status === 'pending') payment.failure = event.failure
  const attempt = { providerReference: event.authorisation, failure: event.failure }
  record(book, 'payment.attemptRefused', { attempt }, context)
  return 'applied'
}

function onPageClosed(book: Book, by: 'customer' | 'refusals' | 'time', context: Context): Effect {
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

/** A reservation that was never captured is gone. */
function release(
  book: Book,
  reference: string,
  move: 'expired' | 'cancelled',
  context: Context
): Effect {
  const { payment } = book
  const kept = book.authorisations.find((one) => one.reference === reference)
  if (kept?.outcome !== 'authorised') return 'early'
  if (kept.disposition === 'released') return 'applied'
  if (kept.disposition !== 'kept' || payment.status !== 'authorised') return 'ignored'
  kept.disposition = 'released'
  book.touched.add(kept)
  if (move === 'cancelled') {
    payment.cancelledBy = 'client'
  } else {
    payment.failure = {
      code: 'expired',
      message: 'The reservation expired before it was captured.',
      retryable: true
    }
  }
  movePayment(book, move, { authorisation: reference }, context)
  return 'applied'
}

/** A reversal of ours succeeded; or a reservation was cancelled at the provider itself. */
function onGivenBack(book: Book, authorisation: string, context: Context): Effect {
  const reversal = findReversal(book, authorisation)
  if (reversal === undefined) return release(book, authorisation, 'cancelled', context)
  // A failure is the later of the two, in whatever order they came.
  if (reversal.status !== 'requested') return 'applied'
  reversal.status = 'succeeded'
  if (isTaken(book.payment)) {
    post(book, 'reversal', reversal.id, reversal.amount, { type: 'reversal', id: reversal.id })
  }
  recordReversal(book, reversal, context)
  return 'applied'
}

function onReversalFailed(
  book: Book,
  authorisation: string,
  reason: string,
  context: Context
): Effect {
  const reversal = findReversal(book, authorisation)
  if (reversal === undefined) {
    const known = book.authorisations.find((one) => one.reference === authorisation)
    return known?.outcome === 'authorised' ? 'ignored' : 'early'
  }
  if (reversal.status === 'failed') return 'applied'
  if (reversal.status === 'succeeded' && isTaken(book.payment)) {
    post(book, 'reversalFailed', reversal.id, reversal.amount, {
      type: 'reversal',
      id: reversal.id
    })
  }
  reversal.status = 'failed'
  reversal.failure = { code: 'provider_rejected', message: reason, retryable: true }
  recordReversal(book, reversal, context)
  const details = { reversalId: reversal.id, authorisation, reason }
  openDiscrepancy(book, 'reversal_failed', reversal.id, details, context)
  return 'applied'
}

function onReversalUnknown(book: Book, authorisation: string, context: Context): Effect {
  const reversal = findReversal(book, authorisation)
  if (reversal?.status !== 'requested') return 'ignored'
  book.touched.add(reversal)
  const details = { reversalId: reversal.id, authorisation }
  openDiscrepancy(book, 'outcome_unknown', reversal.id, details, context)
  return 'applied'
}

function onRejected(book: Book, reason: string, context: Context): Effect {
  const { payment } = book
  if (payment.status !== 'pending' || payment.providerSession !== null) return 'ignored'
  payment.failure = { code: 'provider_rejected', message: reason, retryable: false }
  movePayment(book, 'failed', {}, context)
  return 'applied'
}

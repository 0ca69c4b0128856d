/**
 * What a fact of the provider does to a payment. Pure: it reads and changes a book, the payment's
 * page of the records, and a store writes what changed. Webhook, page result and, later, reports
 * all end here. The provider's reference of an authorisation is the identity of money: the same one
 * from any source is the same fact, only another one is a second success.
 */
import type { Posting } from '../ledger/ledger.ts'
import type { Money } from '../money.ts'
import type { CardFace, Failure, Modification, ProviderEvent } from '../provider.ts'
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
 * `unsupported`: it moved money in a way that nothing here books yet.
 */
export type Effect = 'applied' | 'ignored' | 'early' | 'unsupported'

type EventOf<Type extends ProviderEvent['type']> = Extract<ProviderEvent, { type: Type }>

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
      return onCaptured(book, event.authorisation, event.amount, context)
    case 'givenBack':
      return onGivenBack(book, event, context)
    case 'reversalRefused':
      return onReversalRefused(book, event, context)
    case 'reversalFellThrough':
      return onReversalFellThrough(book, event, context)
    case 'reversalUnknown':
      return onReversalUnknown(book, event.authorisation, context)
    case 'rejected':
      return onRejected(book, event.reason, context)
  }
}

function onAuthorised(book: Book, event: EventOf<'authorised'>, context: Context): Effect {
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
    providerReference: null,
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

function onAttemptRefused(book: Book, event: EventOf<'attemptRefused'>, context: Context): Effect {
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

/** A reservation was captured: the money is taken now. An automatic capture has said so already. */
function onCaptured(book: Book, reference: string, amount: Money, context: Context): Effect {
  const { payment } = book
  const kept = book.authorisations.find((one) => one.reference === reference)
  if (kept?.outcome !== 'authorised') return 'early'
  if (payment.authorisation !== reference) return 'unsupported'
  if (payment.status === 'captured') return 'applied'
  if (amount.currency !== payment.amount.currency || amount.value > payment.amount.value) {
    return 'unsupported'
  }
  if (!mayMove(payment.status, 'captured')) return 'unsupported'
  kept.disposition = 'kept'
  book.touched.add(kept)
  payment.amountCaptured = amount.value
  payment.failure = null
  payment.cancelledBy = null
  post(book, 'payment', reference, amount, { type: 'payment', id: payment.id })
  movePayment(book, 'captured', { authorisation: reference }, context)
  return 'applied'
}

/** A reversal of ours succeeded; or somebody gave back at the provider what we did not ask for. */
function onGivenBack(book: Book, event: EventOf<'givenBack'>, context: Context): Effect {
  const reversal = findReversal(book, event.authorisation)
  if (reversal === undefined) return onGivenBackUnasked(book, event, context)
  if (reversal.status === 'succeeded') return 'applied'
  // That it fell through afterwards is the later news, in whatever order they came.
  if (hasFallenThrough(reversal) && isOurs(reversal, event.by)) return 'applied'
  reversal.status = 'succeeded'
  reversal.failure = null
  postReversal(book, 'reversal', reversal, event.by)
  recordReversal(book, reversal, context)
  return 'applied'
}

function onGivenBackUnasked(book: Book, event: EventOf<'givenBack'>, context: Context): Effect {
  const { authorisation: reference } = event
  const known = book.authorisations.find((one) => one.reference === reference)
  if (known?.disposition === 'differs') {
    known.disposition = 'released'
    book.touched.add(known)
    if (isTaken(book.payment) && known.amount.value > 0) {
      post(book, 'reversal', reference, known.amount, { type: 'payment', id: book.payment.id })
    }
    return 'applied'
  }
  if (known?.disposition === 'kept' && book.payment.status === 'captured') return 'unsupported'
  return release(book, reference, 'cancelled', context)
}

function onReversalRefused(
  book: Book,
  event: EventOf<'reversalRefused'>,
  context: Context
): Effect {
  const reversal = findReversal(book, event.authorisation)
  if (reversal === undefined) return withoutReversal(book, event.authorisation)
  // Somebody else's request was refused; or ours, of which we know more already.
  if (event.by !== null && !isOurs(reversal, event.by)) return 'ignored'
  if (reversal.status !== 'requested') return 'applied'
  const failure = { code: 'provider_rejected', message: event.reason } as const
  failReversal(book, reversal, failure, reversal.id, context)
  return 'applied'
}

function onReversalFellThrough(
  book: Book,
  event: EventOf<'reversalFellThrough'>,
  context: Context
): Effect {
  const reversal = findReversal(book, event.authorisation)
  if (reversal === undefined) return withoutReversal(book, event.authorisation)
  const failure = { code: 'provider_error', message: event.reason } as const
  if (reversal.status === 'failed') {
    // It counts more than a refusal: it is not given back any more by the same request.
    if (!hasFallenThrough(reversal)) {
      reversal.failure = { ...failure, retryable: true }
      book.touched.add(reversal)
    }
    return 'applied'
  }
  if (reversal.status === 'succeeded') postReversal(book, 'reversalFailed', reversal, event.by)
  failReversal(book, reversal, failure, `${reversal.id}:${event.by.providerReference}`, context)
  return 'applied'
}

/** Of a payment without reversal: the money went back some other way, or nothing is known yet. */
function withoutReversal(book: Book, authorisation: string): Effect {
  const known = book.authorisations.find((one) => one.reference === authorisation)
  return known?.outcome === 'authorised' ? 'unsupported' : 'early'
}

function failReversal(
  book: Book,
  reversal: Reversal,
  failure: Pick<Failure, 'code' | 'message'>,
  fact: string,
  context: Context
): void {
  reversal.status = 'failed'
  reversal.failure = { ...failure, retryable: true }
  recordReversal(book, reversal, context)
  const { id, authorisation } = reversal
  const details = { reversalId: id, authorisation, reason: failure.message }
  openDiscrepancy(book, 'reversal_failed', fact, details, context)
}

/** Whether a request that the provider tells of is the one that we made. */
function isOurs(reversal: Reversal, by: Modification): boolean {
  const { providerReference, id } = reversal
  return (
    providerReference === null || by.providerReference === providerReference || by.reference === id
  )
}

/** It had succeeded at the provider and came to nothing later; a refused one never succeeded. */
function hasFallenThrough({ failure }: Reversal): boolean {
  return failure?.code === 'provider_error'
}

function postReversal(
  book: Book,
  kind: 'reversal' | 'reversalFailed',
  { id, amount }: Reversal,
  by: Modification
): void {
  if (!isTaken(book.payment)) return
  post(book, kind, `${id}:${by.providerReference}`, amount, { type: 'reversal', id })
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

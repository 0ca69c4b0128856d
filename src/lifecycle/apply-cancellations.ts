/**
 * Cancellations, as the provider tells of them: of reservations that were not captured, and of
 * payments that have not come so far (docs.adyen.com/online-payments/cancel).
 */
import type { RequestReference } from '../provider.ts'
import {
  type Authorisation,
  addAuthorisation,
  type Book,
  type Context,
  failModification,
  findAuthorisation,
  modificationsOf,
  movePayment,
  recordModification
} from './aggregate.ts'
import { addTakenCapture, capturesOf, takeBack } from './apply-captures.ts'
import { onReversed } from './apply-reversals.ts'
import { type Effect, type EventOf, isTaken, refused } from './effect.ts'
import { isSame, type Modification } from './operation.ts'
import { release, settleCancellation } from './release.ts'

export function onCancelled(book: Book, event: EventOf<'cancelled'>, context: Context): Effect {
  const { authorisation: reference, by } = event
  const known = findAuthorisation(book, reference)
  const asked = findCancellation(book, by)
  if (known?.outcome !== 'authorised') {
    return asked === undefined ? 'early' : cancelUnseen(book, asked, reference, context)
  }
  // Money that is not the payment's own goes back, by whatever kind of request.
  if (known.disposition === 'reversing' || known.disposition === 'differs') {
    return onReversed(
      book,
      { ...event, type: 'reversed', authorisation: known.reference, amount: known.amount },
      context
    )
  }
  if (known.disposition === 'kept' && book.payment.status === 'captured') {
    // With manual capture, what was not captured is let go: the books stay as they are.
    if (!isTaken(book.payment) && asked === undefined) return 'ignored'
    // With automatic capture, it was let go before it was taken, and we had booked it as taken.
    if (isTaken(book.payment) && undoCapture(book, known, by, context) === 'early') return 'early'
  }
  settleCancellation(book, asked, known, by, context)
  release(book, known.reference, 'cancelled', context)
  return 'applied'
}

export function onCancellationRefused(
  book: Book,
  event: EventOf<'cancellationRefused'>,
  context: Context
): Effect {
  const cancellation = findCancellation(book, event.by)
  if (cancellation === undefined) return 'ignored'
  if (cancellation.status !== 'requested') return 'applied'
  const { status, method } = book.payment
  // The provider has nothing to cancel of a charge, or money that it has not told of yet: the
  // charge is not sent again, and money that is told later goes back.
  if (status === 'pending' && method === 'registeredCard') {
    cancelPending(book, cancellation, context)
    return 'applied'
  }
  failModification(book, cancellation, refused(event.reason), context)
  return 'applied'
}

/**
 * The link can't be paid any more; but whoever was quicker has paid. Undefined where nobody asked
 * to cancel it.
 */
export function onLinkExpired(book: Book, context: Context): Effect | undefined {
  const cancellation = modificationsOf(book, 'cancellation').find(
    ({ status }) => status === 'requested'
  )
  if (cancellation === undefined) return undefined
  if (book.payment.status === 'pending') {
    cancelPending(book, cancellation, context)
  } else {
    failModification(book, cancellation, refused('The link was paid already.'), context)
  }
  return 'applied'
}

/** Ends a payment that waits for its customer, because the client wants it no more. */
export function cancelPending(book: Book, cancellation: Modification, context: Context): void {
  cancellation.status = 'succeeded'
  recordModification(book, cancellation, context)
  book.payment.cancelledBy = 'client'
  movePayment(book, 'cancelled', {}, context)
}

/** A payment was cancelled before we were told of any authorisation of it. */
function cancelUnseen(
  book: Book,
  cancellation: Modification,
  reference: string | null,
  context: Context
): Effect {
  const { payment } = book
  if (cancellation.status === 'succeeded') return 'applied'
  // When the authorisation is told later it is known to be gone.
  const { amount } = payment
  if (reference !== null) {
    const seen = findAuthorisation(book, reference)
    const gone = seen ?? addAuthorisation(book, { authorisation: reference, amount })
    gone.outcome = 'authorised'
    gone.disposition = 'released'
    book.touched.add(gone)
  }
  cancellation.failure = null
  if (payment.status === 'pending') {
    cancelPending(book, cancellation, context)
  } else {
    cancellation.status = 'succeeded'
    recordModification(book, cancellation, context)
  }
  return 'applied'
}

function undoCapture(
  book: Book,
  kept: Authorisation,
  by: RequestReference,
  context: Context
): Effect {
  if (book.payment.amountRefunded > 0) return 'early'
  const [taken] = capturesOf(book, kept.reference)
  const capture = taken ?? addTakenCapture(book, kept, null, context)
  const reason = `It was cancelled before it was taken (${by.providerReference}).`
  return takeBack(book, capture, reason, context)
}

/**
 * The cancellation that is told of. A payment has one at a time, and cancelling twice is cancelling
 * once, so one that waits for its outcome has it, whoever else may have asked.
 */
function findCancellation(book: Book, by: RequestReference): Modification | undefined {
  const all = modificationsOf(book, 'cancellation')
  return all.find((one) => isSame(one, by)) ?? all.find(({ status }) => status === 'requested')
}

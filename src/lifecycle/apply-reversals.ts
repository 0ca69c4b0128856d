/**
 * Money that is sent back whole, as the provider tells of it: a reversal cancels or refunds,
 * whichever is possible (docs.adyen.com/online-payments/reversal).
 */
import type { Failure, RequestReference } from '../provider.ts'
import {
  type Authorisation,
  type Book,
  type Context,
  failModification,
  findAuthorisation,
  findReversal,
  modificationsOf,
  openDiscrepancy,
  post,
  recordModification
} from './aggregate.ts'
import { addRefund, succeedRefund } from './apply-refunds.ts'
import { type Effect, type EventOf, isTaken, refused } from './effect.ts'
import { isSame, type Modification } from './operation.ts'
import { release, settleCancellation } from './release.ts'

/** A reversal of ours succeeded; or somebody gave back at the provider what we did not ask for. */
export function onReversed(book: Book, event: EventOf<'reversed'>, context: Context): Effect {
  const reversal = findReversal(book, event.authorisation)
  // A person has decided what becomes of this money since: it can't have gone back as well.
  if (isDecided(findAuthorisation(book, event.authorisation))) return 'unsupported'
  if (reversal === undefined) return onReversedUnasked(book, event, context)
  if (reversal.status === 'succeeded') return 'applied'
  // That it fell through afterwards is the later news, in whatever order they came.
  if (reversal.failures > 0 && isOurs(reversal, event.by)) return 'applied'
  reversal.status = 'succeeded'
  reversal.failure = null
  postReversal(book, 'reversal', reversal, event.by)
  recordModification(book, reversal, context)
  return 'applied'
}

export function onReversalRefused(
  book: Book,
  event: EventOf<'reversalRefused'>,
  context: Context
): Effect {
  const reversal = findReversal(book, event.authorisation)
  // Somebody else's request was refused; or ours, of which we know more already.
  if (reversal === undefined || !isOurs(reversal, event.by)) return 'ignored'
  if (reversal.status !== 'requested') return 'applied'
  failReversal(book, reversal, refused(event.reason), reversal.id, context)
  return 'applied'
}

export function onReversalFellThrough(
  book: Book,
  event: EventOf<'refundFellThrough'>,
  context: Context
): Effect {
  const { authorisation } = event
  const reversal = findReversal(book, authorisation)
  if (reversal === undefined) {
    const known = findAuthorisation(book, authorisation)
    const isOther = known?.outcome === 'authorised' && book.payment.authorisation !== authorisation
    return isOther ? 'unsupported' : 'early'
  }
  const failure = { code: 'provider_error', message: event.reason, retryable: true } as const
  const stood = reversal.status === 'succeeded'
  const { providerReference } = event.by
  if (reversal.status === 'failed') {
    // It counts more than a refusal: it is not given back any more by the same request.
    if (reversal.failures === 0) {
      reversal.failures = 1
      reversal.failure = failure
      book.touched.add(reversal)
    }
    return 'applied'
  }
  // Another request gave it back since.
  if (reversal.failures > 0 && isSame(reversal, event.by)) return 'applied'
  reversal.failures += 1
  if (stood) postReversal(book, 'reversalFailed', reversal, event.by)
  failReversal(book, reversal, failure, `${reversal.id}:${providerReference}`, context)
  return 'applied'
}

function isDecided(authorisation: Authorisation | undefined): boolean {
  const { disposition } = authorisation ?? {}
  return disposition === 'applied' || disposition === 'writtenOff'
}

/** A failed reversal leaves the money in clearing: a person must say what becomes of it. */
export function failReversal(
  book: Book,
  reversal: Modification,
  failure: Failure,
  fact: string,
  context: Context
): void {
  failModification(book, reversal, failure, context)
  const { id, authorisation } = reversal
  const details = { reversalId: id, authorisation, reason: failure.message }
  openDiscrepancy(book, 'reversal_failed', fact, details, context)
}

function onReversedUnasked(book: Book, event: EventOf<'reversed'>, context: Context): Effect {
  const { authorisation: reference, by } = event
  const { payment } = book
  const known = findAuthorisation(book, reference)
  if (known?.disposition === 'differs') {
    known.disposition = 'released'
    book.touched.add(known)
    if (isTaken(payment) && known.amount.value > 0) {
      post(book, 'reversal', reference, known.amount, { type: 'payment', id: payment.id })
    }
    return 'applied'
  }
  if (known?.disposition === 'kept' && payment.status === 'captured') {
    return refundRest(book, event, context)
  }
  if (known?.disposition === 'kept') settleCancellation(book, undefined, known, by, context)
  return release(book, reference, 'cancelled', context)
}

/** All that is left of the payment's own money went back, by somebody at the provider. */
function refundRest(book: Book, event: EventOf<'reversed'>, context: Context): Effect {
  const { payment } = book
  const known = modificationsOf(book, 'refund').find((one) => isSame(one, event.by))
  const left = payment.amountCaptured - payment.amountRefunded
  if (known !== undefined || left === 0) return 'applied'
  const amount = { currency: payment.amount.currency, value: left }
  const refund = addRefund(book, { ...event, amount }, context)
  refund.isRest = true
  succeedRefund(book, refund, context)
  return 'applied'
}

/** Whether the reversal that the provider tells of is ours: so long as it has no reference, any. */
function isOurs(reversal: Modification, by: RequestReference): boolean {
  return reversal.providerReference === null || isSame(reversal, by)
}

function postReversal(
  book: Book,
  kind: 'reversal' | 'reversalFailed',
  { id, amount }: Modification,
  by: RequestReference
): void {
  if (!isTaken(book.payment)) return
  post(book, kind, `${id}:${by.providerReference}`, amount, { type: 'reversal', id })
}

/**
 * Refunds, as the provider tells of them (docs.adyen.com/online-payments/refund). A refund reserves
 * from the moment it is asked for; the books move when it succeeds, and back when it comes to
 * nothing later.
 */
import {
  addModification,
  type Book,
  type Context,
  failModification,
  modificationsOf,
  openDiscrepancy,
  post,
  recordModification
} from './aggregate.ts'
import { type Effect, type EventOf, findOwn, refused } from './effect.ts'
import { isSame, type Modification, recognise } from './operation.ts'

export function onRefunded(book: Book, event: EventOf<'refunded'>, context: Context): Effect {
  const { payment } = book
  const own = findOwn(book, event.authorisation)
  if (typeof own === 'string') return own
  const known = modificationsOf(book, 'refund').find((one) => isSame(one, event.by))
  if (event.amount.currency !== payment.amount.currency) return 'unsupported'
  if (known !== undefined && known.amount.value !== event.amount.value) return 'unsupported'
  // That it fell through is the later news, in whatever order they came.
  if (known?.status === 'succeeded' || (known?.failures ?? 0) > 0) return 'applied'
  // What it gives back must have been taken: its capture is still to be told.
  if (payment.amountRefunded + event.amount.value > payment.amountCaptured) return 'early'
  succeedRefund(book, known ?? addRefund(book, event, context), context)
  return 'applied'
}

export function onRefundRefused(
  book: Book,
  event: EventOf<'refundRefused'>,
  context: Context
): Effect {
  const refund = modificationsOf(book, 'refund').find((one) => isSame(one, event.by))
  if (refund === undefined) return 'ignored'
  if (refund.status === 'requested') refuseRefund(book, refund, event.reason, context)
  return 'applied'
}

/** Money came again that `refund` had given back. */
export function onRefundFellThrough(
  book: Book,
  refund: Modification,
  { by, reason }: EventOf<'refundFellThrough'>,
  context: Context
): Effect {
  if (refund.failures > 0) return 'applied'
  const { payment } = book
  const { amount } = refund
  refund.failures = 1
  recognise(refund, by)
  if (refund.status === 'requested') payment.amountRefunding -= amount.value
  if (refund.status === 'succeeded') {
    payment.amountRefunded -= amount.value
    post(book, 'refundFailed', refund.id, amount, { type: 'refund', id: refund.id })
  }
  const failure = { code: 'provider_error', message: reason, retryable: true } as const
  failModification(book, refund, failure, context)
  return 'applied'
}

/** One that somebody asked for at the provider. */
export function addRefund(
  book: Book,
  { authorisation, amount, by }: Pick<EventOf<'refunded'>, 'authorisation' | 'amount' | 'by'>,
  context: Context
): Modification {
  const { providerReference } = by
  const given = { kind: 'refund', authorisation, amount, origin: 'provider' } as const
  return addModification(book, { ...given, providerReference }, context)
}

/** The money went back to the card. */
export function succeedRefund(book: Book, refund: Modification, context: Context): void {
  const { payment } = book
  const { id, amount } = refund
  const isReserved = refund.origin === 'client' && refund.status === 'requested'
  if (isReserved) payment.amountRefunding -= amount.value
  payment.amountRefunded += amount.value
  refund.status = 'succeeded'
  refund.failure = null
  const kind = payment.method === 'recorded' ? 'recordedRefund' : 'refund'
  post(book, kind, id, amount, { type: 'refund', id })
  recordModification(book, refund, context)
  if (payment.amountRefunded + payment.amountChargedBack > payment.amountCaptured) {
    openDiscrepancy(book, 'refund_and_chargeback', id, { refundId: id }, context)
  }
}

/** Nothing went back, and what it reserved is free again. */
export function refuseRefund(
  book: Book,
  refund: Modification,
  reason: string,
  context: Context
): void {
  book.payment.amountRefunding -= refund.amount.value
  failModification(book, refund, refused(reason), context)
}

/**
 * The refund that came to nothing: by its references; else the last of that amount that went well,
 * since the provider may tell it under another reference, or the one that was told as a reversal.
 */
export function findFallenRefund(
  book: Book,
  { authorisation, amount, by }: EventOf<'refundFellThrough'>
): Modification | undefined {
  const all = modificationsOf(book, 'refund').filter((one) => one.authorisation === authorisation)
  const refunds = all.filter((one) => one.amount.value === amount.value)
  return (
    refunds.find((one) => isSame(one, by)) ??
    refunds.findLast(({ status }) => status === 'succeeded') ??
    all.findLast((one) => one.isRest && one.status === 'succeeded')
  )
}

/**
 * Refunds, as the provider tells of them (docs.adyen.com/online-payments/refund). A refund reserves
 * from the moment it is asked for; the books move when it succeeds, and back when it comes to
 * nothing later.
 */
import {
  addOperation,
  failOperation,
  type LifecycleContext,
  openDiscrepancy,
  operationsOf,
  type PaymentAggregate,
  post,
  recordOperation
} from './aggregate.ts'
import { type Effect, type EventOf, findOwn, refused } from './effect.ts'
import { isSame, type Operation, recognise } from './operation.ts'

export function onRefunded(
  aggregate: PaymentAggregate,
  event: EventOf<'refunded'>,
  context: LifecycleContext
): Effect {
  const { payment } = aggregate
  const own = findOwn(aggregate, event.authorisationReference)
  if (typeof own === 'string') return own
  const known = operationsOf(aggregate, 'refund').find((one) => isSame(one, event.by))
  if (event.amount.currency !== payment.amount.currency) return 'unsupported'
  if (known !== undefined && known.amount.value !== event.amount.value) return 'unsupported'
  // That it fell through is the later news, in whatever order they came.
  if (known?.status === 'succeeded' || (known?.failures ?? 0) > 0) return 'applied'
  // What it gives back must have been taken: its capture is still to be told.
  if (payment.amountRefunded + event.amount.value > payment.amountCaptured) return 'early'
  succeedRefund(aggregate, known ?? addRefund(aggregate, event, context), context)
  return 'applied'
}

export function onRefundRefused(
  aggregate: PaymentAggregate,
  event: EventOf<'refundRefused'>,
  context: LifecycleContext
): Effect {
  const refund = operationsOf(aggregate, 'refund').find((one) => isSame(one, event.by))
  if (refund === undefined) return 'ignored'
  if (refund.status === 'requested') refuseRefund(aggregate, refund, event.reason, context)
  return 'applied'
}

/** Money came again that `refund` had given back. */
export function onRefundFailed(
  aggregate: PaymentAggregate,
  refund: Operation,
  { by, reason }: EventOf<'refundFailed'>,
  context: LifecycleContext
): Effect {
  if (refund.failures > 0) return 'applied'
  const { payment } = aggregate
  const { amount } = refund
  refund.failures = 1
  recognise(refund, by)
  if (refund.status === 'requested') payment.amountRefunding -= amount.value
  if (refund.status === 'succeeded') {
    payment.amountRefunded -= amount.value
    post(aggregate, 'refundFailed', refund.id, amount, { type: 'refund', id: refund.id })
  }
  const failure = { code: 'provider_error', message: reason, retryable: true } as const
  failOperation(aggregate, refund, failure, context)
  return 'applied'
}

/** One that somebody asked for at the provider. */
export function addRefund(
  aggregate: PaymentAggregate,
  {
    authorisationReference: authorisation,
    amount,
    by
  }: Pick<EventOf<'refunded'>, 'authorisationReference' | 'amount' | 'by'>,
  context: LifecycleContext
): Operation {
  const { providerReference } = by
  const given = {
    kind: 'refund',
    authorisationReference: authorisation,
    amount,
    origin: 'provider'
  } as const
  return addOperation(aggregate, { ...given, providerReference }, context)
}

/** The money went back to the card. */
export function succeedRefund(
  aggregate: PaymentAggregate,
  refund: Operation,
  context: LifecycleContext
): void {
  const { payment } = aggregate
  const { id, amount } = refund
  const isReserved = refund.origin === 'client' && refund.status === 'requested'
  if (isReserved) payment.amountRefunding -= amount.value
  payment.amountRefunded += amount.value
  refund.status = 'succeeded'
  refund.failure = null
  const kind = payment.method === 'recorded' ? 'recordedRefund' : 'refund'
  post(aggregate, kind, id, amount, { type: 'refund', id })
  recordOperation(aggregate, refund, context)
  if (payment.amountRefunded + payment.amountChargedBack > payment.amountCaptured) {
    openDiscrepancy(aggregate, 'refund_and_chargeback', id, { refundId: id }, context)
  }
}

/** Nothing went back, and what it reserved is free again. */
export function refuseRefund(
  aggregate: PaymentAggregate,
  refund: Operation,
  reason: string,
  context: LifecycleContext
): void {
  aggregate.payment.amountRefunding -= refund.amount.value
  failOperation(aggregate, refund, refused(reason), context)
}

/**
 * The refund that came to nothing: by its references; else the last of that amount that went well,
 * since the provider may tell it under another reference, or the one that was told as a reversal.
 */
export function findFallenRefund(
  aggregate: PaymentAggregate,
  { authorisationReference: authorisation, amount, by }: EventOf<'refundFailed'>
): Operation | undefined {
  const all = operationsOf(aggregate, 'refund').filter(
    (one) => one.authorisationReference === authorisation
  )
  const refunds = all.filter((one) => one.amount.value === amount.value)
  return (
    refunds.find((one) => isSame(one, by)) ??
    refunds.findLast(({ status }) => status === 'succeeded') ??
    all.findLast((one) => one.isRest && one.status === 'succeeded')
  )
}

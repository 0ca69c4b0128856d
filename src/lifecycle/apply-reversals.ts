/**
 * Money that is sent back whole, as the provider tells of it: a reversal cancels or refunds,
 * whichever is possible (docs.adyen.com/online-payments/reversal).
 */
import type { Failure, RequestReference } from '../provider.ts'
import {
  type Authorisation,
  failOperation,
  findAuthorisation,
  findReversal,
  type LifecycleContext,
  openDiscrepancy,
  operationsOf,
  type PaymentAggregate,
  post,
  recordOperation
} from './aggregate.ts'
import { addRefund, succeedRefund } from './apply-refunds.ts'
import { type Effect, type EventOf, isTaken, refused } from './effect.ts'
import { isSame, type Operation } from './operation.ts'
import { recordCancellation, release } from './release.ts'

/** A reversal of ours succeeded; or somebody gave back at the provider what we did not ask for. */
export function onReversed(
  aggregate: PaymentAggregate,
  event: EventOf<'reversed'>,
  context: LifecycleContext
): Effect {
  const reversal = findReversal(aggregate, event.authorisationReference)
  // A person has decided what becomes of this money since: it can't have gone back as well.
  if (isDecided(findAuthorisation(aggregate, event.authorisationReference))) return 'unsupported'
  if (reversal === undefined) return onReversedUnasked(aggregate, event, context)
  if (reversal.status === 'succeeded') return 'applied'
  // That it fell through afterwards is the later news, in whatever order they came.
  if (reversal.failures > 0 && isOurs(reversal, event.by)) return 'applied'
  reversal.status = 'succeeded'
  reversal.failure = null
  postReversal(aggregate, 'reversal', reversal, event.by)
  recordOperation(aggregate, reversal, context)
  return 'applied'
}

export function onReversalRefused(
  aggregate: PaymentAggregate,
  event: EventOf<'reversalRefused'>,
  context: LifecycleContext
): Effect {
  const reversal = findReversal(aggregate, event.authorisationReference)
  // Somebody else's request was refused; or ours, of which we know more already.
  if (reversal === undefined || !isOurs(reversal, event.by)) return 'ignored'
  if (reversal.status !== 'requested') return 'applied'
  failReversal(aggregate, reversal, refused(event.reason), reversal.id, context)
  return 'applied'
}

export function onReversalFailed(
  aggregate: PaymentAggregate,
  event: EventOf<'refundFailed'>,
  context: LifecycleContext
): Effect {
  const { authorisationReference: authorisation } = event
  const reversal = findReversal(aggregate, authorisation)
  if (reversal === undefined) {
    const known = findAuthorisation(aggregate, authorisation)
    const isOther =
      known?.outcome === 'authorised' && aggregate.payment.authorisationReference !== authorisation
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
      aggregate.touched.add(reversal)
    }
    return 'applied'
  }
  // Another request gave it back since.
  if (reversal.failures > 0 && isSame(reversal, event.by)) return 'applied'
  reversal.failures += 1
  if (stood) postReversal(aggregate, 'reversalFailed', reversal, event.by)
  failReversal(aggregate, reversal, failure, `${reversal.id}:${providerReference}`, context)
  return 'applied'
}

function isDecided(authorisation: Authorisation | undefined): boolean {
  const { disposition } = authorisation ?? {}
  return disposition === 'applied' || disposition === 'writtenOff'
}

/** A failed reversal leaves the money in clearing: a person must say what becomes of it. */
export function failReversal(
  aggregate: PaymentAggregate,
  reversal: Operation,
  failure: Failure,
  fact: string,
  context: LifecycleContext
): void {
  failOperation(aggregate, reversal, failure, context)
  const { id, authorisationReference: authorisation } = reversal
  const details = { reversalId: id, authorisation, reason: failure.message }
  openDiscrepancy(aggregate, 'reversal_failed', fact, details, context)
}

function onReversedUnasked(
  aggregate: PaymentAggregate,
  event: EventOf<'reversed'>,
  context: LifecycleContext
): Effect {
  const { authorisationReference: reference, by } = event
  const { payment } = aggregate
  const known = findAuthorisation(aggregate, reference)
  if (known?.disposition === 'differs') {
    known.disposition = 'released'
    aggregate.touched.add(known)
    if (isTaken(payment) && known.amount.value > 0) {
      post(aggregate, 'reversal', reference, known.amount, { type: 'payment', id: payment.id })
    }
    return 'applied'
  }
  if (known?.disposition === 'kept' && payment.status === 'captured') {
    return refundRest(aggregate, event, context)
  }
  if (known?.disposition === 'kept') recordCancellation(aggregate, undefined, known, by, context)
  return release(aggregate, reference, 'cancelled', context)
}

/** All that is left of the payment's own money went back, by somebody at the provider. */
function refundRest(
  aggregate: PaymentAggregate,
  event: EventOf<'reversed'>,
  context: LifecycleContext
): Effect {
  const { payment } = aggregate
  const known = operationsOf(aggregate, 'refund').find((one) => isSame(one, event.by))
  const left = payment.amountCaptured - payment.amountRefunded
  if (known !== undefined || left === 0) return 'applied'
  const amount = { currency: payment.amount.currency, value: left }
  const refund = addRefund(aggregate, { ...event, amount }, context)
  refund.isRest = true
  succeedRefund(aggregate, refund, context)
  return 'applied'
}

/** Whether the reversal that the provider tells of is ours: so long as it has no reference, any. */
function isOurs(reversal: Operation, by: RequestReference): boolean {
  return reversal.providerReference === null || isSame(reversal, by)
}

function postReversal(
  aggregate: PaymentAggregate,
  kind: 'reversal' | 'reversalFailed',
  { id, amount }: Operation,
  by: RequestReference
): void {
  if (!isTaken(aggregate.payment)) return
  post(aggregate, kind, `${id}:${by.providerReference}`, amount, { type: 'reversal', id })
}

/** A reservation is let go: it expired, or was cancelled, by us or by somebody at the provider. */
import type { RequestReference } from '../provider.ts'
import {
  type Authorisation,
  addOperation,
  findAuthorisation,
  type LifecycleContext,
  movePayment,
  type PaymentAggregate,
  recordOperation
} from './aggregate.ts'
import type { Effect } from './effect.ts'
import type { Operation } from './operation.ts'

/** A reservation that was never captured is gone. */
export function release(
  aggregate: PaymentAggregate,
  reference: string,
  move: 'expired' | 'cancelled',
  context: LifecycleContext
): Effect {
  const { payment } = aggregate
  const kept = findAuthorisation(aggregate, reference)
  if (kept?.outcome !== 'authorised') return 'early'
  if (kept.disposition === 'released') return 'applied'
  if (kept.disposition !== 'kept' || payment.status !== 'authorised') return 'ignored'
  kept.disposition = 'released'
  aggregate.touched.add(kept)
  if (move === 'cancelled') {
    payment.cancelledBy = 'client'
  } else {
    payment.failure = {
      code: 'expired',
      message: 'The reservation expired before it was captured.',
      retryable: true
    }
  }
  movePayment(aggregate, move, { authorisation: reference }, context)
  return 'applied'
}

/** Writes down that a cancellation succeeded; one that we did not ask for is the provider's. */
export function recordCancellation(
  aggregate: PaymentAggregate,
  asked: Operation | undefined,
  { reference, amount, disposition }: Authorisation,
  by: RequestReference,
  context: LifecycleContext
): void {
  if (asked?.status === 'succeeded' || (asked === undefined && disposition === 'released')) return
  const cancellation =
    asked ??
    addOperation(
      aggregate,
      {
        kind: 'cancellation',
        authorisationReference: reference,
        amount,
        origin: 'provider',
        providerReference: by.providerReference
      },
      context
    )
  cancellation.status = 'succeeded'
  cancellation.failure = null
  recordOperation(aggregate, cancellation, context)
}

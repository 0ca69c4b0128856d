/** What the provider answered to our own request, or never answered. */

import {
  failOperation,
  type LifecycleContext,
  openDiscrepancy,
  type PaymentAggregate
} from './aggregate.ts'
import { refuseRefund } from './apply-refunds.ts'
import { failReversal } from './apply-reversals.ts'
import { type Effect, refused } from './effect.ts'

/** A definite no: nothing happened and nothing will. */
export function onOperationRejected(
  aggregate: PaymentAggregate,
  id: string,
  reason: string,
  context: LifecycleContext
): Effect {
  const operation = aggregate.operations.find((one) => one.id === id)
  if (operation?.status !== 'requested') return 'ignored'
  const failure = refused(reason)
  if (operation.kind === 'refund') refuseRefund(aggregate, operation, reason, context)
  else if (operation.kind === 'reversal') failReversal(aggregate, operation, failure, id, context)
  else failOperation(aggregate, operation, failure, context)
  return 'applied'
}

export function onOperationUnknown(
  aggregate: PaymentAggregate,
  id: string,
  context: LifecycleContext
): Effect {
  const operation = aggregate.operations.find((one) => one.id === id)
  if (operation?.status !== 'requested') return 'ignored'
  const { kind, authorisationReference: authorisation } = operation
  const details = { [`${kind}Id`]: id, authorisation }
  openDiscrepancy(aggregate, 'outcome_unknown', id, details, context)
  return 'applied'
}

/** Captures, cancellations, refunds and reversals as the API and the events show them. */
import { moneyOf } from '../money.ts'
import { toFailureView, toOperatorView } from '../payments/payment-view.ts'
import type { Operation } from './model.ts'

/** Only a refund may have another status than these. */
type PlainStatus = 'requested' | 'succeeded' | 'failed'

function toSharedView({ id, amount, status, failure, origin }: Operation, paymentId: string) {
  return {
    id,
    paymentId,
    amount: moneyOf(amount),
    status: status as PlainStatus,
    failure: failure && toFailureView(failure),
    origin
  }
}

export function toCaptureView(operation: Operation, paymentId: string) {
  const { createdAt } = operation
  return { ...toSharedView(operation, paymentId), createdAt: createdAt.toISOString() }
}

function toCancellationView(operation: Operation, paymentId: string) {
  const { reason, createdAt } = operation
  return { ...toSharedView(operation, paymentId), reason, createdAt: createdAt.toISOString() }
}

export function toRefundView(operation: Operation, paymentId: string) {
  const { status, reason, operator, decision, processor } = operation
  return {
    ...toSharedView(operation, paymentId),
    status,
    reason,
    operator: operator && toOperatorView(operator),
    decision: decision && { operator: toOperatorView(decision.operator), at: decision.at },
    processor: processor && { name: processor.name, reference: processor.reference },
    createdAt: operation.createdAt.toISOString()
  }
}

function toReversalView(operation: Operation, paymentId: string) {
  const { authorisationReference: authorisation, createdAt } = operation
  return {
    ...toSharedView(operation, paymentId),
    authorisation,
    createdAt: createdAt.toISOString()
  }
}

const views = {
  capture: toCaptureView,
  cancellation: toCancellationView,
  refund: toRefundView,
  reversal: toReversalView
}

export function toOperationView(operation: Operation, paymentId: string) {
  return views[operation.kind](operation, paymentId)
}

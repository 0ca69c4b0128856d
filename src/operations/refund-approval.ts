/** Who approves a large refund, or rejects it, and what that does. Pure. */
import type { LifecycleContext, Operation, PaymentAggregate } from '../lifecycle/model.ts'
import { recordOperation } from '../lifecycle/operation.ts'
import { checkDisputes, exceeds } from '../lifecycle/refunds.ts'
import { amountRefundable, type Operator } from '../payments/payment.ts'
import { Problem } from '../problem.ts'

/**
 * Approves a refund, by another operator than the one who asked: `refund_not_awaiting_approval`,
 * `approver_is_requester`; and what may have changed since: `payment_disputed`,
 * `refund_exceeds_captured`.
 */
export function approveRefund(
  aggregate: PaymentAggregate,
  refund: Operation,
  operator: Operator,
  context: LifecycleContext
): void {
  const { payment } = aggregate
  checkDecision(refund, operator)
  checkDisputes(aggregate)
  const others = payment.amountRefunding - refund.amount.value
  const refundable = amountRefundable({ ...payment, amountRefunding: others })
  if (payment.status !== 'captured' || refund.amount.value > refundable) throw exceeds(refundable)
  refund.decision = { operator, at: context.now.toISOString() }
  refund.status = 'requested'
  recordOperation(aggregate, refund, context, 'approved')
  recordOperation(aggregate, refund, context)
}

/** Rejects a refund, by another operator than the one who asked: nothing is reserved any more. */
export function rejectRefund(
  aggregate: PaymentAggregate,
  refund: Operation,
  operator: Operator,
  context: LifecycleContext
): void {
  checkDecision(refund, operator)
  aggregate.payment.amountRefunding -= refund.amount.value
  refund.decision = { operator, at: context.now.toISOString() }
  refund.status = 'rejected'
  recordOperation(aggregate, refund, context)
}

function checkDecision(refund: Operation, operator: Operator): void {
  if (refund.status !== 'awaitingApproval') {
    const detail = `Refund ${refund.id} is ${refund.status}.`
    throw new Problem('refund_not_awaiting_approval', detail)
  }
  const nameOf = (one: Operator | null) => one?.id.trim().toLowerCase()
  if (nameOf(refund.operator) !== nameOf(operator)) return
  const errors = [{ pointer: '/operator/id', detail: 'It must be another operator.' }]
  const detail = 'Whoever asked for a refund does not decide on it.'
  throw new Problem('approver_is_requester', detail, { errors })
}

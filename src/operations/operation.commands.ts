import { isBreachOf } from '../database/breach.ts'
import { readClock, type Tx } from '../database/database.ts'
import { answerOnce, type OnceAnswer } from '../http/idempotency.commands.ts'
import type { Claim } from '../http/idempotency.store.ts'
import { checkPrecondition, etagOf } from '../http/precondition.ts'
import { newId } from '../id.ts'
import { lockAggregates, saveAggregates } from '../lifecycle/aggregate.store.ts'
import { requestCancellation } from '../lifecycle/cancellations.ts'
import { requestCapture } from '../lifecycle/captures.ts'
import type {
  LifecycleContext,
  Operation,
  OperationKind,
  PaymentAggregate
} from '../lifecycle/model.ts'
import { toOperationView, toRefundView } from '../lifecycle/operation-view.ts'
import {
  approveRefund,
  type RefundAsked,
  rejectRefund,
  requestRefund
} from '../lifecycle/refunds.ts'
import type { Money } from '../money.ts'
import { withAllocated } from '../payments/payment.store.ts'
import type { Operator, ShownPayment } from '../payments/payment.ts'
import { toETag, toShownView } from '../payments/payment-view.ts'
import { Problem } from '../problem.ts'
import type { Context } from '../service-context.ts'
import { sentAs } from './due-operation.store.ts'
import { findRefund } from './operation-reads.store.ts'

/** Who asks, under which key; `visibleTo` is the client whose payments alone it sees, or null. */
export type Asking = { claim: Claim; visibleTo: string | null }

/**
 * Every request about a payment: rule, intent and answer are one transaction, and the background
 * work asks the provider at once. So there is no answer that a crash could lose.
 */
async function change(
  deps: Context,
  { claim, visibleTo }: Asking,
  paymentId: string,
  status: 200 | 202,
  rule: (aggregate: PaymentAggregate, context: LifecycleContext) => Operation,
  etag: (tx: Tx, aggregate: PaymentAggregate) => Promise<string> = async (tx, { payment }) => {
    const [shown] = (await withAllocated(tx, [payment])) as [ShownPayment]
    const view = toShownView(shown, deps.providerName, visibleTo !== null)
    return toETag(payment, JSON.stringify(view))
  }
): Promise<OnceAnswer> {
  let kind: OperationKind | undefined
  try {
    const answer = await answerOnce(deps.db, claim, paymentId, async (tx) => {
      const aggregate = await lockAggregate(tx, paymentId, visibleTo)
      const known =
        claim.precondition?.ifMatch === undefined ? undefined : await etag(tx, aggregate)
      const operation = rule(aggregate, { now: await readClock(tx), newId })
      checkPrecondition(claim.precondition, known)
      kind = operation.kind
      await saveAggregates(tx, [aggregate], deps.providerName)
      return { status, body: JSON.stringify(toOperationView(operation, paymentId)) }
    })
    if (kind !== undefined) deps.wake(`send_${sentAs[kind]}`)
    return answer
  } catch (error) {
    if (!isRecordedTwice(error)) throw error
    throw new Problem('recorded_payment_conflict', 'This refund was recorded already.')
  }
}

/** Whether a refund of that processor and reference was recorded before. */
function isRecordedTwice(error: unknown): boolean {
  return isBreachOf('operation_recorded_once', error)
}

async function lockAggregate(
  tx: Tx,
  paymentId: string,
  visibleTo: string | null
): Promise<PaymentAggregate> {
  const aggregate = (await lockAggregates(tx, [paymentId])).get(paymentId)
  if (aggregate === undefined || (visibleTo !== null && aggregate.payment.clientId !== visibleTo)) {
    throw new Problem('payment_not_found', 'No payment has this id.')
  }
  return aggregate
}

/** `amount`: null for all that is left. */
export async function capturePayment(
  deps: Context,
  asking: Asking,
  paymentId: string,
  amount: Money | null
): Promise<OnceAnswer> {
  const { multiplePartialCaptures: several, provider } = deps
  return await change(deps, asking, paymentId, 202, (aggregate, context) =>
    requestCapture(aggregate, { amount, several, canExpress: provider.canExpress }, context)
  )
}

export async function cancelPayment(
  deps: Context,
  asking: Asking,
  paymentId: string,
  reason: string | null
): Promise<OnceAnswer> {
  return await change(deps, asking, paymentId, 202, (aggregate, context) =>
    requestCancellation(aggregate, { reason }, context)
  )
}

/** `refundId`: what its id is to be; by default a new one. */
export async function refundPayment(
  deps: Context,
  asking: Asking,
  paymentId: string,
  asked: RefundAsked,
  refundId?: string
): Promise<OnceAnswer> {
  const { refundApprovalAbove, provider } = deps
  return await change(deps, asking, paymentId, 202, (aggregate, { now }) =>
    requestRefund(aggregate, { ...asked, canExpress: provider.canExpress }, refundApprovalAbove, {
      now,
      newId: (prefix) => (prefix === 'ref' && refundId) || newId(prefix)
    })
  )
}

const decisions = { approval: approveRefund, rejection: rejectRefund }

/** `operator` approves or rejects the refund; a precondition is about the refund. */
export async function decideOnRefund(
  deps: Context,
  asking: Asking,
  refundId: string,
  decision: keyof typeof decisions,
  operator: Operator
): Promise<OnceAnswer> {
  const found = await findRefund(deps.db, refundId, asking.visibleTo)
  if (found === undefined) throw new Problem('refund_not_found', 'No refund has this id.')
  const { paymentId } = found
  const refundOf = ({ operations }: PaymentAggregate) =>
    operations.find(({ id }) => id === refundId) as Operation
  const rule = (aggregate: PaymentAggregate, context: LifecycleContext) => {
    const refund = refundOf(aggregate)
    decisions[decision](aggregate, refund, operator, context)
    return refund
  }
  const etag = async (_: Tx, aggregate: PaymentAggregate) =>
    etagOf(JSON.stringify(toRefundView(refundOf(aggregate), paymentId)))
  return await change(deps, asking, paymentId, 200, rule, etag)
}

/**
 * What a client may ask for a payment that is made, and when. Pure: each rule changes the
 * aggregate, or throws the problem that the client sees. What comes of it stands in the files apply-….
 */
import { fitsCmpDecimals, type Money } from '../money.ts'
import { amountRefundable, type Operator, type Payment } from '../payments/payment.ts'
import { Problem } from '../problem.ts'
import {
  addOperation,
  type LifecycleContext,
  operationsOf,
  type PaymentAggregate,
  recordOperation
} from './aggregate.ts'
import { cancelPending } from './apply-cancellations.ts'
import { succeedRefund } from './apply-refunds.ts'
import { blocksRefunds } from './dispute.ts'
import { isUnderWay, type Operation } from './operation.ts'

export type CaptureAsked = {
  /** All that is reserved and not captured, where it is null. */
  amount: Money | null
  /** Whether the merchant account has several partial captures switched on at Adyen. */
  several: boolean
  canExpress?: CanExpress
}

/**
 * Whether the provider can express an amount. It is not asked about all that is left: the provider
 * took the whole, and told of each part that was taken of it.
 */
export type CanExpress = (amount: Money) => boolean

/**
 * Asks for reserved money: `payment_not_capturable`, `amount_not_representable`,
 * `capture_exceeds_authorised`.
 */
export function requestCapture(
  aggregate: PaymentAggregate,
  asked: CaptureAsked,
  context: LifecycleContext
): Operation {
  const { payment } = aggregate
  const captures = operationsOf(aggregate, 'capture').filter(
    (one) => one.status === 'succeeded' || one.status === 'requested'
  )
  const isOpen =
    payment.status === 'authorised' ||
    (payment.status === 'captured' && payment.capture === 'manual' && asked.several)
  const mayCapture = isOpen && (asked.several || captures.length === 0)
  if (!mayCapture || isBeing(aggregate, 'cancellation')) {
    const why =
      captures.length > 0
        ? 'it has a capture already'
        : `it is ${describe(aggregate, 'cancellation')}`
    throw new Problem('payment_not_capturable', `Payment ${payment.id} can't be captured: ${why}.`)
  }
  const taken = captures.reduce((sum, { amount }) => sum + amount.value, 0)
  const left = { ...payment.amount, value: Math.max(0, payment.amount.value - taken) }
  const amount = asked.amount ?? left
  checkCurrency(payment, amount)
  if (asked.amount !== null) checkRepresentable(amount, asked.canExpress)
  if (amount.value > left.value || left.value === 0) {
    throw new Problem('capture_exceeds_authorised', `At most ${left.value} can be captured.`, {
      errors: [{ pointer: '/amount/value', detail: `At most ${left.value} in minor units.` }]
    })
  }
  const given = {
    kind: 'capture',
    authorisationReference: payment.authorisationReference,
    amount
  } as const
  return recorded(aggregate, addOperation(aggregate, given, context), context)
}

/**
 * Asks to have no payment: `payment_not_cancellable`. A page can't be closed at the provider, so
 * the payment ends here at once, and money that comes all the same is sent back. A link is closed
 * first, a charge whose outcome is not known is cancelled by our reference, a reservation by its
 * own.
 */
export function requestCancellation(
  aggregate: PaymentAggregate,
  asked: { reason: string | null },
  context: LifecycleContext
): Operation {
  const { payment } = aggregate
  const { status, authorisationReference: authorisation, amount } = payment
  const isOpen = status === 'pending' || status === 'authorised'
  if (!isOpen || isBeing(aggregate, 'cancellation') || isBeing(aggregate, 'capture')) {
    const why = isBeing(aggregate, 'capture')
      ? 'being captured'
      : describe(aggregate, 'cancellation')
    const detail = `Payment ${payment.id} can't be cancelled: it is ${why}.`
    throw new Problem('payment_not_cancellable', detail)
  }
  const given = {
    kind: 'cancellation',
    authorisationReference: authorisation,
    amount,
    ...asked
  } as const
  if (endsHere(payment)) {
    const cancellation = addOperation(aggregate, { ...given, providerKey: null }, context)
    cancelPending(aggregate, cancellation, context)
    return cancellation
  }
  return recorded(aggregate, addOperation(aggregate, given, context), context)
}

/** Whether there is nothing at the provider that could be closed or cancelled. */
function endsHere({ status, method, providerSession }: Payment): boolean {
  if (status !== 'pending') return false
  if (method === 'paymentLink') return providerSession === null
  // A charge that sent the customer away for 3-D Secure is not authorised before they come back.
  if (method === 'registeredCard') return providerSession !== null
  return true
}

export type RefundAsked = {
  amount: Money
  reason: string | null
  operator: Operator | null
  /** `amountRefundable` as the client last saw it, minor units. */
  amountRefundable: number | null
  /** Who made the refund of a recorded payment: it has been made already. */
  processor: { name: string; reference: string } | null
  canExpress?: CanExpress
}

/**
 * Asks to give money back: `payment_not_refundable`, `amount_not_representable`,
 * `precondition_failed`, `payment_disputed`, `refund_exceeds_captured`. Above `approvalAbove`
 * (minor units; null for never) another operator must approve it first. It reserves its amount from
 * now on.
 */
export function requestRefund(
  aggregate: PaymentAggregate,
  asked: RefundAsked,
  approvalAbove: number | null,
  context: LifecycleContext
): Operation {
  const { payment } = aggregate
  if (payment.status !== 'captured') {
    const detail = `Payment ${payment.id} is ${payment.status}: only what is captured is refunded.`
    throw new Problem('payment_not_refundable', detail)
  }
  checkRefundFields(payment, asked, approvalAbove)
  const refundable = amountRefundable(payment)
  if (asked.amountRefundable !== null && asked.amountRefundable !== refundable) {
    throw new Problem('precondition_failed', `amountRefundable is ${refundable} now.`)
  }
  checkDisputes(aggregate)
  if (asked.amount.value > refundable) throw exceeds(refundable)
  const { amount, reason, operator, processor } = asked
  const waits = processor === null && approvalAbove !== null && amount.value > approvalAbove
  const refund = addOperation(
    aggregate,
    {
      kind: 'refund',
      authorisationReference: payment.authorisationReference,
      amount,
      reason,
      operator,
      processor,
      status: waits ? 'awaitingApproval' : 'requested',
      ...(processor !== null && { providerKey: null })
    },
    context
  )
  payment.amountRefunding += amount.value
  if (processor === null) return recorded(aggregate, refund, context)
  succeedRefund(aggregate, refund, context)
  return refund
}

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

function recorded(
  aggregate: PaymentAggregate,
  operation: Operation,
  context: LifecycleContext
): Operation {
  recordOperation(aggregate, operation, context)
  return operation
}

/** Whether one of this kind waits for its outcome. */
function isBeing(aggregate: PaymentAggregate, kind: 'capture' | 'cancellation'): boolean {
  return operationsOf(aggregate, kind).some(isUnderWay)
}

function describe(aggregate: PaymentAggregate, kind: 'cancellation'): string {
  return isBeing(aggregate, kind) ? 'being cancelled' : aggregate.payment.status
}

function checkCurrency(payment: Payment, { currency }: Money): void {
  const own = payment.amount.currency
  if (currency === own) return
  throw new Problem('currency_mismatch', `Payment ${payment.id} is in ${own}, not ${currency}.`, {
    errors: [{ pointer: '/amount/currency', detail: `It must be ${own}.` }]
  })
}

/** What the schema can't say, since it depends on the payment: all faults at once. */
function checkRefundFields(
  payment: Payment,
  { amount, operator, processor, canExpress }: RefundAsked,
  approvalAbove: number | null
): void {
  const errors: Array<{ pointer: string; detail: string }> = []
  const isRecorded = payment.method === 'recorded'
  if (isRecorded && processor === null) {
    const detail =
      'A recorded payment is refunded by its processor: say by whom, and its reference.'
    errors.push({ pointer: '/processor', detail })
  }
  if (!isRecorded && processor !== null) {
    const detail = 'Only the refund of a recorded payment has a processor.'
    errors.push({ pointer: '/processor', detail })
  }
  const isLarge = !isRecorded && approvalAbove !== null && amount.value > approvalAbove
  if (isLarge && operator === null) {
    const detail = `Above ${approvalAbove} in minor units another operator approves: say who asks.`
    errors.push({ pointer: '/operator', detail })
  }
  const [first] = errors
  if (first !== undefined) throw new Problem('request_invalid', first.detail, { errors })
  checkCurrency(payment, amount)
  // What the processor of a recorded payment gave back is told to nobody but billing.
  checkRepresentable(amount, isRecorded && canExpress ? () => true : canExpress)
}

/** A part of a payment may have decimals that the whole has not. */
function checkRepresentable(amount: Money, canExpress: CanExpress | undefined): void {
  if (canExpress === undefined || (fitsCmpDecimals(amount) && canExpress(amount))) return
  const detail = 'It has decimals that are not supported.'
  const errors = [{ pointer: '/amount/value', detail }]
  throw new Problem('amount_not_representable', detail, { errors })
}

function checkDisputes({ payment, disputes }: PaymentAggregate): void {
  const blocking = disputes.find(blocksRefunds)
  if (blocking === undefined) return
  const detail = `Dispute ${blocking.id} of payment ${payment.id} is open: its outcome comes first.`
  throw new Problem('payment_disputed', detail)
}

function checkDecision(refund: Operation, operator: Operator): void {
  if (refund.status !== 'awaitingApproval') {
    const detail = `Refund ${refund.id} is ${refund.status}.`
    throw new Problem('refund_not_awaiting_approval', detail)
  }
  const nameOf = (one: Operator | null) => one?.id.trim().toLowerCase()
  if (nameOf(refund.operator) === nameOf(operator)) {
    throw new Problem(
      'approver_is_requester',
      'Whoever asked for a refund does not decide on it.',
      {
        errors: [{ pointer: '/operator/id', detail: 'It must be another operator.' }]
      }
    )
  }
}

function exceeds(refundable: number): Problem {
  return new Problem('refund_exceeds_captured', `At most ${refundable} can be refunded.`, {
    errors: [{ pointer: '/amount/value', detail: `At most ${refundable} in minor units.` }]
  })
}

/**
 * Refunds: what a client may ask for, who approves it, and what the provider reports
 * (docs.adyen.com/online-payments/refund). A refund reserves from the moment it is asked for; the
 * ledger moves when it succeeds, and back when it fails later.
 */
import type { Money } from '../money.ts'
import { type CanExpress, checkCurrency, checkRepresentable } from '../payments/amounts.ts'
import { checkIsAnother } from '../payments/operator.ts'
import { amountRefundable, type Operator, type Payment } from '../payments/payment.ts'
import { Problem } from '../problem.ts'
import type { RequestReference } from '../provider.ts'
import {
  addToAuthorisation,
  findAuthorisation,
  findOwn,
  isTaken,
  operationsOf,
  post
} from './aggregate.ts'
import { cancelOwn } from './cancellations.ts'
import { amountEverTaken } from './captures.ts'
import { blocksRefunds } from './disputes.ts'
import type {
  Authorisation,
  Effect,
  EventOf,
  LifecycleContext,
  Operation,
  OperationStatus,
  PaymentAggregate,
  Report
} from './model.ts'
import {
  addOperation,
  addProvidersOperation,
  addReport,
  isSame,
  isUnderWay,
  recognise,
  recordOperation,
  timesSucceeded
} from './operation.ts'

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
  checkFields(payment, asked, approvalAbove)
  const refundable = amountRefundable(payment)
  if (asked.amountRefundable !== null && asked.amountRefundable !== refundable) {
    throw new Problem('precondition_failed', `amountRefundable is ${refundable} now.`)
  }
  checkDisputes(aggregate)
  if (asked.amount.value > refundable) throw exceeds(refundable)
  const { amount, reason, operator, processor } = asked
  const { authorisationReference } = payment
  const waits = processor === null && approvalAbove !== null && amount.value > approvalAbove
  const refund = addOperation(
    aggregate,
    {
      kind: 'refund',
      authorisationReference,
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
  if (processor === null) recordOperation(aggregate, refund, context)
  else report(aggregate, refund, { outcome: 'succeeded', reference: refund.id }, context)
  return refund
}

/** What the schema can't say, since it depends on the payment: all faults at once. */
function checkFields(
  payment: Payment,
  { amount, operator, processor, canExpress }: RefundAsked,
  approvalAbove: number | null
): void {
  const errors: Array<{ pointer: string; detail: string }> = []
  const isRecorded = payment.method === 'recorded'
  if (isRecorded && processor === null) {
    const detail = 'A recorded payment is refunded by its processor: name it and its reference.'
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
  // What the processor of a recorded payment gave back is reported to nobody but billing.
  checkRepresentable(amount, isRecorded && canExpress ? () => true : canExpress)
}

/** `payment_disputed` while a dispute is open that may take the money. */
function checkDisputes({ payment, disputes }: PaymentAggregate): void {
  const blocking = disputes.find(blocksRefunds)
  if (blocking === undefined) return
  const detail = `Dispute ${blocking.id} of payment ${payment.id} is open: its outcome comes first.`
  throw new Problem('payment_disputed', detail)
}

/** `refundable`: what can be refunded at most, minor units. */
function exceeds(refundable: number): Problem {
  return new Problem('refund_exceeds_captured', `At most ${refundable} can be refunded.`, {
    errors: [{ pointer: '/amount/value', detail: `At most ${refundable} in minor units.` }]
  })
}

export function onRefunded(
  aggregate: PaymentAggregate,
  event: EventOf<'refunded'>,
  context: LifecycleContext
): Effect {
  const own = findOwn(aggregate, event.authorisationReference)
  if (typeof own === 'string') return own
  const { amount, by } = event
  const known = findRefund(aggregate, by)
  if (amount.currency !== aggregate.payment.amount.currency) return 'contradictory'
  if (known !== undefined && known.amount.value !== amount.value) return 'contradictory'
  // What it gives back must have been taken: its capture is not reported yet.
  if (amount.value > amountEverTaken(aggregate)) return 'deferred'
  const refund = known ?? addRefund(aggregate, own, amount, by, context)
  report(aggregate, refund, { outcome: 'succeeded', reference: by.providerReference }, context)
  return 'applied'
}

export function onRefundRefused(
  aggregate: PaymentAggregate,
  event: EventOf<'refundRefused'>,
  context: LifecycleContext
): Effect {
  const { by, reason } = event
  const refund = findRefund(aggregate, by)
  if (refund === undefined) return 'ignored'
  const refused = { outcome: 'refused', reference: by.providerReference, reason } as const
  report(aggregate, refund, refused, context)
  return 'applied'
}

/** Money came back that a refund had given back; undefined where no refund did. */
export function onRefundFailed(
  aggregate: PaymentAggregate,
  event: EventOf<'refundFailed'>,
  context: LifecycleContext
): Effect | undefined {
  const { by, reason } = event
  const refund = findRefundThatFailed(aggregate, event)
  if (refund === undefined) return undefined
  recognise(aggregate, refund, by)
  const failed = { outcome: 'failed', reference: by.providerReference, reason } as const
  report(aggregate, refund, failed, context)
  return 'applied'
}

/**
 * Money of the payment itself: before it was captured that cancels, afterwards it refunds what is
 * left. Which of the two is only hinted at (`modification.action` is not signed); where it makes no
 * sense yet the report waits.
 */
export function onOwnReversed(
  aggregate: PaymentAggregate,
  { authorisationReference, by, action }: EventOf<'reversed'>,
  context: LifecycleContext
): Effect {
  const own = findAuthorisation(aggregate, authorisationReference)
  if (own?.outcome !== 'authorised') return 'deferred'
  const known = own.reported.filter(({ what }) => what === 'reversed')
  if (known.some(({ reference }) => reference === by.providerReference)) return 'applied'
  const isPayments = aggregate.payment.authorisationReference === own.reference
  const isCaptured = isPayments && amountEverTaken(aggregate) > 0
  const mayBeCaptured = isPayments && operationsOf(aggregate, 'capture').some(isUnderWay)
  if (!isCaptured && (action === 'refund' || mayBeCaptured)) return 'deferred'
  const isUndone = action === 'cancel' && isTaken(aggregate.payment)
  if (isCaptured && !(isUndone && aggregate.payment.amountRefunded === 0)) {
    refundWhole(aggregate, own, by, context)
  } else {
    addToAuthorisation(aggregate, own, { what: 'reversed', reference: by.providerReference })
    cancelOwn(aggregate, own, by, context)
  }
  return 'applied'
}

/** A capture is reported after a reversal of its reservation: that has refunded it. */
export function refundReversed(
  aggregate: PaymentAggregate,
  authorisationReference: string,
  context: LifecycleContext
): void {
  adjustWhole(aggregate, context)
  const own = findAuthorisation(aggregate, authorisationReference)
  const reversed = own?.reported.find(({ what }) => what === 'reversed')
  if (own === undefined || reversed === undefined || isTaken(aggregate.payment)) return
  const by = { providerReference: reversed.reference, reference: '' }
  if (findWhole(aggregate) === undefined) refundWhole(aggregate, own, by, context)
}

/** A reversal of what was captured is a refund of all that is left. */
function refundWhole(
  aggregate: PaymentAggregate,
  own: Authorisation,
  by: RequestReference,
  context: LifecycleContext
): void {
  const known = findRefund(aggregate, by)
  const value = amountLeft(aggregate, known)
  if (known === undefined && value <= 0) return
  const { amount } = aggregate.payment
  const refund = known ?? addRefund(aggregate, own, { ...amount, value }, by, context)
  const reference = by.providerReference
  report(aggregate, refund, { outcome: 'succeeded', reference, whole: true }, context)
}

/**
 * What a reversal of the whole gave back, minor units: all that was taken, less what other refunds
 * had given back. The provider does not say how much. A refund that failed later counts here, since
 * which came first is not reported either; `isWholeUnclear` shows that to a person.
 */
function amountLeft(aggregate: PaymentAggregate, whole: Operation | undefined): number {
  return operationsOf(aggregate, 'refund')
    .filter((one) => one !== whole && timesSucceeded(one) > 0)
    .reduce((left, { amount }) => left - amount.value, amountEverTaken(aggregate))
}

/** Whether a refund failed beside a reversal of the whole, which may have given its amount back. */
export function isWholeUnclear(aggregate: PaymentAggregate): boolean {
  const whole = findWhole(aggregate)
  const hasFailed = (one: Operation) => timesSucceeded(one) > 0 && one.status === 'failed'
  return whole !== undefined && operationsOf(aggregate, 'refund').some(hasFailed)
}

/** What is reported after the whole was there before: a capture, or a refund of a part. */
function adjustWhole(aggregate: PaymentAggregate, context: LifecycleContext): void {
  const whole = findWhole(aggregate)
  if (whole === undefined) return
  const { payment } = aggregate
  const value = amountLeft(aggregate, whole)
  const change = value - whole.amount.value
  if (value <= 0 || change === 0) return
  whole.amount = { ...whole.amount, value }
  payment.amountRefunded += change
  const kind = change > 0 ? 'refund' : 'refundFailed'
  const fact = `${whole.id}.part.${payment.eventCount}`
  const amount = { ...whole.amount, value: Math.abs(change) }
  post(aggregate, kind, fact, amount, { type: 'refund', id: whole.id })
  recordOperation(aggregate, whole, context)
}

function findWhole(aggregate: PaymentAggregate): Operation | undefined {
  return operationsOf(aggregate, 'refund').find(
    ({ status, reported }) => status === 'succeeded' && reported.some((one) => one.whole)
  )
}

function findRefund(aggregate: PaymentAggregate, by: RequestReference): Operation | undefined {
  return operationsOf(aggregate, 'refund').find((one) => isSame(one, by))
}

/**
 * By its references. Under another one it can only be a refund whose own reference the provider has
 * not given yet, or the one that was reported as a reversal.
 */
function findRefundThatFailed(
  aggregate: PaymentAggregate,
  { authorisationReference, amount, by }: EventOf<'refundFailed'>
): Operation | undefined {
  const isUnnamed = (one: Operation) =>
    one.authorisationReference === authorisationReference &&
    one.providerReference === null &&
    one.status === 'succeeded' &&
    one.amount.value === amount.value
  return findRefund(aggregate, by) ?? operationsOf(aggregate, 'refund').findLast(isUnnamed)
}

/** One that somebody asked for at the provider. */
function addRefund(
  aggregate: PaymentAggregate,
  own: Authorisation,
  amount: Money,
  by: RequestReference,
  context: LifecycleContext
): Operation {
  const given = { kind: 'refund', authorisationReference: own.reference, amount } as const
  return addProvidersOperation(aggregate, given, by, context)
}

/** Adds a report to a refund and moves what has changed by it. */
export function report(
  aggregate: PaymentAggregate,
  refund: Operation,
  reported: Report,
  context: LifecycleContext
): void {
  const before = addReport(aggregate, refund, reported)
  if (before === undefined) return
  moveRefunded(aggregate, refund, before)
  adjustWhole(aggregate, context)
  recordOperation(aggregate, refund, context)
}

function moveRefunded(
  aggregate: PaymentAggregate,
  { id, amount, status, origin }: Operation,
  before: OperationStatus
): void {
  const { payment } = aggregate
  const cause = { type: 'refund', id } as const
  if (before === 'requested' && origin === 'client') payment.amountRefunding -= amount.value
  if (status === 'succeeded') {
    payment.amountRefunded += amount.value
    const kind = payment.method === 'recorded' ? 'recordedRefund' : 'refund'
    post(aggregate, kind, id, amount, cause)
  } else if (before === 'succeeded') {
    payment.amountRefunded -= amount.value
    post(aggregate, 'refundFailed', id, amount, cause)
  }
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

function checkDecision(refund: Operation, operator: Operator): void {
  if (refund.status !== 'awaitingApproval') {
    throw new Problem('refund_not_awaiting_approval', `Refund ${refund.id} is ${refund.status}.`)
  }
  checkIsAnother(refund.operator, operator)
}

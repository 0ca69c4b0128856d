/** Disputes, as the provider tells of them; what each news means is the table in dispute.ts. */

import { amountRefundable } from '../payments/payment.ts'
import type { DisputeEvent } from '../provider.ts'
import {
  findAuthorisation,
  type LifecycleContext,
  openDiscrepancy,
  type PaymentAggregate,
  post,
  recordDispute
} from './aggregate.ts'
import { type Dispute, meanings, standingOf } from './dispute.ts'
import type { Effect, EventOf } from './effect.ts'

type Disputed = EventOf<'disputed'>

export function onDisputed(
  aggregate: PaymentAggregate,
  event: Disputed,
  context: LifecycleContext
): Effect {
  const { payment } = aggregate
  const { event: news } = event
  const { after, money } = meanings[news]
  if (isOfOtherMoney(aggregate, event)) return 'unsupported'
  const known = findDispute(aggregate, event)
  if (known?.reported.includes(news)) return 'applied'
  if (after !== undefined && !known?.reported.includes(after)) return 'early'
  // Only what was taken from the card can be charged back: its capture is still to be told.
  if (money === 'taken' && payment.amountCaptured === 0) return 'early'
  const isForeign = event.amount.currency !== payment.amount.currency
  if (money !== undefined && isForeign) return 'unsupported'
  const dispute = known ?? addDispute(aggregate, event, context)
  if (news === 'chargedBack') rename(aggregate, dispute, event)
  const wasOpen = dispute.status === 'open'
  tell(dispute, event, context)
  const isMore = money !== undefined && moveMoney(aggregate, dispute, event)
  if (known === undefined) recordDispute(aggregate, dispute, 'opened', context)
  const closes = dispute.status !== 'open' && (wasOpen || known === undefined)
  if (closes) recordDispute(aggregate, dispute, 'closed', context)
  else if (known !== undefined) recordDispute(aggregate, dispute, 'updated', context)
  if (isMore) {
    const { amount } = event
    const details = { disputeId: dispute.id, amount, captured: payment.amountCaptured }
    openDiscrepancy(aggregate, 'refund_and_chargeback', `${dispute.id}.${news}`, details, context)
  }
  return 'applied'
}

/**
 * Money that is held or was sent back is not the customer's: what is taken back of it is not booked
 * to them, and a person must look at it.
 */
function isOfOtherMoney(
  aggregate: PaymentAggregate,
  { authorisationReference: authorisation }: Disputed
): boolean {
  const money = authorisation === null ? undefined : findAuthorisation(aggregate, authorisation)
  return (
    money?.outcome === 'authorised' && money.reference !== aggregate.payment.authorisationReference
  )
}

/**
 * From its chargeback on a dispute goes by the reference under which its money was taken: that is
 * taken once. Its announcement may be told again under the one before.
 */
function rename(aggregate: PaymentAggregate, dispute: Dispute, event: Disputed): void {
  if (event.dispute === dispute.reference || isOfMoney(aggregate, event)) return
  dispute.alsoReportedAs = [...dispute.alsoReportedAs, dispute.reference]
  dispute.reference = event.dispute
}

/**
 * By its reference. News that can't be the first may come under the authorisation's reference, and
 * a chargeback under another than its announcement: they belong to the last dispute that has not
 * heard them.
 */
function findDispute(aggregate: PaymentAggregate, event: Disputed): Dispute | undefined {
  const { disputes } = aggregate
  const { dispute: reference, event: news } = event
  const same = disputes.find((one) => one.reference === reference)
  if (same !== undefined) return same
  if (opens.includes(news))
    return disputes.find(({ alsoReportedAs: toldAs }) => toldAs.includes(reference))
  const deaf = disputes.filter(({ reported: told }) => !told.includes(news))
  const { after } = meanings[news]
  if (after !== undefined) {
    return deaf.findLast(({ reported: told }) => told.includes(after)) ?? disputes.at(-1)
  }
  return deaf.at(-1) ?? (isOfMoney(aggregate, event) ? disputes.at(-1) : undefined)
}
const opens: readonly DisputeEvent[] = ['informationRequested', 'notified']

/** Whether it came under the reference of the money, and not under one of its own. */
function isOfMoney({ authorisations }: PaymentAggregate, { dispute }: Disputed): boolean {
  return authorisations.some(({ reference }) => reference === dispute)
}

function addDispute(
  aggregate: PaymentAggregate,
  event: Disputed,
  { now, newId }: LifecycleContext
): Dispute {
  const dispute: Dispute = {
    id: newId('dsp'),
    reference: event.dispute,
    alsoReportedAs: [],
    status: 'open',
    stage: 'notification',
    amount: event.amount,
    amountChargedBack: 0,
    reason: null,
    reasonCode: null,
    defendBy: null,
    reported: [],
    createdAt: now,
    updatedAt: now,
    closedAt: null
  }
  aggregate.disputes.push(dispute)
  return dispute
}

function tell(dispute: Dispute, event: Disputed, { now }: LifecycleContext): void {
  const { event: news, reason, reasonCode, defendBy } = event
  dispute.reported = [...dispute.reported, news]
  const { stage, status } = standingOf(dispute.reported)
  dispute.stage = stage
  dispute.status = status
  dispute.closedAt = status === 'open' ? null : (dispute.closedAt ?? now)
  dispute.reason = reason ?? dispute.reason
  dispute.reasonCode = reasonCode ?? dispute.reasonCode
  dispute.defendBy = defendBy ?? dispute.defendBy
}

/**
 * A chargeback is booked even where less is left: the bank has taken it all the same. Whether it
 * was more than that.
 */
function moveMoney(aggregate: PaymentAggregate, dispute: Dispute, event: Disputed): boolean {
  const { payment } = aggregate
  const { event: news, amount } = event
  const fact = `${dispute.id}.${news}`
  const cause = { type: 'dispute', id: dispute.id } as const
  if (meanings[news].money === 'returned') {
    const value = Math.min(amount.value, dispute.amountChargedBack)
    dispute.amountChargedBack -= value
    payment.amountChargedBack -= value
    if (value > 0) post(aggregate, 'chargebackReversed', fact, { ...amount, value }, cause)
    return false
  }
  if (amount.value === 0) return false
  const exceeds = amount.value > amountRefundable(payment)
  dispute.amountChargedBack += amount.value
  payment.amountChargedBack += amount.value
  dispute.amount = {
    ...amount,
    value: Math.max(amount.value, dispute.amount.value, dispute.amountChargedBack)
  }
  post(aggregate, 'chargeback', fact, amount, cause)
  return exceeds
}

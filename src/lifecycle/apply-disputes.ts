/** Disputes, as the provider tells of them; what each news means is the table in dispute.ts. */

import { amountRefundable } from '../payments/payment.ts'
import type { DisputeNews } from '../provider.ts'
import {
  type Book,
  type Context,
  findAuthorisation,
  openDiscrepancy,
  post,
  recordDispute
} from './aggregate.ts'
import { type Dispute, meanings, standingOf } from './dispute.ts'
import type { Effect, EventOf } from './effect.ts'

type Disputed = EventOf<'disputed'>

export function onDisputed(book: Book, event: Disputed, context: Context): Effect {
  const { payment } = book
  const { news } = event
  const { after, money } = meanings[news]
  if (isOfOtherMoney(book, event)) return 'unsupported'
  const known = findDispute(book, event)
  if (known?.told.includes(news)) return 'applied'
  if (after !== undefined && !known?.told.includes(after)) return 'early'
  // Only what was taken from the card can be charged back: its capture is still to be told.
  if (money === 'taken' && payment.amountCaptured === 0) return 'early'
  const isForeign = event.amount.currency !== payment.amount.currency
  if (money !== undefined && isForeign) return 'unsupported'
  const dispute = known ?? addDispute(book, event, context)
  if (news === 'chargedBack') rename(book, dispute, event)
  const wasOpen = dispute.status === 'open'
  tell(dispute, event, context)
  const isMore = money !== undefined && moveMoney(book, dispute, event)
  if (known === undefined) recordDispute(book, dispute, 'opened', context)
  const closes = dispute.status !== 'open' && (wasOpen || known === undefined)
  if (closes) recordDispute(book, dispute, 'closed', context)
  else if (known !== undefined) recordDispute(book, dispute, 'updated', context)
  if (isMore) {
    const { amount } = event
    const details = { disputeId: dispute.id, amount, captured: payment.amountCaptured }
    openDiscrepancy(book, 'refund_and_chargeback', `${dispute.id}.${news}`, details, context)
  }
  return 'applied'
}

/**
 * Money that is held or was sent back is not the customer's: what is taken back of it is not booked
 * to them, and a person must look at it.
 */
function isOfOtherMoney(book: Book, { authorisation }: Disputed): boolean {
  const money = authorisation === null ? undefined : findAuthorisation(book, authorisation)
  return money?.outcome === 'authorised' && money.reference !== book.payment.authorisation
}

/**
 * From its chargeback on a dispute goes by the reference under which its money was taken: that is
 * taken once. Its announcement may be told again under the one before.
 */
function rename(book: Book, dispute: Dispute, event: Disputed): void {
  if (event.dispute === dispute.reference || isOfMoney(book, event)) return
  dispute.toldAs = [...dispute.toldAs, dispute.reference]
  dispute.reference = event.dispute
}

/**
 * By its reference. News that can't be the first may come under the authorisation's reference, and
 * a chargeback under another than its announcement: they belong to the last dispute that has not
 * heard them.
 */
function findDispute(book: Book, event: Disputed): Dispute | undefined {
  const { disputes } = book
  const { dispute: reference, news } = event
  const same = disputes.find((one) => one.reference === reference)
  if (same !== undefined) return same
  if (opens.includes(news)) return disputes.find(({ toldAs }) => toldAs.includes(reference))
  const deaf = disputes.filter(({ told }) => !told.includes(news))
  const { after } = meanings[news]
  if (after !== undefined) {
    return deaf.findLast(({ told }) => told.includes(after)) ?? disputes.at(-1)
  }
  return deaf.at(-1) ?? (isOfMoney(book, event) ? disputes.at(-1) : undefined)
}
const opens: readonly DisputeNews[] = ['informationRequested', 'notified']

/** Whether it came under the reference of the money, and not under one of its own. */
function isOfMoney({ authorisations }: Book, { dispute }: Disputed): boolean {
  return authorisations.some(({ reference }) => reference === dispute)
}

function addDispute(book: Book, event: Disputed, { now, newId }: Context): Dispute {
  const dispute: Dispute = {
    id: newId('dsp'),
    reference: event.dispute,
    toldAs: [],
    status: 'open',
    stage: 'notification',
    amount: event.amount,
    amountChargedBack: 0,
    reason: null,
    reasonCode: null,
    defendBy: null,
    told: [],
    createdAt: now,
    updatedAt: now,
    closedAt: null
  }
  book.disputes.push(dispute)
  return dispute
}

function tell(dispute: Dispute, event: Disputed, { now }: Context): void {
  const { news, reason, reasonCode, defendBy } = event
  dispute.told = [...dispute.told, news]
  const { stage, status } = standingOf(dispute.told)
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
function moveMoney(book: Book, dispute: Dispute, event: Disputed): boolean {
  const { payment } = book
  const { news, amount } = event
  const fact = `${dispute.id}.${news}`
  const cause = { type: 'dispute', id: dispute.id } as const
  if (meanings[news].money === 'returned') {
    const value = Math.min(amount.value, dispute.amountChargedBack)
    dispute.amountChargedBack -= value
    payment.amountChargedBack -= value
    if (value > 0) post(book, 'chargebackReversed', fact, { ...amount, value }, cause)
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
  post(book, 'chargeback', fact, amount, cause)
  return exceeds
}

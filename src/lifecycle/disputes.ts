/**
 * Disputes: a customer, by the bank of the card, questions a payment. What the provider reports of
 * one comes in any order, and each kind changes it once: the table says what each means
 * (docs.adyen.com/risk-management/disputes-api/dispute-notifications).
 */
import { moneyOf } from '../money.ts'
import type { DisputeEvent } from '../provider.ts'
import { findAuthorisation, post, record } from './aggregate.ts'
import { amountEverTaken } from './captures.ts'
import type {
  Dispute,
  DisputeStage,
  DisputeStatus,
  Effect,
  EventOf,
  LifecycleContext,
  PaymentAggregate
} from './model.ts'

/** `rank` is the place in a dispute's course: what comes late never takes it back. */
type Meaning = {
  rank: number
  stage?: DisputeStage
  status?: DisputeStatus
  /** The bank takes money, or gives it back. */
  money?: 'taken' | 'returned'
  /** It can't be the first event of a dispute: money is given back only after it was taken. */
  after?: DisputeEvent
}

export const meanings: Readonly<Record<DisputeEvent, Meaning>> = {
  informationRequested: { rank: 1, stage: 'informationRequest', status: 'open' },
  notified: { rank: 2, stage: 'notification', status: 'open' },
  // A chargeback without an announcement before it; its money moves with the chargeback itself.
  openedWithChargeback: { rank: 2.5, stage: 'chargeback', status: 'open' },
  defended: { rank: 0 },
  issuerCommented: { rank: 0 },
  chargedBack: { rank: 3, stage: 'chargeback', status: 'open', money: 'taken' },
  defencePeriodEnded: { rank: 4, status: 'lost' },
  // Not final: a second chargeback can follow.
  reversed: {
    rank: 5,
    stage: 'chargebackReversed',
    status: 'open',
    money: 'returned',
    after: 'chargedBack'
  },
  issuerTimeEnded: { rank: 6, status: 'won' },
  chargedBackAgain: {
    rank: 7,
    stage: 'secondChargeback',
    status: 'lost',
    money: 'taken',
    after: 'reversed'
  },
  preArbitrationOpened: { rank: 8, stage: 'preArbitration', status: 'open' },
  preArbitrationDeclined: { rank: 9, stage: 'preArbitration', status: 'open' },
  preArbitrationAccepted: { rank: 10, stage: 'preArbitration', status: 'lost' },
  preArbitrationWithdrawn: { rank: 10, stage: 'preArbitration', status: 'won' },
  preArbitrationWon: { rank: 10, stage: 'preArbitration', status: 'won' },
  preArbitrationLost: { rank: 10, stage: 'preArbitration', status: 'lost' },
  arbitrationOpened: { rank: 11, stage: 'arbitration', status: 'open' },
  arbitrationWon: { rank: 12, stage: 'arbitration', status: 'won' },
  arbitrationLost: { rank: 12, stage: 'arbitration', status: 'lost' }
}

/** Where its events leave a dispute, in whatever order they were reported. */
function disputeStanding(reported: readonly DisputeEvent[]): Pick<Dispute, 'status' | 'stage'> {
  const course = reported.map((event) => meanings[event]).sort((a, b) => a.rank - b.rank)
  return {
    status: course.findLast(({ status }) => status !== undefined)?.status ?? 'open',
    stage: course.findLast(({ stage }) => stage !== undefined)?.stage ?? 'notification'
  }
}

/** While one is open nothing is refunded; a mere question does not block. */
export function blocksRefunds({ status, stage }: Dispute): boolean {
  return status === 'open' && stage !== 'informationRequest'
}

type Disputed = EventOf<'disputed'>

export function onDisputed(
  aggregate: PaymentAggregate,
  reported: Disputed,
  context: LifecycleContext
): Effect {
  const { payment } = aggregate
  const { event } = reported
  const { after, money } = meanings[event]
  if (isOfOtherMoney(aggregate, reported)) return 'contradictory'
  const known = findDispute(aggregate, reported)
  if (known?.reported.includes(event)) return 'applied'
  if (after !== undefined && !known?.reported.includes(after)) return 'deferred'
  // Only what was taken from the card can be charged back: its capture is not reported yet.
  if (money === 'taken' && amountEverTaken(aggregate) === 0) return 'deferred'
  const isForeign = reported.amount.currency !== payment.amount.currency
  if (money !== undefined && isForeign) return 'contradictory'
  const dispute = known ?? addDispute(aggregate, reported, context)
  recognise(aggregate, dispute, reported)
  const wasOpen = dispute.status === 'open'
  follow(dispute, reported, context)
  if (money !== undefined) moveMoney(aggregate, dispute, reported)
  if (known === undefined) recordDispute(aggregate, dispute, 'opened', context)
  const closes = dispute.status !== 'open' && (wasOpen || known === undefined)
  if (closes) recordDispute(aggregate, dispute, 'closed', context)
  else if (known !== undefined) recordDispute(aggregate, dispute, 'updated', context)
  return 'applied'
}

function recordDispute(
  aggregate: PaymentAggregate,
  dispute: Dispute,
  what: 'opened' | 'updated' | 'closed',
  context: LifecycleContext
): void {
  dispute.updatedAt = context.now
  aggregate.touched.add(dispute)
  const data = { dispute: toDisputeView(dispute, aggregate.payment.id) }
  record(aggregate, `dispute.${what}`, data, context)
}

/**
 * Money that is held or was sent back is not the customer's: what is taken back of it is not booked
 * to them, and a person must look at it.
 */
function isOfOtherMoney(
  aggregate: PaymentAggregate,
  { authorisationReference }: Disputed
): boolean {
  const money = findAuthorisation(aggregate, authorisationReference)
  return (
    money?.outcome === 'authorised' && money.reference !== aggregate.payment.authorisationReference
  )
}

/**
 * From its chargeback on a dispute goes by the reference under which its money was taken: that is
 * taken once. Whatever is reported again under another reference of it is about it too.
 */
function recognise(aggregate: PaymentAggregate, dispute: Dispute, reported: Disputed): void {
  const { dispute: reference, event } = reported
  if (reference === dispute.reference || isOfMoney(aggregate, reported)) return
  const other = event === 'chargedBack' ? dispute.reference : reference
  if (!dispute.alsoReportedAs.includes(other)) {
    dispute.alsoReportedAs = [...dispute.alsoReportedAs, other]
  }
  if (event === 'chargedBack') dispute.reference = reference
}

/**
 * By its references. An event that can't be the first may come under the authorisation's reference,
 * and a chargeback under another than its announcement: they belong to the last dispute that has
 * not had them. A chargeback moves money, so one under the reference of an announcement that has
 * its chargeback already is of a dispute of its own.
 */
function findDispute(aggregate: PaymentAggregate, reported: Disputed): Dispute | undefined {
  const { disputes } = aggregate
  const { dispute: reference, event } = reported
  const isAlso = ({ alsoReportedAs }: Dispute) =>
    event !== 'chargedBack' && alsoReportedAs.includes(reference)
  const same = disputes.find((one) => one.reference === reference || isAlso(one))
  if (same !== undefined || opens.includes(event)) return same
  const { after } = meanings[event]
  const isUnnamed = isOfMoney(aggregate, reported)
  // Under a reference that is not known yet only the amount says which one it can be.
  const isMeant = (one: Dispute) =>
    !one.reported.includes(event) &&
    (after === undefined || one.reported.includes(after)) &&
    (isUnnamed || one.amount.value === reported.amount.value)
  return disputes.findLast(isMeant) ?? (isUnnamed ? disputes.findLast(has(event)) : undefined)
}

const has = (event: DisputeEvent) => (one: Dispute) => one.reported.includes(event)

/** Events that announce a dispute. */
const opens: readonly DisputeEvent[] = ['informationRequested', 'notified']

/** Whether it came under the reference of the money, and not under one of its own. */
function isOfMoney({ authorisations }: PaymentAggregate, { dispute }: Disputed): boolean {
  return authorisations.some(({ reference }) => reference === dispute)
}

function addDispute(
  aggregate: PaymentAggregate,
  reported: Disputed,
  { now, newId }: LifecycleContext
): Dispute {
  const dispute: Dispute = {
    id: newId('dsp'),
    reference: reported.dispute,
    alsoReportedAs: [],
    status: 'open',
    stage: 'notification',
    amount: reported.amount,
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

function follow(dispute: Dispute, reported: Disputed, { now }: LifecycleContext): void {
  const { event, amount } = reported
  const isLate = dispute.reported.some((known) => meanings[known].rank > meanings[event].rank)
  dispute.reported = [...dispute.reported, event]
  const { stage, status } = disputeStanding(dispute.reported)
  dispute.stage = stage
  dispute.status = status
  dispute.closedAt = status === 'open' ? null : (dispute.closedAt ?? now)
  if (amount.currency === dispute.amount.currency && amount.value > dispute.amount.value) {
    dispute.amount = amount
  }
  // What comes late says only what is not known yet: its deadline is that of an earlier stage.
  const [newer, older] = isLate ? [dispute, reported] : [reported, dispute]
  dispute.reason = newer.reason ?? older.reason
  dispute.reasonCode = newer.reasonCode ?? older.reasonCode
  dispute.defendBy = newer.defendBy ?? older.defendBy
}

/** A chargeback is booked even where less is left: the bank has taken it all the same. */
function moveMoney(aggregate: PaymentAggregate, dispute: Dispute, reported: Disputed): void {
  const { payment } = aggregate
  const { event, amount } = reported
  const fact = `${dispute.id}.${event}`
  const cause = { type: 'dispute', id: dispute.id } as const
  const isTaken = meanings[event].money === 'taken'
  const value = isTaken ? amount.value : Math.min(amount.value, dispute.amountChargedBack)
  if (value === 0) return
  const change = isTaken ? value : -value
  dispute.amountChargedBack += change
  payment.amountChargedBack += change
  if (dispute.amountChargedBack > dispute.amount.value) {
    dispute.amount = { ...amount, value: dispute.amountChargedBack }
  }
  post(aggregate, isTaken ? 'chargeback' : 'chargebackReversed', fact, { ...amount, value }, cause)
}

/** As the API and the events show it. */
export function toDisputeView(dispute: Dispute, paymentId: string) {
  const { id, reference, status, stage, amount, amountChargedBack, reason, reasonCode } = dispute
  return {
    id,
    paymentId,
    status,
    stage,
    amount: moneyOf(amount),
    amountChargedBack,
    reason,
    reasonCode,
    defendBy: dispute.defendBy?.toISOString() ?? null,
    provider: { reference },
    createdAt: dispute.createdAt.toISOString(),
    updatedAt: dispute.updatedAt.toISOString(),
    closedAt: dispute.closedAt?.toISOString() ?? null
  }
}

/**
 * A customer, by the bank of the card, questions a payment. The news of a dispute come in any
 * order; each kind changes it once. Pure: the table says what each kind means.
 * (docs.adyen.com/risk-management/disputes-api/dispute-notifications)
 */
import type { Money } from '../money.ts'
import type { DisputeEvent } from '../provider.ts'

export const disputeStages = [
  'informationRequest',
  'notification',
  'chargeback',
  'chargebackReversed',
  'secondChargeback',
  'preArbitration',
  'arbitration'
] as const
export type DisputeStage = (typeof disputeStages)[number]

export const disputeStatuses = ['open', 'won', 'lost'] as const
export type DisputeStatus = (typeof disputeStatuses)[number]

export type Dispute = {
  id: string
  /** The provider's reference of the dispute. */
  reference: string
  /** References under which it was announced, before its money was taken under another. */
  alsoReportedAs: readonly string[]
  status: DisputeStatus
  stage: DisputeStage
  /** What is questioned. */
  amount: Money
  /** What the bank has taken and not given back, minor units. */
  amountChargedBack: number
  reason: string | null
  reasonCode: string | null
  /** Until when it can be defended, where the provider says. */
  defendBy: Date | null
  reported: DisputeEvent[]
  createdAt: Date
  updatedAt: Date
  closedAt: Date | null
}

/** `rank` is the place in a dispute's course: what comes late never takes it back. */
type Meaning = {
  rank: number
  stage?: DisputeStage
  status?: DisputeStatus
  /** The bank takes money, or gives it back. */
  money?: 'taken' | 'returned'
  /** That can't be the first news of a dispute: money is given back only after it was taken. */
  after?: DisputeEvent
}

export const meanings: Readonly<Record<DisputeEvent, Meaning>> = {
  informationRequested: { rank: 1, stage: 'informationRequest', status: 'open' },
  notified: { rank: 2, stage: 'notification', status: 'open' },
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

/** Where the news leave a dispute, in whatever order they were told. */
export function standingOf(told: readonly DisputeEvent[]): Pick<Dispute, 'status' | 'stage'> {
  const course = told.map((news) => meanings[news]).sort((one, other) => one.rank - other.rank)
  return {
    status: course.findLast(({ status }) => status !== undefined)?.status ?? 'open',
    stage: course.findLast(({ stage }) => stage !== undefined)?.stage ?? 'notification'
  }
}

/** While one is open nothing is refunded; a mere question does not block. */
export function blocksRefunds({ status, stage }: Dispute): boolean {
  return status === 'open' && stage !== 'informationRequest'
}

/** As the API and the events show it. */
export function toDisputeView(dispute: Dispute, paymentId: string) {
  const { id, reference, status, stage, amount, amountChargedBack, reason, reasonCode } = dispute
  return {
    id,
    paymentId,
    status,
    stage,
    amount,
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

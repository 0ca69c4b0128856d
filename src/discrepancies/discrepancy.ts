/**
 * Where two truths disagree: what each kind says of either side, and what a person may decide about
 * it. Pure: the tables, and what a decision does to the aggregate of the payment.
 */
import { findOwn, operationsOf, record } from '../lifecycle/aggregate.ts'
import { largestAuthorised } from '../lifecycle/authorisations.ts'
import { reportCapture } from '../lifecycle/captures.ts'
import type { LifecycleContext, Operation, PaymentAggregate } from '../lifecycle/model.ts'
import { requestRefund } from '../lifecycle/refunds.ts'
import { amountRefundable } from '../payments/payment.ts'
import { Problem } from '../problem.ts'
import { decideHeld, findHeld } from './held-money.ts'

/** What a person may decide. */
export const askedMeanings = {
  applyToAccount: 'Held money pays the account',
  sendBack: 'The payment provider is asked to give held money back to the card',
  retryReversal: 'It is asked once more, after it did not',
  writtenOff: 'Held money is given up',
  keep: 'The money stays on the account',
  refund: 'What is left of the payment is refunded',
  captured: 'The capture that failed was taken again, as the pages of the provider show',
  notCaptured: 'It was not taken again',
  acknowledged: 'Looked into and mended elsewhere; nothing moves here'
} as const
export type AskedResolution = keyof typeof askedMeanings

/** What nobody has to decide. */
export const resolutionMeanings = {
  ...askedMeanings,
  settled: 'Nobody had to decide: what was missing has come, or was posted after all',
  matched: 'Nobody had to decide: the record became known that explains the line',
  noLongerTrue: 'Nobody had to decide: later facts of the payment show that it is not so'
} as const
export type Resolution = keyof typeof resolutionMeanings
export type OwnResolution = Exclude<Resolution, AskedResolution>
export const resolutions = Object.keys(resolutionMeanings) as readonly Resolution[]

type Kind = {
  /** What we have, and what the other side says. */
  ours: string
  theirs: string
  resolutions: readonly AskedResolution[]
}

const ofHeldMoney = ['applyToAccount', 'writtenOff', 'acknowledged'] as const
const toLookInto = ['acknowledged'] as const

export const kinds = {
  paid_after_end: {
    ours: 'The payment had ended without money.',
    theirs: 'The payment provider took the money afterwards; it was put on the account.',
    resolutions: ['keep', 'refund']
  },
  reversal_failed: {
    ours: 'The money was not wanted, and its reversal was asked for; it stands in clearing.',
    theirs: 'The payment provider did not give it back.',
    resolutions: ['retryReversal', ...ofHeldMoney]
  },
  success_without_reference: {
    ours: 'The payment waits for its outcome.',
    theirs: 'The payment provider says that it was paid, and not by which money.',
    resolutions: toLookInto
  },
  outcome_unknown: {
    ours: 'A request was sent, and its answer never came.',
    theirs: 'The payment provider may or may not have done it.',
    resolutions: toLookInto
  },
  amount_differs: {
    ours: 'Another amount or currency was asked for; the money stands in clearing.',
    theirs: 'The payment provider took this amount.',
    resolutions: ['sendBack', ...ofHeldMoney]
  },
  refund_and_chargeback: {
    ours: 'The payment was refunded.',
    theirs: "The card's bank took the money back as well.",
    resolutions: toLookInto
  },
  refunded_beyond_captured: {
    ours: 'More of the payment was refunded than was captured in the end.',
    theirs: 'The payment provider took back a capture whose money had been refunded.',
    resolutions: toLookInto
  },
  reversal_amount_unknown: {
    ours: 'A refund failed, and all that was left was reversed: it depends on which was first.',
    theirs: 'The payment provider does not say how much it gave back; its report will.',
    resolutions: toLookInto
  },
  recapture_unconfirmed: {
    ours: 'The capture failed.',
    theirs: 'The payment provider seems to have captured it again, in words that it did not sign.',
    resolutions: ['captured', 'notCaptured']
  },
  fraud_reported: {
    ours: 'The payment was captured.',
    theirs: "The card's bank reported it as fraud: a chargeback may follow.",
    resolutions: toLookInto
  },
  notification_not_understood: {
    ours: 'This service does not know what the notification means for the payment.',
    theirs: 'The payment provider sent a notification about it.',
    resolutions: toLookInto
  },
  possible_duplicate: {
    ours: 'A payment of the same account and amount was made a moment before.',
    theirs: 'Another processor took the money of this one.',
    resolutions: ['keep', 'acknowledged']
  },
  settlement_missing: {
    ours: 'The money was captured.',
    theirs: 'No report of the payment provider has it, and a later one is there.',
    resolutions: toLookInto
  },
  settlement_unmatched: {
    ours: 'No record explains this money.',
    theirs: 'The payment provider settled it.',
    resolutions: toLookInto
  },
  settlement_doubled: {
    ours: 'It happened once.',
    theirs: 'The payment provider settled it before.',
    resolutions: toLookInto
  },
  settlement_amount: {
    ours: 'Another amount or currency is recorded, or what was paid lacks more than the fees.',
    theirs: 'The payment provider settled this amount.',
    resolutions: toLookInto
  },
  billing_rejected: {
    ours: 'The posting was offered to the billing system.',
    theirs: 'The billing system rejected it.',
    resolutions: toLookInto
  }
} as const satisfies Record<string, Kind>
export type DiscrepancyKind = keyof typeof kinds
export const discrepancyKinds = Object.keys(kinds) as DiscrepancyKind[]
/** Both sides of each kind, and what it may be resolved by. */
export const kindMeanings = Object.fromEntries(
  Object.entries(kinds).map(([kind, { ours, theirs, resolutions }]) => [
    kind,
    `${ours} ${theirs} Resolve: ${resolutions.join(', ')}`
  ])
) as Record<DiscrepancyKind, string>

export const discrepancyStatuses = ['open', 'resolved'] as const
export type DiscrepancyStatus = (typeof discrepancyStatuses)[number]

/** Who decides, and why. */
export type Decision = {
  resolution: Resolution
  reason: string | null
  operator: { id: string } | null
}

export type StoredDiscrepancy = {
  id: string
  kind: DiscrepancyKind
  fact: string
  paymentId: string | null
  accountId: number | null
  details: Record<string, unknown>
  status: DiscrepancyStatus
  createdAt: Date
  /** By the database's clock, seconds. */
  ageS: number
  decision: Decision | null
  resolvedAt: Date | null
}

export type Identified = Pick<StoredDiscrepancy, 'id' | 'kind'>

/** `resolution_not_allowed` where the kind does not have it. */
export function checkResolution(kind: DiscrepancyKind, resolution: AskedResolution): void {
  const allowed: readonly AskedResolution[] = kinds[kind].resolutions
  if (allowed.includes(resolution)) return
  const detail = `${kind} is resolved by ${allowed.join(' or ')}.`
  throw new Problem('resolution_not_allowed', detail, {
    errors: [{ pointer: '/resolution', detail: `must be one of ${allowed.join(', ')}` }]
  })
}

/**
 * Does to the payment what was decided, and records that it is resolved. Answers the id of the
 * refund that was asked for, if any.
 */
export function resolve(
  aggregate: PaymentAggregate,
  found: StoredDiscrepancy,
  decision: Decision & { resolution: AskedResolution },
  approvalAbove: number | null,
  context: LifecycleContext
): string | null {
  const { id } = found
  const held = typeof found.details.authorisation === 'string' ? found.details.authorisation : ''
  let refundId: string | null = null
  switch (decision.resolution) {
    case 'applyToAccount':
    case 'writtenOff':
    case 'sendBack':
      decideHeld(aggregate, held, decision.resolution, id, context)
      break
    case 'retryReversal':
      decideHeld(aggregate, held, 'sendBack', id, context)
      break
    case 'captured':
      confirm(aggregate, found, context)
      break
    case 'refund':
      refundId = refundRest(aggregate, decision, approvalAbove, context)
      break
    case 'acknowledged':
      if (findHeld(aggregate, held) !== undefined) {
        throw new Problem('resolution_not_allowed', 'The money still stands in clearing.')
      }
  }
  recordResolved(aggregate, found, decision, context)
  return refundId
}

export function recordResolved(
  aggregate: PaymentAggregate,
  found: Identified,
  decision: Decision,
  context: LifecycleContext
): void {
  record(aggregate, 'discrepancy.resolved', { discrepancy: toEventData(found, decision) }, context)
}

/**
 * What the event says, also where there is no payment. Who decided, and why, is for those who may
 * read discrepancies: the payment's client may be a third party.
 */
export function toEventData({ id, kind }: Identified, { resolution }: Decision) {
  return { id, kind, resolution }
}

/** A decision that came to nothing, with the refund that was asked for by it. */
export type Reopening = {
  resolution: 'refund'
  reason: string | null
  operator: { id: string } | null
  /** RFC 3339, UTC. */
  resolvedAt: string | null
  refundId: string
  refundStatus: 'failed' | 'rejected'
}

/**
 * Records that a discrepancy is open again, since the refund that resolved it came to nothing; and
 * answers what becomes of the decision. Undefined where the refund may still come.
 */
export function reopen(
  aggregate: PaymentAggregate,
  { id, kind, decision, resolvedAt, details }: StoredDiscrepancy,
  context: LifecycleContext
): Reopening | undefined {
  const refund = aggregate.operations.find((one) => one.id === details.refundId)
  if (decision?.resolution !== 'refund' || refund === undefined) return undefined
  if (refund.status !== 'failed' && refund.status !== 'rejected') return undefined
  const came = { refundId: refund.id, refundStatus: refund.status }
  const discrepancy = { id, kind, details: { reopened: true, ...came } }
  record(aggregate, 'discrepancy.opened', { discrepancy }, context)
  const { resolution, reason, operator } = decision
  return { resolution, reason, operator, resolvedAt: resolvedAt?.toISOString() ?? null, ...came }
}

function confirm(
  aggregate: PaymentAggregate,
  { fact }: StoredDiscrepancy,
  context: LifecycleContext
): void {
  if (confirmRecapture(aggregate, fact, context) === undefined) {
    throw new Problem('resolution_not_allowed', 'The capture stands, or other money has paid.')
  }
}

/**
 * A person has seen at the provider that a capture was taken again. Undefined where it did not
 * fail, or its money would be more than was reserved.
 */
export function confirmRecapture(
  aggregate: PaymentAggregate,
  captureId: string,
  context: LifecycleContext
): Operation | undefined {
  const capture = operationsOf(aggregate, 'capture').find(({ id }) => id === captureId)
  const own = findOwn(aggregate, capture?.authorisationReference ?? '')
  if (capture?.status !== 'failed' || typeof own === 'string') return undefined
  const { value } = capture.amount
  if (aggregate.payment.amountCaptured + value > largestAuthorised(own)) return undefined
  const reference = `confirmed ${capture.reported.length}`
  reportCapture(aggregate, capture, own, { outcome: 'succeeded', reference }, context)
  return capture
}

function refundRest(
  aggregate: PaymentAggregate,
  { reason, operator }: Decision,
  approvalAbove: number | null,
  context: LifecycleContext
): string {
  const { currency } = aggregate.payment.amount
  const value = amountRefundable(aggregate.payment)
  if (value === 0) {
    throw new Problem('resolution_not_allowed', 'Nothing of the payment is left to refund.')
  }
  const asked = { amount: { currency, value }, reason, operator, ...noConditions }
  return requestRefund(aggregate, asked, approvalAbove, context).id
}
const noConditions = { amountRefundable: null, processor: null }

/** Its age is no change of it. */
export function discrepancyETag({ status }: StoredDiscrepancy): string {
  return `"${status}"`
}

/** As the API shows it. */
export function toDiscrepancyView(found: StoredDiscrepancy) {
  const { id, kind, status, paymentId, details, decision } = found
  const { ours, theirs, resolutions } = kinds[kind]
  return {
    id,
    kind,
    status,
    paymentId,
    accountId: found.accountId === null ? null : String(found.accountId),
    ours,
    theirs,
    details,
    ageSeconds: found.ageS,
    resolutions: status === 'open' ? [...resolutions] : [],
    resolution: decision && {
      resolution: decision.resolution,
      reason: decision.reason,
      operator: decision.operator && { id: decision.operator.id },
      at: found.resolvedAt?.toISOString() ?? ''
    },
    createdAt: found.createdAt.toISOString()
  }
}

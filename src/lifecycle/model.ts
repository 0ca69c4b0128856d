/**
 * What belongs to a payment and how it is kept: types only. What the provider reported stands in
 * sets, so that whatever is read from them is the same in whatever order it was reported.
 */
import type { Posting } from '../ledger/ledger.ts'
import type { Money } from '../money.ts'
import type { EventType } from '../payments/event.ts'
import type { Operator, Payment } from '../payments/payment.ts'
import type { DisputeEvent, Failure, ProviderEvent } from '../provider.ts'

/**
 * What the provider reported of an authorisation besides that it was authorised: a set, in which a
 * report stands once, in whatever order it came.
 */
export type AuthorisationReport =
  /** Its amount is `value` now; `at` orders several (RFC 3339, UTC). */
  | { what: 'adjusted'; reference: string; value: number; at: string }
  /**
   * What was not captured of it is gone. reversed: by a request that would have refunded what was
   * captured. returned: it was held, and somebody gave it back at the provider.
   */
  | { what: 'expired' | 'cancelled' | 'reversed' | 'returned'; reference: string }
  /** A plain CAPTURE of an automatic capture: its authorisation had said so already. */
  | { what: 'captured'; reference: string; again: boolean }
  /** The card's bank says that it was fraud. */
  | { what: 'fraud'; reference: string }

/** An attempt to pay. Its reference is the identity of money. */
export type Authorisation = {
  reference: string
  outcome: 'refused' | 'authorised'
  /**
   * kept: the payment's own money. released: nobody holds it any more: it lapsed, was replaced, or
   * went back. reversing: it is sent back. differs: it is held, since it is not what was asked for.
   * applied, writtenOff: it was held, and a person has decided what becomes of it. Null while
   * refused.
   */
  disposition: 'kept' | 'released' | 'reversing' | 'differs' | 'applied' | 'writtenOff' | null
  amount: Money
  reported: AuthorisationReport[]
}

export const operationKinds = ['capture', 'cancellation', 'refund', 'reversal'] as const
export type OperationKind = (typeof operationKinds)[number]

/** `awaitingApproval` and `rejected` are of refunds only. */
export type OperationStatus = 'awaitingApproval' | 'requested' | 'succeeded' | 'failed' | 'rejected'

export type Decision = { operator: Operator; at: string }

/**
 * What the provider reported, under which reference of its own. succeeded: it went well. failed: it
 * had been accepted and came to nothing. refused: it was not done. `reason` words a failure and
 * decides nothing, since it is not signed. `again`: the report words a capture as one that was
 * taken again. `whole`: the report is of a reversal, which gives back all that is left.
 */
export type Report = {
  outcome: 'succeeded' | 'failed' | 'refused'
  reference: string
  reason?: string
  again?: true
  whole?: true
}

export type Operation = {
  id: string
  kind: OperationKind
  /** The authorisation that it is about; null where a payment is cancelled that has none yet. */
  authorisationReference: string | null
  amount: Money
  status: OperationStatus
  failure: Failure | null
  /** `provider`: somebody asked for it there, not through us. */
  origin: 'client' | 'provider'
  reason: string | null
  operator: Operator | null
  /** Who approved or rejected it, and when (RFC 3339, UTC). */
  decision: Decision | null
  /** Of a refund that was made elsewhere. */
  processor: { name: string; reference: string } | null
  /** The idempotency key of the call; null where nothing is asked of the provider. */
  providerKey: string | null
  /** The provider's reference of what it accepted; null until it has answered. */
  providerReference: string | null
  /** Other references under which the provider reported it. */
  alsoReportedAs: readonly string[]
  /** A set: each report stands here once. */
  reported: readonly Report[]
  createdAt: Date
}

export type OperationPrefix = 'cap' | 'can' | 'ref' | 'rev'

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
  reported: readonly DisputeEvent[]
  createdAt: Date
  updatedAt: Date
  closedAt: Date | null
}

export type Discrepancy = {
  id: string
  kind:
    | 'paid_after_end'
    | 'amount_differs'
    | 'reversal_failed'
    | 'outcome_unknown'
    | 'success_without_reference'
    | 'refund_and_chargeback'
    | 'refunded_beyond_captured'
    | 'recapture_unconfirmed'
    | 'reversal_amount_unknown'
    | 'notification_not_understood'
    | 'fraud_reported'
    | 'possible_duplicate'
    | 'billing_rejected'
    | 'settlement_missing'
    | 'settlement_unmatched'
    | 'settlement_doubled'
    | 'settlement_amount'
  /** What it is about: one of a kind is opened once for each. */
  fact: string
  details: Record<string, unknown>
  status: 'open' | 'resolved'
  /** How it was resolved, where it was. */
  resolution: string | null
}

/** An event to be written, with the payment as it was right after it. */
type NewEvent = {
  sequence: number
  type: EventType
  data: Record<string, unknown>
  payment: Payment
}

/** A payment with what belongs to it, and what is to be written of it. */
export type PaymentAggregate = {
  payment: Payment
  authorisations: Authorisation[]
  operations: Operation[]
  disputes: Dispute[]
  /** Those that stand as long as what they say is true, and those that are opened now. */
  discrepancies: Discrepancy[]
  events: NewEvent[]
  postings: Posting[]
  /** What of the lists above is new or changed. */
  touched: Set<Authorisation | Operation | Dispute | Discrepancy>
}

export type LifecycleContext = {
  now: Date
  newId: (prefix: OperationPrefix | 'dsp' | 'dis') => string
}

/**
 * What applying a fact did. applied: it changed something, or had changed it already. ignored: it
 * has no effect here. deferred: it rests on a fact that is not known yet, so it must be applied
 * again. contradictory: it says that money moved in a way that cannot be true of this payment, so a
 * person must look. Only `applied` changes the aggregate.
 */
export type Effect = 'applied' | 'ignored' | 'deferred' | 'contradictory'

export type EventOf<Type extends ProviderEvent['type']> = Extract<ProviderEvent, { type: Type }>

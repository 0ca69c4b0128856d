/**
 * What is asked about a payment once it is made: captures, cancellations, refunds, and reversals of
 * money that is not wanted. Pure: the types, and what all kinds have in common.
 */
import type { Money } from '../money.ts'
import { type Operator, type Payment, providerKey } from '../payments/payment.ts'
import type { Failure, RequestReference } from '../provider.ts'

export const operationKinds = ['capture', 'cancellation', 'refund', 'reversal'] as const
export type OperationKind = (typeof operationKinds)[number]

/** `awaitingApproval` and `rejected` are of refunds only. */
export type OperationStatus = 'awaitingApproval' | 'requested' | 'succeeded' | 'failed' | 'rejected'

export type Decision = { operator: Operator; at: string }

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
  /** Other references under which the provider told of it. */
  alsoReportedAs: readonly string[]
  /** A refund of all that was left, which the provider told as a reversal of the whole. */
  isRest: boolean
  /**
   * How often it was told that it went well, and that it came to nothing after all. They count more
   * than the order of the news: it stands while there are more successes than failures.
   */
  successes: number
  failures: number
  createdAt: Date
}

const prefixes = { capture: 'cap', cancellation: 'can', refund: 'ref', reversal: 'rev' } as const
export type OperationPrefix = (typeof prefixes)[OperationKind]

type NewOperation = Pick<Operation, 'kind' | 'authorisationReference' | 'amount'> &
  Partial<Operation>
type Context = { now: Date; newId: (prefix: OperationPrefix) => string }

/** One that was just asked for, by a client unless `given` says otherwise. */
export function newOperation(given: NewOperation, context: Context): Operation {
  const id = context.newId(prefixes[given.kind])
  const origin = given.origin ?? 'client'
  return {
    id,
    status: 'requested',
    failure: null,
    origin,
    reason: null,
    operator: null,
    decision: null,
    processor: null,
    providerKey: origin === 'client' ? providerKey(id, given.kind) : null,
    providerReference: null,
    alsoReportedAs: [],
    isRest: false,
    successes: 0,
    failures: 0,
    createdAt: context.now,
    ...given
  }
}

/** Whether the request that the provider tells of is this one. */
export function isSame(operation: Operation, by: RequestReference): boolean {
  const { providerReference, alsoReportedAs: toldAs, id } = operation
  const isKnown =
    by.providerReference === providerReference || toldAs.includes(by.providerReference)
  return isKnown || by.reference === id
}

/** Whatever is told under this reference from now on is about this one. */
export function recognise(operation: Operation, by: RequestReference): void {
  if (!isSame(operation, by)) {
    operation.alsoReportedAs = [...operation.alsoReportedAs, by.providerReference]
  }
}

/** Its outcome is still to come. */
export function isUnderWay({ status }: Operation): boolean {
  return status === 'requested' || status === 'awaitingApproval'
}

/** As the API and the events show it. */
export function toOperationView(operation: Operation, payment: Pick<Payment, 'id'>) {
  const {
    id,
    kind,
    amount,
    status,
    failure,
    origin,
    authorisationReference: authorisation
  } = operation
  const createdAt = operation.createdAt.toISOString()
  const shared = { id, paymentId: payment.id, amount, status, failure, origin }
  if (kind === 'refund') {
    const { reason, operator, decision, processor } = operation
    return { ...shared, reason, operator, decision, processor, createdAt }
  }
  if (kind === 'reversal') return { ...shared, authorisation, createdAt }
  return { ...shared, ...(kind === 'cancellation' && { reason: operation.reason }), createdAt }
}

/** Payments that another processor took, such as an IVR's own platform. Pure. */

import { movePayment, openDiscrepancy, post } from '../lifecycle/aggregate.ts'
import type { LifecycleContext, PaymentAggregate } from '../lifecycle/model.ts'
import type { Payment } from '../payments/payment.ts'
import type { Difference } from '../problem.ts'
import type { CardFace, Failure } from '../provider.ts'

/** A payment of the same account and amount as another, and whose it is. */
export type EarlierPayment = { id: string; clientId: string }

export type RecordedOutcome =
  | { outcome: 'captured'; card: CardFace | null }
  | { outcome: 'refused'; card: CardFace | null; failure: Failure }

/**
 * What the record says has happened already. `duplicate`: another payment of the same account and
 * amount a moment ago, which a person should look at, since nothing can be refused any more. Its id
 * is told to nobody but its own client and those who look at discrepancies.
 */
export function recordOutcome(
  aggregate: PaymentAggregate,
  told: RecordedOutcome,
  duplicate: EarlierPayment | undefined,
  context: LifecycleContext
): void {
  const { payment } = aggregate
  payment.card = told.card
  if (told.outcome === 'refused') {
    payment.failure = told.failure
    movePayment(aggregate, 'refused', {}, context)
    return
  }
  payment.amountCaptured = payment.amount.value
  const cause = { type: 'payment', id: payment.id } as const
  post(aggregate, 'recordedPayment', payment.id, payment.amount, cause)
  movePayment(aggregate, 'captured', {}, context)
  if (duplicate !== undefined) {
    const details = { paymentId: payment.id, duplicateOf: duplicate.id }
    const told = duplicate.clientId === payment.clientId ? details : { paymentId: payment.id }
    openDiscrepancy(aggregate, 'possible_duplicate', payment.id, details, context, told)
  }
}

/** What two records under one reference disagree about; undefined where they are the same. */
export function findDifference(
  known: Payment,
  sent: Pick<Payment, 'accountId' | 'amount'> & { outcome: 'captured' | 'refused' }
): Difference | undefined {
  // A refund or a dispute later changes nothing about what was recorded.
  const outcome = known.status === 'refused' ? 'refused' : 'captured'
  const pairs: Record<string, [unknown, unknown]> = {
    accountId: [String(known.accountId), String(sent.accountId)],
    'amount.currency': [known.amount.currency, sent.amount.currency],
    'amount.value': [known.amount.value, sent.amount.value],
    outcome: [outcome, sent.outcome]
  }
  const differing = Object.entries(pairs).filter(([, [recorded, given]]) => recorded !== given)
  if (differing.length === 0) return undefined
  return Object.fromEntries(differing.map(([name, [recorded, sent]]) => [name, { recorded, sent }]))
}

/**
 * Money that is sent back whole, because it is not the payment's own: a reversal cancels or
 * refunds, whichever is possible (docs.adyen.com/online-payments/reversal). Until it is gone it
 * stands in clearing; what can't go back by itself is for a person to decide about.
 */
import type { RequestReference } from '../provider.ts'
import {
  addToAuthorisation,
  findAuthorisation,
  isTaken,
  openDiscrepancy,
  operationsOf,
  post
} from './aggregate.ts'
import type {
  Authorisation,
  Effect,
  EventOf,
  LifecycleContext,
  Operation,
  PaymentAggregate,
  Report
} from './model.ts'
import { addReport, isSame, recordOperation, standingOf } from './operation.ts'

/**
 * Money went back that is not the payment's own, whoever asked for it and by whatever kind of
 * request; undefined where it is the payment's own, or not known.
 */
export function onHeldReversed(
  aggregate: PaymentAggregate,
  reference: string | null,
  by: RequestReference,
  context: LifecycleContext
): Effect | undefined {
  const known = findAuthorisation(aggregate, reference)
  if (reference === null || known?.outcome !== 'authorised') return undefined
  // A person has decided what becomes of this money since: it can't have gone back as well.
  if (known.disposition === 'applied' || known.disposition === 'writtenOff') return 'contradictory'
  const succeeded = { outcome: 'succeeded', reference: by.providerReference } as const
  const reversal = findReported(aggregate, reference, by, succeeded)
  if (reversal !== undefined) {
    moveReversed(aggregate, reversal, succeeded, context)
    return 'applied'
  }
  const isReturned = known.reported.some(({ what }) => what === 'returned')
  if (known.disposition !== 'differs') return isReturned ? 'applied' : undefined
  return returnHeld(aggregate, known, by)
}

/** Money that differs was given back by a person, at the provider. */
function returnHeld(
  aggregate: PaymentAggregate,
  held: Authorisation,
  { providerReference: reference }: RequestReference
): Effect {
  const { payment } = aggregate
  held.disposition = 'released'
  addToAuthorisation(aggregate, held, { what: 'returned', reference })
  if (isTaken(payment) && held.amount.value > 0) {
    const cause = { type: 'payment', id: payment.id } as const
    post(aggregate, 'reversal', held.reference, held.amount, cause)
  }
  return 'applied'
}

export function onReversalRefused(
  aggregate: PaymentAggregate,
  event: EventOf<'reversalRefused'>,
  context: LifecycleContext
): Effect {
  const { by, reason } = event
  const refused = { outcome: 'refused', reference: by.providerReference, reason } as const
  const reversal = findReported(aggregate, event.authorisationReference, by, refused)
  // Somebody else's request was refused; or ours, of which more is known already.
  if (reversal === undefined || !isOurs(reversal, by)) return 'ignored'
  moveReversed(aggregate, reversal, refused, context)
  return 'applied'
}

/** What a reversal had given back came back. */
export function onReversalFailed(
  aggregate: PaymentAggregate,
  event: EventOf<'refundFailed'>,
  context: LifecycleContext
): Effect {
  const { authorisationReference, by, reason } = event
  const failed = { outcome: 'failed', reference: by.providerReference, reason } as const
  const reversal = findReported(aggregate, authorisationReference, by, failed)
  if (reversal === undefined) {
    const known = findAuthorisation(aggregate, authorisationReference)
    const isOther = aggregate.payment.authorisationReference !== authorisationReference
    return known?.outcome === 'authorised' && isOther ? 'contradictory' : 'deferred'
  }
  moveReversed(aggregate, reversal, failed, context)
  return 'applied'
}

/** Adds a report to a reversal of ours: clearing is emptied, or filled again. */
export function moveReversed(
  aggregate: PaymentAggregate,
  reversal: Operation,
  report: Report,
  context: LifecycleContext
): void {
  const before = addReport(aggregate, reversal, report)
  if (before === undefined) return
  const { id, amount, status, failure, authorisationReference: authorisation } = reversal
  const fact = `${id}.${aggregate.payment.eventCount}`
  const isMoney = isTaken(aggregate.payment)
  if (isMoney && status === 'succeeded') {
    post(aggregate, 'reversal', fact, amount, { type: 'reversal', id })
  } else if (isMoney && before === 'succeeded') {
    post(aggregate, 'reversalFailed', fact, amount, { type: 'reversal', id })
  }
  recordOperation(aggregate, reversal, context)
  if (status !== 'failed') return
  // The money stays in clearing: a person must say what becomes of it.
  const published = { reversalId: id, authorisation }
  const details = { ...published, reason: failure?.message }
  openDiscrepancy(aggregate, 'reversal_failed', fact, details, context, published)
}

/** The last one of this money: what came back may be sent back again. */
export function findReversal(
  aggregate: PaymentAggregate,
  reference: string
): Operation | undefined {
  return operationsOf(aggregate, 'reversal').findLast(
    ({ authorisationReference }) => authorisationReference === reference
  )
}

/**
 * The one that a report is about: the last one; but a report by the reference of an earlier one,
 * which has failed all the same, says nothing of a later one.
 */
function findReported(
  aggregate: PaymentAggregate,
  reference: string,
  by: RequestReference,
  report: Report
): Operation | undefined {
  const last = findReversal(aggregate, reference)
  const failsAllTheSame = (one: Operation) =>
    standingOf({ ...one, reported: [...one.reported, report] }) === 'failed'
  const earlier = operationsOf(aggregate, 'reversal').find(
    (one) =>
      one !== last &&
      one.authorisationReference === reference &&
      isSame(one, by) &&
      failsAllTheSame(one)
  )
  return earlier ?? last
}

/** Whether the reversal that the provider reports is ours: so long as it has no reference, any. */
function isOurs(reversal: Operation, by: RequestReference): boolean {
  return reversal.providerReference === null || isSame(reversal, by)
}

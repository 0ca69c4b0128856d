/**
 * Attempts to pay, and what becomes of the money of one: kept, held, sent back, adjusted, expired.
 * The provider's reference of an authorisation is the identity of money: the same one from any
 * source is the same fact, only another one is a second success.
 */
import type { Posting } from '../ledger/ledger.ts'
import { isUnpaid, mayMove, type Payment } from '../payments/payment.ts'
import { toFailureView } from '../payments/payment-view.ts'
import { filled } from '../payments/shown.ts'
import {
  addToAuthorisation,
  findAuthorisation,
  findOwn,
  isTaken,
  movePayment,
  openDiscrepancy,
  post,
  record
} from './aggregate.ts'
import type { Authorisation, Effect, EventOf, LifecycleContext, PaymentAggregate } from './model.ts'
import { addOperation, recordOperation } from './operation.ts'

export function onAuthorised(
  aggregate: PaymentAggregate,
  event: EventOf<'authorised'>,
  context: LifecycleContext
): Effect {
  const { payment } = aggregate
  const known = findAuthorisation(aggregate, event.authorisationReference)
  if (known?.outcome === 'authorised') return showMore(aggregate, known, event)

  const authorisation = known ?? addAuthorisation(aggregate, event)
  authorisation.outcome = 'authorised'
  authorisation.amount = event.amount
  aggregate.touched.add(authorisation)
  const { amount } = payment
  if (event.amount.value !== amount.value || event.amount.currency !== amount.currency) {
    hold(aggregate, authorisation, context)
  } else if (payment.cancelledBy === 'client' || !mayMove(payment.status, successOf(payment))) {
    sendBack(aggregate, authorisation, context)
  } else {
    keep(aggregate, authorisation, event, context)
  }
  return 'applied'
}

export function addAuthorisation(
  aggregate: PaymentAggregate,
  event: Pick<EventOf<'authorised'>, 'authorisationReference' | 'amount'>
): Authorisation {
  const added: Authorisation = {
    reference: event.authorisationReference,
    outcome: 'refused',
    disposition: null,
    amount: event.amount,
    reported: []
  }
  aggregate.authorisations.push(added)
  aggregate.touched.add(added)
  return added
}

/** The same fact from a source that knows more of what is shown. A registered card is known. */
function showMore(
  { payment, touched }: PaymentAggregate,
  known: Authorisation,
  event: EventOf<'authorised'>
): Effect {
  if (known.reference !== payment.authorisationReference) return 'applied'
  const card = payment.registeredCardId === null ? filled(payment.card, event.card) : payment.card
  const authentication = filled(payment.authentication, event.authentication)
  if (card !== payment.card || authentication !== payment.authentication) touched.add(known)
  Object.assign(payment, { card, authentication })
  return 'applied'
}

/** Where a success leads: an automatic capture needs no step of its own. */
function successOf(payment: Payment): 'captured' | 'authorised' {
  return isTaken(payment) ? 'captured' : 'authorised'
}

/** The money is the customer's payment. */
function keep(
  aggregate: PaymentAggregate,
  authorisation: Authorisation,
  { card, authentication = null }: EventOf<'authorised'>,
  context: LifecycleContext
): void {
  const { payment } = aggregate
  const late = isUnpaid(payment.status)
  const endedAs = payment.status
  const move = successOf(payment)
  // Where the capture of other money failed, that is the payment's own no more.
  const replaced = aggregate.authorisations.find(({ disposition }) => disposition === 'kept')
  if (replaced !== undefined) {
    replaced.disposition = 'released'
    aggregate.touched.add(replaced)
  }
  const { reference, amount } = authorisation
  authorisation.disposition = 'kept'
  payment.authorisationReference = reference
  payment.amountAuthorised = amount.value
  payment.card = card ?? payment.card
  payment.authentication = authentication
  payment.failure = null
  payment.cancelledBy = null
  if (move === 'captured') {
    payment.amountCaptured = amount.value
    const cause = { type: 'payment', id: payment.id } as const
    post(aggregate, 'payment', reference, amount, cause, payment.allocations ?? [])
  }
  movePayment(aggregate, move, { authorisation: reference }, context)
  if (late) {
    const details = { endedAs, authorisation: reference }
    openDiscrepancy(aggregate, 'paid_after_end', reference, details, context)
  }
}

/** The money is not wanted: the caller cancelled, or other money has paid already. */
function sendBack(
  aggregate: PaymentAggregate,
  authorisation: Authorisation,
  context: LifecycleContext
): void {
  const { reference: authorisationReference, amount } = authorisation
  authorisation.disposition = 'reversing'
  const reversal = addOperation(
    aggregate,
    { kind: 'reversal', authorisationReference, amount },
    context
  )
  holdTaken(aggregate, authorisation, { type: 'reversal', id: reversal.id })
  recordOperation(aggregate, reversal, context)
}

/** The money is not what was asked for: a person must say what it is. */
function hold(
  aggregate: PaymentAggregate,
  authorisation: Authorisation,
  context: LifecycleContext
): void {
  const { reference, amount: received } = authorisation
  authorisation.disposition = 'differs'
  holdTaken(aggregate, authorisation, { type: 'payment', id: aggregate.payment.id })
  const details = { authorisation: reference, expected: aggregate.payment.amount, received }
  openDiscrepancy(aggregate, 'amount_differs', reference, details, context)
}

/**
 * Money that was taken stands in clearing; a mere reservation, or an amount of 0, moves no ledger.
 */
function holdTaken(
  aggregate: PaymentAggregate,
  authorisation: Authorisation,
  cause: Posting['cause']
): void {
  if (isTaken(aggregate.payment) && authorisation.amount.value > 0) {
    post(aggregate, 'held', authorisation.reference, authorisation.amount, cause)
  }
}

export function onAttemptRefused(
  aggregate: PaymentAggregate,
  event: EventOf<'attemptRefused'>,
  context: LifecycleContext
): Effect {
  const known = findAuthorisation(aggregate, event.authorisationReference)
  // A refusal after a success of the same reference is the older of the two.
  if (known !== undefined) return known.outcome === 'refused' ? 'applied' : 'ignored'
  addAuthorisation(aggregate, event)
  const { payment } = aggregate
  if (payment.status === 'pending') payment.failure = event.failure
  const failure = toFailureView(event.failure)
  const attempt = { providerReference: event.authorisationReference, failure }
  record(aggregate, 'payment.attemptRefused', { attempt }, context)
  // A page lets the customer try again; a registered card has one attempt.
  if (payment.status === 'pending' && payment.method === 'registeredCard') {
    movePayment(aggregate, 'refused', {}, context)
  }
  return 'applied'
}

/**
 * What is reserved has another amount, by an adjustment in the Customer Area
 * (docs.adyen.com/online-payments/adjust-authorisation).
 */
export function onAmountAdjusted(
  aggregate: PaymentAggregate,
  event: EventOf<'amountAdjusted'>,
  context: LifecycleContext
): Effect {
  const own = findOwn(aggregate, event.authorisationReference)
  if (typeof own === 'string') return own
  const { amount, by, at } = event
  const { payment } = aggregate
  if (amount.currency !== payment.amount.currency) return 'contradictory'
  const reference = by.providerReference
  const report = { what: 'adjusted', reference, value: amount.value, at: at.toISOString() } as const
  if (!addToAuthorisation(aggregate, own, report)) return 'applied'
  payment.amountAuthorised = largestAuthorised(own)
  record(aggregate, 'payment.amountAdjusted', { amountAuthorised: reservedNow(own) }, context)
  return 'applied'
}

const adjustmentsOf = ({ reported }: Authorisation) =>
  reported.filter((one) => one.what === 'adjusted')

/** The most that was ever reserved, minor units: whatever is captured is at most this. */
export function largestAuthorised(authorisation: Authorisation): number {
  const values = adjustmentsOf(authorisation).map(({ value }) => value)
  return Math.max(authorisation.amount.value, ...values)
}

/**
 * What is reserved now, minor units: as last adjusted. The time of an adjustment is not signed, and
 * only says what is asked for by default: what was captured is what the provider reports.
 */
export function reservedNow(authorisation: Authorisation): number {
  const all = adjustmentsOf(authorisation).toSorted((one, other) => (one.at < other.at ? -1 : 1))
  return all.at(-1)?.value ?? authorisation.amount.value
}

/** Nothing more can be captured of it: the rest has expired, or was cancelled. */
export function isLapsed({ reported }: Authorisation): boolean {
  return reported.some(({ what }) => what === 'expired' || what === 'cancelled')
}

export function onExpired(
  aggregate: PaymentAggregate,
  event: EventOf<'authorisationExpired'>,
  context: LifecycleContext
): Effect {
  const { authorisationReference: reference } = event
  const known = findAuthorisation(aggregate, reference)
  if (known?.outcome !== 'authorised') return 'deferred'
  if (known.disposition !== 'kept' && known.disposition !== 'released') return 'ignored'
  addToAuthorisation(aggregate, known, { what: 'expired', reference })
  release(aggregate, known, 'expired', context)
  return 'applied'
}

/** A reservation that was not captured is gone; nothing happens where the payment is not on it. */
export function release(
  aggregate: PaymentAggregate,
  kept: Authorisation,
  move: 'expired' | 'cancelled',
  context: LifecycleContext
): void {
  const { payment } = aggregate
  if (kept.disposition !== 'kept' || payment.status !== 'authorised') return
  kept.disposition = 'released'
  aggregate.touched.add(kept)
  if (move === 'cancelled') {
    payment.cancelledBy = 'client'
  } else {
    const message = 'The reservation expired before it was captured.'
    payment.failure = { code: 'expired', message, retryable: true }
  }
  movePayment(aggregate, move, { authorisation: kept.reference }, context)
}

/**
 * The card's bank says that the payment was fraud (TC40, SAFE): nothing has moved, but a chargeback
 * is likely to follow (docs.adyen.com/risk-management/disputes-api/dispute-notifications).
 */
export function onFraudReported(
  aggregate: PaymentAggregate,
  event: EventOf<'fraudReported'>,
  context: LifecycleContext
): Effect {
  const known = findAuthorisation(aggregate, event.authorisationReference)
  if (known?.outcome !== 'authorised') return 'deferred'
  const { reference, amount, reason, authorisationReference: authorisation } = event
  if (!addToAuthorisation(aggregate, known, { what: 'fraud', reference })) return 'applied'
  const details = { authorisation, reference, amount, reason }
  record(aggregate, 'payment.fraudReported', { fraud: details }, context)
  openDiscrepancy(aggregate, 'fraud_reported', reference, details, context)
  return 'applied'
}

import { type CardEntry, type CardFault, cvcFault, readCard } from './cards.ts'
import type { Context } from './context.ts'
import { send } from './delivery.ts'
import { newAuthCode, newPspReference, newStoredCardId } from './identifiers.ts'
import { authorisation, signed } from './notifications.ts'
import { endSession, statusOf } from './sessions.ts'
import type { Attempt, Card, Session, StoredCard } from './state.ts'
import { outcomeFor, refundFails } from './test-data.ts'

/** After so many refusals a session is `refused`; Adyen's own number is not public. */
const MOST_REFUSALS = 5
const HOUR = 3_600_000

export type PayForm = CardEntry & {
  /** The id of a registered card; null for a new card. */
  storedCardId: string | null
  /** The shopper ticked "save this card". */
  consents: boolean
}

export type PayOutcome =
  /** Nothing was attempted. */
  | { outcome: 'invalid'; faults: CardFault[] }
  /** The shopper may try again. */
  | { outcome: 'refused'; attempt: Attempt }
  /** Nothing more can be paid: see the session's status. */
  | { outcome: 'ended' }

/** One press of the pay button. A session that has ended is not paid again. */
export function pay(context: Context, session: Session, form: PayForm): PayOutcome {
  if (statusOf(session) !== 'active') return { outcome: 'ended' }
  const stored = storedCardsOf(context, session).find(({ id }) => id === form.storedCardId)
  const { card, faults } = stored === undefined ? readCard(form, new Date()) : useCard(stored, form)
  if (card === undefined) return { outcome: 'invalid', faults }

  const attempt = attemptWith(card)
  session.attempts.push(attempt)
  if (attempt.resultCode === 'Authorised') register(context, session, attempt, stored, form)
  if (attempt.resultCode === 'Authorised' || attempt.resultCode === 'Received') {
    accept(context, session, attempt)
    return { outcome: 'ended' }
  }
  announce(context, session, attempt, false)
  const refusals = session.attempts.length
  if (refusals >= MOST_REFUSALS) endSession(context, session, 'refused')
  else context.state.sessions.put(session)
  return session.status === 'refused' ? { outcome: 'ended' } : { outcome: 'refused', attempt }
}

/** The cards that the session's shopper may pay with, oldest first. */
export function storedCardsOf({ state }: Context, { request }: Session): StoredCard[] {
  const { shopperReference } = request
  if (shopperReference === undefined) return []
  return state.storedCards.all().filter((stored) => stored.shopperReference === shopperReference)
}

function useCard(
  { card }: StoredCard,
  { cvc }: PayForm
): { card: Card; faults?: never } | { card?: never; faults: CardFault[] } {
  const fault = cvcFault(cvc, card.brand)
  return fault === null ? { card } : { faults: [fault] }
}

function attemptWith(card: Card): Attempt {
  return {
    pspReference: newPspReference(),
    at: new Date().toISOString(),
    ...outcomeFor(card.holderName),
    authCode: newAuthCode(),
    card,
    storedCardId: null,
    tokenOperation: null
  }
}

function accept(context: Context, session: Session, attempt: Attempt): void {
  const isAuthorised = attempt.resultCode === 'Authorised'
  recordPayment(context, session, attempt)
  endSession(context, session, isAuthorised ? 'completed' : 'paymentPending')
  announceSuccess(context, session, attempt)
}

/** Makes the payment known to later modifications. */
function recordPayment({ state }: Context, session: Session, attempt: Attempt): void {
  const { request } = session
  const isManual = request.additionalData?.manualCapture === 'true'
  const delay = (request.captureDelayHours ?? 0) * HOUR
  state.payments.put({
    id: attempt.pspReference,
    createdAt: attempt.at,
    reference: request.reference,
    amount: request.amount,
    brand: attempt.card.brand,
    capturedAt: isManual ? null : new Date(Date.parse(attempt.at) + delay).toISOString(),
    refundFails: refundFails(attempt.card.holderName),
    reversed: false
  })
}

/** Stores the card for the shopper where the session asks for it: a token, never the number. */
function register(
  context: Context,
  session: Session,
  attempt: Attempt,
  used: StoredCard | undefined,
  { consents }: PayForm
): void {
  const { shopperReference, storePaymentMethodMode: mode } = session.request
  const isWanted = mode === 'enabled' || (mode === 'askForConsent' && consents)
  if (used !== undefined) attempt.storedCardId = used.id
  if (used !== undefined || !isWanted || shopperReference === undefined) return

  const same = storedCardsOf(context, session).find(({ card }) => isSameCard(card, attempt.card))
  const id = same?.id ?? newStoredCardId()
  attempt.storedCardId = id
  attempt.tokenOperation = same === undefined ? 'created' : 'alreadyExisting'
  const createdAt = same?.createdAt ?? attempt.at
  context.state.storedCards.put({ id, createdAt, shopperReference, card: attempt.card })
}

function isSameCard(one: Card, other: Card): boolean {
  return (
    one.brand === other.brand &&
    one.lastFour === other.lastFour &&
    one.expiryMonth === other.expiryMonth &&
    one.expiryYear === other.expiryYear
  )
}

function announce(
  context: Context,
  session: Session,
  attempt: Attempt,
  success: boolean,
  laterMs = 0
): void {
  const { courier, faults, hmacKey, additionalData } = context
  const wait = faults.take('page', 'authorisationAfterMs')?.ms ?? courier.delayMs
  const item = authorisation(session, attempt, success, additionalData)
  send(courier, [signed(item, hmacKey)], { afterMs: wait + laterMs })
}

/** One AUTHORISATION true, unless a fault asks for a sequence that real shops have met. */
function announceSuccess(context: Context, session: Session, attempt: Attempt): void {
  const { faults } = context
  const falseThenTrue = faults.take('page', 'falseThenTrue')
  const trueThenFalse = faults.take('page', 'trueThenFalse')
  const second = faults.take('page', 'secondSuccess')
  if (falseThenTrue !== null) announce(context, session, attempt, false)
  announce(context, session, attempt, true, pauseOf(falseThenTrue))
  if (trueThenFalse !== null) {
    announce(context, session, attempt, false, pauseOf(trueThenFalse))
  }
  if (second !== null) {
    const again = { ...attemptWith(attempt.card), storedCardId: attempt.storedCardId }
    session.attempts.push(again)
    recordPayment(context, session, again)
    context.state.sessions.put(session)
    announce(context, session, again, true, pauseOf(second))
  }
}

/** Long enough, by default, for the first of the two to arrive first. */
function pauseOf(settings: { ms?: number } | null): number {
  return settings === null ? 0 : (settings.ms ?? 100)
}

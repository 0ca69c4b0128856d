import {
  announceRefusal,
  announceSuccess,
  attemptWith,
  isAccepted,
  recordPayment
} from './authorise.ts'
import { type CardEntry, type CardFault, cvcFault, readCard } from './cards.ts'
import { openChallenge } from './challenges.ts'
import { isLink, isRegistration, keep, offeredCards, purchaseOf, statusOf } from './checkouts.ts'
import type { Context } from './context.ts'
import { endSession } from './sessions.ts'
import type { Attempt, Card, Challenge, Checkout, StoredCard } from './state.ts'
import { storeCard } from './stored-cards.ts'
import type { Outcome } from './test-data.ts'
import { cardIn, offersOf } from './wallets.ts'

/** After so many refusals a session is `refused`; Adyen's own number is not public. */
const MOST_REFUSALS = 5

export type PayForm = CardEntry & {
  /** The id of a registered card; null for a new card. */
  storedCardId: string | null
  /** The shopper ticked "save this card". */
  consents: boolean
  /** The wallet whose button was pressed; null for the card form. */
  wallet: string | null
}

export type PayOutcome =
  /** Nothing was attempted. */
  | { outcome: 'invalid'; faults: CardFault[] }
  /** The issuer asks first; what comes of it is up to `settle`. */
  | { outcome: 'challenge'; challenge: Challenge }
  /** The shopper may try again. */
  | { outcome: 'refused'; attempt: Attempt }
  /** Paid, or no longer to be paid: see the status. */
  | { outcome: 'ended' }

const NOT_OFFERED: CardFault = { field: 'number', message: 'This is not offered on this page' }

/** What a shopper chose, along with a card that is good. */
type Choice = { card: Card; storedCardId: string | null; consents: boolean }

/** One press of the pay button. What has ended is not paid again. */
export function pay(context: Context, checkout: Checkout, form: PayForm): PayOutcome {
  if (statusOf(checkout) !== 'active') return { outcome: 'ended' }
  const offers = offersOf(checkout)
  const wallet = offers.wallets.find((one) => one === form.wallet)
  if (wallet !== undefined) {
    const card = cardIn(wallet, form.holderName.trim())
    return settle(context, checkout, { card, storedCardId: null, consents: false })
  }
  if (form.wallet !== null || !offers.cards) return { outcome: 'invalid', faults: [NOT_OFFERED] }
  const stored = offeredCards(context, checkout).find(({ id }) => id === form.storedCardId)
  const { card, faults } = stored === undefined ? readCard(form, new Date()) : useCard(stored, form)
  if (card === undefined) return { outcome: 'invalid', faults }

  const choice = { card, storedCardId: stored?.id ?? null, consents: form.consents }
  if (!card.challenge) return settle(context, checkout, choice)
  const challenge = openChallenge(context, {
    card,
    storedCardId: choice.storedCardId,
    purchase: purchaseOf(checkout),
    page: { checkoutId: checkout.id, consents: form.consents },
    returnUrl: ''
  })
  return { outcome: 'challenge', challenge }
}

/** An attempt to pay, with the outcome that the holder's name asks for unless one is given. */
export function settle(
  context: Context,
  checkout: Checkout,
  choice: Choice,
  outcome?: Outcome
): PayOutcome {
  if (statusOf(checkout) !== 'active') return { outcome: 'ended' }
  const attempt = attemptWith(context, choice.card, outcome)
  checkout.attempts.push(attempt)
  if (isAccepted(attempt)) {
    accept(context, checkout, attempt, choice)
    return { outcome: 'ended' }
  }
  announceRefusal(context, purchaseOf(checkout), attempt)
  const isLast = !isLink(checkout) && checkout.attempts.length >= MOST_REFUSALS
  if (isLast) endSession(context, checkout, 'refused')
  else keep(context, checkout)
  return isLast ? { outcome: 'ended' } : { outcome: 'refused', attempt }
}

function useCard(
  { card }: StoredCard,
  { cvc }: PayForm
): { card: Card; faults?: never } | { card?: never; faults: CardFault[] } {
  const fault = cvcFault(cvc, card.brand)
  return fault === null ? { card } : { faults: [fault] }
}

function accept(context: Context, checkout: Checkout, attempt: Attempt, choice: Choice): void {
  const purchase = purchaseOf(checkout)
  const isAuthorised = attempt.resultCode === 'Authorised'
  attempt.storedCardId = isAuthorised ? choice.storedCardId : null
  if (isAuthorised && isToBeStored(checkout, choice)) storeCard(context, purchase, attempt)
  recordPayment(context, purchase, attempt)
  finish(context, checkout, isAuthorised ? 'completed' : 'paymentPending')
  const second = announceSuccess(context, purchase, attempt)
  if (second === null) return
  checkout.attempts.push(second)
  keep(context, checkout)
}

/** A page for nothing but to save a card needs no tick: its button is the consent. */
function isToBeStored(checkout: Checkout, { card, storedCardId, consents }: Choice): boolean {
  const { storePaymentMethodMode: mode } = checkout.request
  const agrees = consents || isRegistration(checkout)
  const isNew = storedCardId === null && card.wallet === undefined
  return isNew && (mode === 'enabled' || (mode === 'askForConsent' && agrees))
}

function finish(
  context: Context,
  checkout: Checkout,
  status: 'completed' | 'paymentPending'
): void {
  if (isLink(checkout)) {
    if (checkout.request.reusable !== true) checkout.status = status
    checkout.updatedAt = new Date().toISOString()
    keep(context, checkout)
  } else {
    endSession(context, checkout, status)
  }
}

import type { Context } from './context.ts'
import type { Checkout, Link, Purchase, SessionStatus, State, StoredCard } from './state.ts'
import { storedCardsOf } from './stored-cards.ts'

export function isLink(checkout: Checkout): checkout is Link {
  return checkout.id.startsWith('PL')
}

export function findCheckout({ state }: { state: State }, id: string): Checkout | undefined {
  return state.sessions.get(id) ?? state.links.get(id)
}

export function keep({ state }: { state: State }, checkout: Checkout): void {
  if (isLink(checkout)) state.links.put(checkout)
  else state.sessions.put(checkout)
}

/** The path of the page. */
export function pathOf(checkout: Checkout): string {
  return `${isLink(checkout) ? '/link' : '/pay'}/${checkout.id}`
}

/** The status now: an active session or link ends by itself. */
export function statusOf(checkout: Checkout): SessionStatus {
  const isOver = checkout.status === 'active' && Date.parse(checkout.expiresAt) <= Date.now()
  return isOver ? 'expired' : checkout.status
}

/** The registered cards that the page offers: a link does not know who opened it. */
export function offeredCards(context: Context, checkout: Checkout): StoredCard[] {
  const { shopperReference } = checkout.request
  if (isLink(checkout) || shopperReference === undefined) return []
  return storedCardsOf(context, shopperReference)
}

/** A page for nothing but to save a card: https://docs.adyen.com/online-payments/tokenization */
export function isRegistration({ request }: Checkout): boolean {
  return request.amount.value === 0
}

export function purchaseOf(checkout: Checkout): Purchase {
  const { request } = checkout
  const { shopperReference = null, recurringProcessingModel = null } = request
  const isCapturedManually = isLink(checkout)
    ? checkout.request.manualCapture === true
    : checkout.request.additionalData?.manualCapture === 'true'
  return {
    merchantAccount: request.merchantAccount,
    reference: request.reference,
    amount: request.amount,
    isCapturedManually,
    captureDelayHours: request.captureDelayHours ?? 0,
    metadata: request.metadata ?? {},
    shopperReference,
    recurringProcessingModel,
    sessionId: isLink(checkout) ? null : checkout.id,
    linkId: isLink(checkout) ? checkout.id : null
  }
}

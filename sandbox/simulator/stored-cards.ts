import { type Answer, adyenError, invalidMerchantAccount, missing } from './adyen-error.ts'
import { brandName } from './cards.ts'
import { adyenTime } from './clock.ts'
import type { Context } from './context.ts'
import { sendLetter } from './delivery.ts'
import { newPspReference, newStoredCardId } from './identifiers.ts'
import type { Attempt, Card, Purchase, State, StoredCard } from './state.ts'
import { tokenSignature } from './token-signature.ts'
import { variantOf } from './wallets.ts'

type Operation = 'alreadyExisting' | 'created' | 'disabled' | 'updated'

/** A shopper's cards, oldest first. */
export function storedCardsOf(
  { state }: { state: State },
  shopperReference: string | undefined
): StoredCard[] {
  return state.storedCards.all().filter((stored) => stored.shopperReference === shopperReference)
}

/** Stores the card that an attempt paid with, unless the shopper's is stored: never its number. */
export function storeCard(context: Context, purchase: Purchase, attempt: Attempt): void {
  const { shopperReference } = purchase
  if (shopperReference === null) return
  const cards = storedCardsOf(context, shopperReference)
  const same = cards.find(({ card }) => isSameCard(card, attempt.card))
  const stored = {
    id: same?.id ?? newStoredCardId(),
    createdAt: same?.createdAt ?? attempt.at,
    shopperReference,
    card: attempt.card
  }
  attempt.storedCardId = stored.id
  attempt.tokenOperation = same === undefined ? 'created' : 'alreadyExisting'
  context.state.storedCards.put(stored)
  announceToken(context, stored, attempt.tokenOperation, attempt.pspReference)
}

function isSameCard(one: Card, other: Card): boolean {
  return (
    one.brand === other.brand &&
    one.lastFour === other.lastFour &&
    one.expiryMonth === other.expiryMonth &&
    one.expiryYear === other.expiryYear
  )
}

/**
 * https://docs.adyen.com/api-explorer/tokenization-webhooks: signed in the header `hmacsignature`
 * over the raw body; `operation` is absent when a token was disabled.
 */
export function announceToken(
  context: Context,
  { id, shopperReference, card }: StoredCard,
  operation: Operation,
  eventId: string
): void {
  const { courier, merchantAccount, tokenHmacKey } = context
  if (tokenHmacKey === null) return
  const type = `recurring.token.${operation}`
  const body = JSON.stringify({
    createdAt: adyenTime(new Date()),
    eventId,
    environment: 'test',
    version: '1',
    type,
    data: {
      merchantAccount,
      storedPaymentMethodId: id,
      type: variantOf(card),
      shopperReference,
      ...(operation === 'disabled' ? {} : { operation })
    }
  })
  const hmacsignature = tokenSignature(body, tokenHmacKey)
  sendLetter(courier, {
    eventCodes: [type],
    body,
    headers: { hmacsignature, protocol: 'HmacSHA256' }
  })
}

/** https://docs.adyen.com/api-explorer/Checkout/72/get/storedPaymentMethods */
export function listStoredCards(context: Context, query: URLSearchParams): Answer {
  const refusal = refuseQuery(context, query)
  if (refusal !== null) return refusal
  const { merchantAccount } = context
  const shopperReference = query.get('shopperReference') ?? ''
  const storedPaymentMethods = storedCardsOf(context, shopperReference).map(describe)
  return { status: 200, body: { merchantAccount, shopperReference, storedPaymentMethods } }
}

/** https://docs.adyen.com/api-explorer/Checkout/72/delete/storedPaymentMethods/_id_ */
export function deleteStoredCard(context: Context, id: string, query: URLSearchParams): Answer {
  const refusal = refuseQuery(context, query)
  if (refusal !== null) return refusal
  const stored = findStoredCard(context, id, query.get('shopperReference') ?? '')
  if (stored === undefined) return unknownStoredCard()
  context.state.storedCards.remove(id)
  announceToken(context, stored, 'disabled', newPspReference())
  return { status: 204, body: undefined }
}

/** A token is found only along with the shopper it was stored for. */
export function findStoredCard(
  { state }: Context,
  id: string,
  shopperReference: string
): StoredCard | undefined {
  const stored = state.storedCards.get(id)
  return stored?.shopperReference === shopperReference ? stored : undefined
}

export function unknownStoredCard(): Answer {
  return adyenError(422, '803', 'PaymentDetail not found')
}

function refuseQuery({ merchantAccount }: Context, query: URLSearchParams): Answer | null {
  for (const name of ['shopperReference', 'merchantAccount']) {
    if (!query.get(name)) return missing('field', name, '702')
  }
  return query.get('merchantAccount') === merchantAccount ? null : invalidMerchantAccount()
}

/** The year has two digits here, unlike anywhere else. */
function describe({ id, shopperReference, card }: StoredCard): object {
  return {
    id,
    type: 'scheme',
    name: brandName(card.brand),
    brand: card.brand,
    lastFour: card.lastFour,
    expiryMonth: card.expiryMonth,
    expiryYear: card.expiryYear.slice(2),
    ...(card.holderName === '' ? {} : { holderName: card.holderName }),
    shopperReference,
    supportedRecurringProcessingModels: ['CardOnFile', 'Subscription', 'UnscheduledCardOnFile']
  }
}

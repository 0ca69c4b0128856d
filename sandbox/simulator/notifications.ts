import { createHmac, randomBytes } from 'node:crypto'
import { adyenTime } from './clock.ts'
import type { Amount } from './money.ts'
import type { Attempt, Card, Purchase, Session } from './state.ts'
import { spelled, variantOf } from './wallets.ts'

/** https://docs.adyen.com/development-resources/webhooks/webhook-types, standard webhooks. */
export type NotificationItem = {
  pspReference: string
  originalReference?: string
  merchantAccountCode: string
  merchantReference: string
  amount: Amount
  eventCode: string
  eventDate: string
  success: string
  paymentMethod?: string
  reason?: string
  operations?: string[]
  additionalData?: Record<string, string>
}

/**
 * https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures:
 * eight values joined by colons, unescaped; a value that is missing is empty.
 */
export function signedText(item: Partial<NotificationItem>): string {
  return [
    item.pspReference,
    item.originalReference,
    item.merchantAccountCode,
    item.merchantReference,
    item.amount?.value,
    item.amount?.currency,
    item.eventCode,
    item.success
  ]
    .map((value) => value ?? '')
    .join(':')
}

/** HMAC-SHA256 with the key's bytes, in base64. */
export function signatureOf(item: Partial<NotificationItem>, hexKey: string): string {
  return createHmac('sha256', Buffer.from(hexKey, 'hex')).update(signedText(item)).digest('base64')
}

export function wrongKey(): string {
  return randomBytes(32).toString('hex')
}

export function signed<Item extends Partial<NotificationItem>>(item: Item, hexKey: string): Item {
  const hmacSignature = signatureOf(item, hexKey)
  return { ...item, additionalData: { ...item.additionalData, hmacSignature } }
}

/** The body of one webhook. */
export function envelope(items: Partial<NotificationItem>[], live = 'false'): string {
  const notificationItems = items.map((item) => ({ NotificationRequestItem: item }))
  return JSON.stringify({ live, notificationItems })
}

/** The outcome of one attempt to pay. */
export function authorisation(
  purchase: Purchase,
  attempt: Attempt,
  success: boolean,
  withAdditionalData: boolean
): NotificationItem {
  const { card } = attempt
  return {
    eventCode: 'AUTHORISATION',
    success: String(success),
    eventDate: adyenTime(new Date()),
    merchantAccountCode: purchase.merchantAccount,
    pspReference: attempt.pspReference,
    merchantReference: purchase.reference,
    amount: purchase.amount,
    paymentMethod: spelled(card),
    reason: success ? successReason(attempt) : attempt.reason || 'Refused',
    ...(success ? { operations: ['CANCEL', 'CAPTURE', 'REFUND'] } : {}),
    additionalData: withAdditionalData ? aboutPayment(purchase, attempt, success) : {}
  }
}

/** `authCode:last4:MM/YYYY`. */
function successReason({ authCode, card }: Attempt): string {
  return `${authCode}:${card.lastFour}:${expiryDate(card)}`
}

function expiryDate({ expiryMonth, expiryYear }: Card): string {
  return `${expiryMonth}/${expiryYear}`
}

/** What both the webhook and the answer of POST /payments tell about a card. */
export function cardData(card: Card): Record<string, string> {
  return {
    cardSummary: card.lastFour,
    expiryDate: expiryDate(card),
    ...(card.holderName === '' ? {} : { cardHolderName: card.holderName }),
    fundingSource: 'CREDIT',
    paymentMethodVariant: variantOf(card)
  }
}

/** Up to 30.00 a bank may be asked to do without; other currencies are taken alike. */
const LOW_VALUE = 3_000

/** What 3-D Secure came to. A wallet knows its owner, and its cards' banks bear a fraud too. */
export function authenticationData(
  { challenge, wallet }: Card,
  { value }: Amount,
  success: boolean
): Record<string, string> {
  const isExempt = !challenge && wallet === undefined && value <= LOW_VALUE
  const isAuthenticated = challenge && success
  return {
    threeDOffered: String(challenge),
    threeDAuthenticated: String(isAuthenticated),
    liabilityShift: String(isAuthenticated || wallet !== undefined),
    ...(isExempt ? { scaExemptionRequested: 'lowValue' } : {})
  }
}

/** What is switched on under Developers > Additional data; every value is a string. */
function aboutPayment(
  purchase: Purchase,
  attempt: Attempt,
  success: boolean
): Record<string, string> {
  const metadata = Object.entries(purchase.metadata).map(([key, value]) => [
    `metadata.${key}`,
    value
  ])
  const { sessionId, linkId, shopperReference, recurringProcessingModel } = purchase
  const optional = {
    checkoutSessionId: sessionId,
    paymentLinkId: linkId,
    shopperReference,
    recurringProcessingModel: shopperReference === null ? null : recurringProcessingModel,
    refusalReasonRaw: success ? null : attempt.refusalReasonRaw
  }
  return {
    ...cardData(attempt.card),
    ...authenticationData(attempt.card, purchase.amount, success),
    ...withoutNulls(optional),
    ...Object.fromEntries(metadata),
    ...(success ? { authCode: attempt.authCode, ...tokenData(purchase, attempt) } : {})
  }
}

function withoutNulls(values: Record<string, string | null>): Record<string, string> {
  const pairs = Object.entries(values).filter((pair): pair is [string, string] => pair[1] !== null)
  return Object.fromEntries(pairs)
}

/** https://docs.adyen.com/online-payments/tokenization/create-tokens, and the older twins. */
export function tokenData(purchase: Purchase, attempt: Attempt): Record<string, string> {
  const { storedCardId, tokenOperation } = attempt
  const { shopperReference } = purchase
  if (storedCardId === null || !shopperReference) return {}
  return {
    'tokenization.storedPaymentMethodId': storedCardId,
    'tokenization.shopperReference': shopperReference,
    ...(tokenOperation === null ? {} : { 'tokenization.store.operationType': tokenOperation }),
    'recurring.recurringDetailReference': storedCardId,
    'recurring.shopperReference': shopperReference
  }
}

/** What the Customer Area sends to see whether the endpoint answers: it is about nothing. */
export function testPing(
  merchantAccountCode: string,
  eventCode = 'AUTHORISATION'
): NotificationItem {
  return {
    eventCode,
    success: 'true',
    eventDate: adyenTime(new Date()),
    merchantAccountCode,
    pspReference: `test_${eventCode}_1`,
    merchantReference: '8313842560770001',
    amount: { currency: 'EUR', value: 10_100 },
    paymentMethod: 'visa',
    operations: ['CANCEL', 'CAPTURE', 'REFUND'],
    reason: '1234:7777:12/2012'
  }
}

/** The page was abandoned; `success` says only that it happened. */
export function offerClosed(session: Session, pspReference: string): NotificationItem {
  return {
    eventCode: 'OFFER_CLOSED',
    success: 'true',
    eventDate: adyenTime(new Date()),
    merchantAccountCode: session.request.merchantAccount,
    pspReference,
    merchantReference: session.request.reference,
    amount: session.request.amount,
    reason: ''
  }
}

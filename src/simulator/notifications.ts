import { createHmac, randomBytes } from 'node:crypto'
import { adyenTime } from './clock.ts'
import type { Amount } from './money.ts'
import type { Attempt, Card, Payment, Session } from './state.ts'

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
  session: Session,
  attempt: Attempt,
  success: boolean,
  withAdditionalData: boolean
): NotificationItem {
  const { request } = session
  const { card } = attempt
  return {
    eventCode: 'AUTHORISATION',
    success: String(success),
    eventDate: adyenTime(new Date()),
    merchantAccountCode: request.merchantAccount,
    pspReference: attempt.pspReference,
    merchantReference: request.reference,
    amount: request.amount,
    paymentMethod: card.brand,
    reason: success ? successReason(attempt) : attempt.reason || 'Refused',
    ...(success ? { operations: ['CANCEL', 'CAPTURE', 'REFUND'] } : {}),
    additionalData: withAdditionalData ? cardData(session, attempt, success) : {}
  }
}

/** `authCode:last4:MM/YYYY`. */
function successReason({ authCode, card }: Attempt): string {
  return `${authCode}:${card.lastFour}:${expiryDate(card)}`
}

function expiryDate({ expiryMonth, expiryYear }: Card): string {
  return `${expiryMonth}/${expiryYear}`
}

/** What is switched on under Developers > Additional data; every value is a string. */
function cardData(session: Session, attempt: Attempt, success: boolean): Record<string, string> {
  const { request } = session
  const { card } = attempt
  const metadata = Object.entries(request.metadata ?? {}).map(([key, value]) => [
    `metadata.${key}`,
    value
  ])
  const holder = card.holderName === '' ? {} : { cardHolderName: card.holderName }
  const shopper =
    request.shopperReference === undefined ? {} : { shopperReference: request.shopperReference }
  const raw =
    attempt.refusalReasonRaw === null ? {} : { refusalReasonRaw: attempt.refusalReasonRaw }
  return {
    cardSummary: card.lastFour,
    expiryDate: expiryDate(card),
    ...holder,
    fundingSource: 'CREDIT',
    paymentMethodVariant: `${card.brand}standardcredit`,
    checkoutSessionId: session.id,
    ...shopper,
    ...Object.fromEntries(metadata),
    ...(success ? { authCode: attempt.authCode, ...tokenData(session, attempt) } : raw)
  }
}

/** https://docs.adyen.com/online-payments/tokenization/create-tokens, and the older twins. */
function tokenData(session: Session, attempt: Attempt): Record<string, string> {
  const { storedCardId, tokenOperation } = attempt
  const { shopperReference } = session.request
  if (storedCardId === null || !shopperReference) return {}
  return {
    'tokenization.storedPaymentMethodId': storedCardId,
    'tokenization.shopperReference': shopperReference,
    ...(tokenOperation === null ? {} : { 'tokenization.store.operationType': tokenOperation }),
    'recurring.recurringDetailReference': storedCardId,
    'recurring.shopperReference': shopperReference
  }
}

type Modification = { pspReference: string; reference: string; merchantAccount: string }

function aboutModification(
  modification: Modification,
  payment: Payment
): Omit<NotificationItem, 'eventCode' | 'success'> {
  return {
    eventDate: adyenTime(new Date()),
    merchantAccountCode: modification.merchantAccount,
    pspReference: modification.pspReference,
    originalReference: payment.id,
    merchantReference: modification.reference,
    amount: payment.amount,
    paymentMethod: payment.brand
  }
}

/** https://docs.adyen.com/online-payments/reversal/#cancel-or-refund-webhook */
export function cancelOrRefund(
  modification: Modification,
  payment: Payment,
  outcome: { action: 'cancel' | 'refund'; failure: string | null }
): NotificationItem {
  return {
    ...aboutModification(modification, payment),
    eventCode: 'CANCEL_OR_REFUND',
    success: String(outcome.failure === null),
    reason: outcome.failure ?? '',
    additionalData: { 'modification.action': outcome.action }
  }
}

/** The scheme rejected a refund that was accepted before; `success` says only that it happened. */
export function refundFailed(modification: Modification, payment: Payment): NotificationItem {
  return {
    ...aboutModification(modification, payment),
    eventCode: 'REFUND_FAILED',
    success: 'true',
    reason: 'Refund Failed'
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

/**
 * Adyen's standard webhooks: who signed an item, and what it means for a payment
 * (docs.adyen.com/development-resources/webhooks). Rules read only what is signed; of the unsigned
 * rest `reason` words a failure, and the card is for display.
 */
import { createHmac, hash, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { Money } from '../money.ts'
import type { CardFace, ProviderEvent } from '../provider.ts'
import { fromAdyenAmount } from './amount.ts'
import { toFailure } from './refusal.ts'

/** An item as it comes over the wire; `success` is text there. */
export type NotificationItem = {
  pspReference: string
  originalReference?: string | null
  merchantAccountCode: string
  merchantReference: string
  amount: { currency: string; value: number | string }
  eventCode: string
  success: string | boolean
  eventDate: string
  reason?: string | null
  additionalData?: Record<string, unknown> | null
}

/** A canonical base64 text of 32 bytes: lenient decoding would let many texts pass for one. */
const canonicalSignature = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/

/** The eight fields that Adyen signs, in its order, joined without escaping. */
export function signedText(item: NotificationItem): string {
  return [
    item.pspReference,
    item.originalReference,
    item.merchantAccountCode,
    item.merchantReference,
    item.amount.value,
    item.amount.currency,
    item.eventCode,
    item.success
  ]
    .map((value) => value ?? '')
    .join(':')
}

/** Whether any of the current keys signed the item; compared in constant time. */
export function isSigned(item: NotificationItem, keys: ReadonlyArray<Buffer | KeyObject>): boolean {
  const signature = item.additionalData?.hmacSignature
  if (typeof signature !== 'string' || !canonicalSignature.test(signature)) return false
  const given = Buffer.from(signature, 'base64')
  const text = signedText(item)
  return keys.some((key) => timingSafeEqual(createHmac('sha256', key).update(text).digest(), given))
}

/**
 * What makes two items the same: the signed text, eventDate and reason. Without the last two a
 * capture that failed and is taken again would be taken for a redelivery.
 */
export function fingerprintOfItem(item: NotificationItem): Buffer {
  return hash('sha256', `${signedText(item)}\n${item.eventDate}\n${item.reason ?? ''}`, 'buffer')
}

/** What became of an item; the table `notification` says what each means. */
export const notificationStatuses = [
  'received',
  'applied',
  'ignored',
  'waiting',
  'parked',
  'foreign'
] as const
export type NotificationStatus = (typeof notificationStatuses)[number]

/** They move money, and this version can't book them: a person must see that they came. */
const notBookable = new Set(['CAPTURE_FAILED', 'REFUND', 'CHARGEBACK', 'SECOND_CHARGEBACK'])

/** Whether an item moved money that nothing here books yet. */
export function isNotBookable({ eventCode, success }: StoredNotification): boolean {
  return success && notBookable.has(eventCode)
}

/** An item as the inbox keeps it. */
export type StoredNotification = {
  eventCode: string
  success: boolean
  pspReference: string
  originalReference: string | null
  amount: Money
  item: NotificationItem
}

/**
 * What an item means for its payment; undefined where it has no effect on one. `success` says of
 * some codes whether it went well, of others only that it happened.
 */
export function toProviderEvent(notification: StoredNotification): ProviderEvent | undefined {
  const { eventCode, success, pspReference, originalReference } = notification
  const reason = textOf(notification.item.reason) ?? eventCode
  const about = originalReference ?? pspReference
  const by = { providerReference: pspReference, reference: notification.item.merchantReference }
  switch (eventCode) {
    case 'AUTHORISATION':
      return success ? authorised(notification) : refused(notification)
    case 'CAPTURE':
      return success ? captured(notification) : undefined
    case 'OFFER_CLOSED':
      return { type: 'pageClosed', by: 'time' }
    case 'EXPIRE':
      return { type: 'authorisationExpired', authorisation: about }
    case 'CANCELLATION':
    case 'TECHNICAL_CANCEL':
    case 'CANCEL_OR_REFUND':
      return success
        ? { type: 'givenBack', authorisation: about, by }
        : { type: 'reversalRefused', authorisation: about, by, reason }
    case 'REFUND_FAILED':
    case 'REFUNDED_REVERSED':
      return { type: 'reversalFellThrough', authorisation: about, by, reason }
    default:
      return undefined
  }
}

function authorised({ pspReference, amount, item }: StoredNotification): ProviderEvent | undefined {
  const ours = fromAdyenAmount(amount)
  if (ours === undefined) throw new Error(`${amount.value} ${amount.currency} has no minor units`)
  return { type: 'authorised', authorisation: pspReference, amount: ours, card: toCardFace(item) }
}

function captured({ pspReference, originalReference, amount }: StoredNotification): ProviderEvent {
  const ours = fromAdyenAmount(amount)
  if (ours === undefined) throw new Error(`${amount.value} ${amount.currency} has no minor units`)
  return { type: 'captured', authorisation: originalReference ?? pspReference, amount: ours }
}

function refused({ pspReference, amount, item }: StoredNotification): ProviderEvent {
  return {
    type: 'attemptRefused',
    authorisation: pspReference,
    amount: fromAdyenAmount(amount) ?? amount,
    failure: toFailure(textOf(item.reason))
  }
}

/** From the unsigned additional data, most of which a merchant must switch on at Adyen. */
function toCardFace(item: NotificationItem): CardFace | null {
  const data = item.additionalData ?? {}
  const [, month, year] = /^(\d{1,2})\/(\d{4})$/.exec(textOf(data.expiryDate) ?? '') ?? []
  const lastFour = textOf(data.cardSummary)
  const brand = textOf((item as { paymentMethod?: unknown }).paymentMethod)
  if (brand === undefined && lastFour === undefined) return null
  return {
    brand: brand ?? null,
    lastFour: lastFour !== undefined && /^\d{4}$/.test(lastFour) ? lastFour : null,
    expiryMonth: month === undefined ? null : Number(month),
    expiryYear: year === undefined ? null : Number(year),
    funding: textOf(data.fundingSource)?.toLowerCase() ?? null,
    registeredCardId: null
  }
}

/** Adyen's examples have the four letters `null` where they mean nothing. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value !== 'null' ? value : undefined
}

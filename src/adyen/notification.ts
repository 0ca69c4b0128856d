/**
 * Adyen's standard webhooks: who signed an item, and what makes it the same as another
 * (docs.adyen.com/development-resources/webhooks).
 */
import { createHmac, hash, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { Money } from '../money.ts'

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

/** Whether any of the current keys signed the item. */
export function isSigned(item: NotificationItem, keys: HmacKeys): boolean {
  return isSignature(item.additionalData?.hmacSignature, signedText(item), keys)
}

type HmacKeys = ReadonlyArray<Buffer | KeyObject>

/** Whether `signature` is that of the text by any of the keys; compared in constant time. */
export function isSignature(signature: unknown, text: string | Buffer, keys: HmacKeys): boolean {
  if (typeof signature !== 'string' || !canonicalSignature.test(signature)) return false
  const given = Buffer.from(signature, 'base64')
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

/** An item as the inbox keeps it. */
export type StoredNotification = {
  eventCode: string
  success: boolean
  pspReference: string
  originalReference: string | null
  amount: Money
  item: NotificationItem
}

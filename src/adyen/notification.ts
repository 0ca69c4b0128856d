/**
 * Adyen's standard webhooks: who signed an item, and what makes it the same as another
 * (docs.adyen.com/development-resources/webhooks).
 */
import { createHmac, hash, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { Money } from '../money.ts'

/** An item as it comes over the wire: any member may be missing, or of any type. */
export type NotificationItem = {
  pspReference?: unknown
  originalReference?: unknown
  merchantAccountCode?: unknown
  merchantReference?: unknown
  amount?: { currency?: unknown; value?: unknown } | null
  eventCode?: unknown
  success?: unknown
  eventDate?: unknown
  reason?: unknown
  paymentMethod?: unknown
  additionalData?: Record<string, unknown> | null
}

/** A canonical base64 text of 32 bytes: lenient decoding would let many texts pass for one. */
const canonicalSignature = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/

/**
 * The eight fields that Adyen signs, as text; one that is missing is empty, as it is for Adyen's
 * own libraries. Undefined where one is neither text, number nor truth value, which nobody signs.
 */
export function signedFields(item: NotificationItem): SignedFields | undefined {
  const { amount } = item
  const fields = {
    pspReference: scalar(item.pspReference),
    originalReference: scalar(item.originalReference),
    merchantAccountCode: scalar(item.merchantAccountCode),
    merchantReference: scalar(item.merchantReference),
    value: scalar(amount?.value),
    currency: scalar(amount?.currency),
    eventCode: scalar(item.eventCode),
    success: scalar(item.success)
  }
  return Object.values(fields).includes(undefined) ? undefined : (fields as SignedFields)
}
/** In the order in which Adyen joins them. */
export type SignedFields = {
  pspReference: string
  originalReference: string
  merchantAccountCode: string
  merchantReference: string
  value: string
  currency: string
  eventCode: string
  success: string
}

function scalar(value: unknown): string | undefined {
  if (value === undefined || value === null) return ''
  return typeof value === 'object' ? undefined : String(value)
}

/** What is signed: the fields in their order, joined without escaping. */
export function signedText(fields: SignedFields): string {
  return Object.values(fields).join(':')
}

/** Whether any of the current keys signed the item. */
export function isSigned(item: NotificationItem, keys: HmacKeys): boolean {
  const fields = signedFields(item)
  if (fields === undefined) return false
  return isSignature(item.additionalData?.hmacSignature, signedText(fields), keys)
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
export function fingerprintOfItem(fields: SignedFields, item: NotificationItem): Buffer {
  const { eventDate, reason } = item
  const rest = [eventDate, reason].map((value) => scalar(value) ?? '')
  return hash('sha256', [signedText(fields), ...rest].join('\n'), 'buffer')
}

const dayMs = 24 * 60 * 60 * 1_000

/**
 * What happened earlier may be forgotten where notifications are kept for so many days, and null
 * where all are kept. A day sooner, since it is the provider's clock.
 */
export function forgottenBefore(keptForDays: number | null, now: Date): Date | null {
  return keptForDays === null ? null : new Date(now.getTime() - (keptForDays - 1) * dayMs)
}

/**
 * Whether it is a test of the endpoint that was asked for in the Customer Area: no payment has such
 * a reference. It is signed like any other, and may name a payment of ours for all that.
 */
export function isTest(pspReference: string): boolean {
  return /^(?:test_|testnotification)/i.test(pspReference)
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
  merchantReference: string
  /** In Adyen's minor units; without a currency where it can't be read. */
  amount: Money
  item: NotificationItem
}

/** Notifications as Adyen signs and sends them. */
import { createHmac } from 'node:crypto'
import { type Call, hmacKey, merchantAccount, type TestService } from '../test-service.ts'

export type Item = Record<string, unknown> & { additionalData?: Record<string, unknown> | null }

let references = 0
function newReference(): string {
  references += 1
  return `PSP${String(references).padStart(13, 'X')}`
}

export function item(changes: Item = {}): Item {
  return {
    pspReference: newReference(),
    merchantAccountCode: merchantAccount,
    merchantReference: 'pay_unknown',
    amount: { currency: 'GBP', value: 2500 },
    eventCode: 'AUTHORISATION',
    eventDate: '2026-01-01T00:00:00+01:00',
    success: 'true',
    reason: '',
    ...changes
  }
}

/** Signed by the specification of Adyen, apart from our own code. */
export function signatureOf(one: Item, key = hmacKey): string {
  const amount = (one.amount ?? {}) as { value?: unknown; currency?: unknown }
  const text = [
    one.pspReference,
    one.originalReference,
    one.merchantAccountCode,
    one.merchantReference,
    amount.value,
    amount.currency,
    one.eventCode,
    one.success
  ]
    .map((value) => value ?? '')
    .join(':')
  return createHmac('sha256', Buffer.from(key, 'hex')).update(text).digest('base64')
}

export const signed = (one: Item, key = hmacKey): Item => ({
  ...one,
  additionalData: { ...one.additionalData, hmacSignature: signatureOf(one, key) }
})
export const envelope = (items: unknown[], live: unknown = 'false') => ({
  live,
  notificationItems: items.map((one) => ({ NotificationRequestItem: one }))
})

/** Sends a body to where Adyen sends its notifications. */
export const sender =
  ({ call }: TestService) =>
  (body: unknown, options: Call = {}) =>
    call('POST', '/webhooks/adyen', { key: null, body, ...options })

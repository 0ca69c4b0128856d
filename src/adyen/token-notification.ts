/**
 * Adyen's token webhooks: what they and the standard ones say of cards
 * (docs.adyen.com/api-explorer/tokenization-webhooks). Everything is a hint only: which cards an
 * account has is what Adyen answers when it is asked.
 */
import type { CardNews } from '../cards/card-news.ts'
import { toShopperReference } from './adyen-request.ts'
import type { StoredNotification } from './notification.ts'

/** What we read of a body; other members are kept, and a text that is missing is empty. */
export type TokenNotification = {
  type: string
  eventId: string
  isLive: boolean
  merchantAccount: string
  shopperReference: string
  /** The body, as it is kept. */
  item: Record<string, unknown>
}

/** The types that we know; others are kept and have no effect. */
const tokenTypes = new Set([
  'recurring.token.created',
  'recurring.token.updated',
  'recurring.token.alreadyExisting',
  'recurring.token.disabled'
])

/** Undefined where the body can't be one of these webhooks: then it has items, or no members. */
export function readTokenNotification(body: unknown): TokenNotification | undefined {
  const item = membersOf(body)
  const { type, eventId, environment, data, notificationItems: items } = item
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined
  if (Array.isArray(items) && items.length > 0) return undefined
  const { merchantAccount, shopperReference } = membersOf(data)
  return {
    type: textOf(type),
    eventId: textOf(eventId),
    isLive: textOf(environment).toLowerCase() === 'live',
    merchantAccount: textOf(merchantAccount),
    shopperReference: textOf(shopperReference),
    item
  }
}

function membersOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** A notification, and what we have under its merchantReference. */
export type CardNotification = StoredNotification & {
  /** The account of the payment or registration of that id. */
  accountId: number | null
  registrationId: string | null
  /** Whether the payment's page might keep the card. */
  mayKeepCard: boolean
}

/** `settled`: what becomes of a notification that is about cards and about no payment. */
type ReadCardNews = CardNews & { settled: 'applied' | 'ignored' | null }

const nothing: ReadCardNews = { accountId: null, registration: null, settled: null }

/** What a notification says of cards. */
export function toCardNews(notification: CardNotification): ReadCardNews {
  const { eventCode, success, accountId, registrationId } = notification
  if (tokenTypes.has(eventCode)) {
    const account = readShopperReference(notification.merchantReference)
    return { ...nothing, accountId: account, settled: account === null ? 'ignored' : 'applied' }
  }
  if (eventCode === 'RECURRING_CONTRACT' && accountId !== null) {
    return { ...nothing, accountId, settled: 'applied' }
  }
  if (registrationId !== null) return toRegistrationNews(notification, registrationId)
  if (eventCode !== 'AUTHORISATION' || !success) return nothing
  const mayBeKept = notification.mayKeepCard || tellsOfToken(notification)
  return { ...nothing, accountId: mayBeKept ? accountId : null }
}

/** Nothing was asked for on such a page: an amount waits, and is parked for a person. */
function toRegistrationNews(
  { eventCode, success, amount, accountId, item }: CardNotification,
  id: string
): ReadCardNews {
  if (eventCode !== 'AUTHORISATION') return { ...nothing, settled: 'ignored' }
  if (amount.value !== 0 || amount.currency === '') return nothing
  const registration = { id, completed: success, token: success ? tokenOf(item) : null }
  return { accountId: success ? accountId : null, registration, settled: 'applied' }
}

/** Not signed: good for naming one of the cards that Adyen lists. */
function tokenOf({ additionalData }: StoredNotification['item']): string | null {
  const { 'tokenization.storedPaymentMethodId': token, 'recurring.recurringDetailReference': old } =
    additionalData ?? {}
  return textOf(token) || textOf(old) || null
}

/** Not signed: good for a hint. */
function tellsOfToken({ item }: StoredNotification): boolean {
  const names = Object.keys(item.additionalData ?? {})
  return names.some((name) => /^(tokenization|recurring)\./.test(name))
}

/** The account that Adyen keeps cards for under this reference; null where it is none of ours. */
function readShopperReference(reference: string): number | null {
  const [, digits] = /-([1-9]\d{0,7})$/.exec(reference) ?? []
  const isOurs = digits !== undefined && reference === toShopperReference(Number(digits))
  return isOurs ? Number(digits) : null
}

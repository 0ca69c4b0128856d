/** Registered cards, and pages where a customer registers one, as TMF670 v4 has them. Pure. */
import type { CardFace } from '../provider.ts'
import { identify, tmfPaths } from '../tmf/tmf-paths.ts'
import { toAccountRef, toCharacteristics } from '../tmf/tmf-reference.ts'
import { filtersOf } from '../tmf-payments/tmf-filters.ts'

/** What each status means, and why a method has it that is not `active`. */
export const methodStatuses = {
  active: 'The card can be charged',
  pending: 'The customer is on the page, or has not been there',
  refused: 'The last card was refused; the customer may try another while the page is open',
  registered: 'A card was registered, and is not known yet: it is among those of the account soon',
  expired: 'The page ended without an outcome; one that is late counts all the same',
  failed: 'The payment provider did not open a page'
} as const
export type MethodStatus = keyof typeof methodStatuses

/** A card, by its id; or a registration, by its own, with what is seen of the card it brought. */
export type PaymentMethod = Omit<CardFace, 'registeredCardId'> & {
  id: string
  accountId: number
  name: string | null
  description: string | null
  status: MethodStatus
  /** When it came to that. */
  statusDate: Date
  /** The card, where this is the registration that brought it. */
  registeredCardId: string | null
  /** The page, while the customer may open it. */
  checkoutUrl: string | null
  /** When the page ends; null of a card. */
  expiresAt: Date | null
}

const schemaPath = `${tmfPaths.paymentMethods}/openapi.json#/components/schemas/RegisteredCard`

/** The last moment of the month that is written on it. */
function endOf({ expiryMonth, expiryYear }: PaymentMethod): string | undefined {
  if (expiryMonth === null || expiryYear === null) return undefined
  return new Date(Date.UTC(expiryYear, expiryMonth) - 1000).toISOString()
}

function nameOf({ name, brand, lastFour, status }: PaymentMethod): string {
  if (name !== null) return name
  if (status !== 'active') return 'Card to be registered'
  return [brand, lastFour].filter(Boolean).join(' ') || 'Registered card'
}

/** What is not known is left out: the standard takes neither null nor blank for a value. */
export function toTmfMethod(method: PaymentMethod, publicUrl: string) {
  const { id, description, status, brand, funding, lastFour, checkoutUrl } = method
  const expirationDate = endOf(method)
  const characteristic = toCharacteristics({
    registeredCardId: method.registeredCardId,
    checkoutUrl,
    checkoutExpiresAt: checkoutUrl && method.expiresAt?.toISOString()
  })
  return {
    ...identify(publicUrl, 'paymentMethod', id),
    name: nameOf(method),
    ...(description && { description }),
    status,
    statusDate: method.statusDate.toISOString(),
    ...(status !== 'active' && { statusReason: methodStatuses[status] }),
    ...(expirationDate && { validFor: { endDateTime: expirationDate } }),
    account: [toAccountRef(publicUrl, String(method.accountId))],
    ...(brand !== null && { brand }),
    ...(funding !== null && { cardType: funding }),
    ...(lastFour !== null && { lastFourDigits: lastFour }),
    ...(expirationDate && { expirationDate }),
    ...(characteristic.length > 0 && { characteristic }),
    '@type': 'RegisteredCard',
    '@baseType': 'PaymentMethod',
    '@schemaLocation': `${publicUrl}${schemaPath}`
  }
}

export const methodFilters = filtersOf({
  id: ['text', 'Of cards or registrations'],
  href: ['text', 'Where it is'],
  'account.id': ['text', 'Account numbers'],
  name: ['text', 'As it is shown'],
  description: ['text', 'As it is shown'],
  status: [Object.keys(methodStatuses), 'active, or why it is not'],
  statusDate: ['date', 'When it came to that'],
  brand: ['text', 'The name of it, such as visa or mc'],
  cardType: ['text', 'credit, debit, prepaid'],
  lastFourDigits: ['text', 'The last four digits'],
  expirationDate: ['date', 'The end of its last month'],
  '@type': ['text', 'RegisteredCard'],
  '@baseType': ['text', 'PaymentMethod']
})

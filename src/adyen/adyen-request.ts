/** What the requests to Adyen have in common. */
import type { Money } from '../money.ts'
import type { Customer } from '../provider.ts'
import type { AdyenTransport } from './adyen.transport.ts'
import { toAdyenAmount } from './amount.ts'

/** Adyen as the calls see it. */
export type Adyen = {
  ask: AdyenTransport['ask']
  merchantAccount: string
  /** The address as a customer may be sent there; undefined where they may not. */
  readAddress: (url: string) => string | undefined
}

/** The library's enums are values of its own; over the wire they are these texts. */
export function as<Enum>(text: string): Enum {
  return text as Enum
}

/** Adyen keeps registered cards under it: at least 3 characters and no personal data. */
export function toShopperReference(accountId: number): string {
  return `account-${accountId}`
}

/** Whether a page keeps the card that is typed there, and for what. */
export function toStoreMode(saveCard: keyof typeof storeModes) {
  return {
    storePaymentMethodMode: as<never>(storeModes[saveCard]),
    ...(saveCard !== 'never' && { recurringProcessingModel: as<never>('CardOnFile') })
  }
}
const storeModes = { never: 'disabled', ask: 'askForConsent', always: 'enabled' } as const

/** Rules refuse before what can't be expressed: nothing is sent as another sum than was meant. */
export function toSentAmount(amount: Money): Money {
  const sent = toAdyenAmount(amount)
  if (sent !== undefined) return sent
  throw new Error(`Adyen's minor units can't express ${amount.value} ${amount.currency}`)
}

/** The money that is asked for, under our own reference of it. */
export function toOrder(merchantAccount: string, request: Order) {
  const { amount, metadata } = request
  return {
    merchantAccount,
    amount: toSentAmount(amount),
    reference: request.paymentId,
    ...(metadata && { metadata })
  }
}
type Order = { paymentId: string; amount: Money; metadata: Record<string, string> | null }

/** When it is taken: the merchant account's default is never relied on. */
export function toCapture(capture: 'automatic' | 'manual') {
  return capture === 'automatic'
    ? { captureDelayHours: 0 }
    : { additionalData: { manualCapture: 'true' } }
}

/** Who pays: 3-D Secure wants an address or a telephone number, and pages a language. */
export function toShopper(customer: Customer | null) {
  return {
    ...(customer?.email && { shopperEmail: customer.email }),
    ...(customer?.phone && { telephoneNumber: customer.phone.replace(/[^+0-9]/g, '') }),
    ...(customer?.locale && { shopperLocale: customer.locale }),
    ...(customer?.countryCode && { countryCode: customer.countryCode })
  }
}

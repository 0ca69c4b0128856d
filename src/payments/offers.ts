/** What the page of a payment offers to pay with. */
import type { PageMethod } from '../provider/page-methods.ts'
import type { Payment } from './payment.ts'

type Terms = Pick<Payment, 'method' | 'channel' | 'saveCard' | 'paymentMethods'>

/**
 * An agent types the card for the customer, and whatever wallet the browser has is the agent's; a
 * link is opened by the customer in any case. Whether Adyen is told of a telephone order is for
 * the merchant account to say.
 */
export function isTypedByAgent({ method, channel }: Pick<Terms, 'method' | 'channel'>): boolean {
  return method === 'hostedPage' && channel === 'agent'
}

/**
 * Why nothing but a card that is typed can be offered; undefined where wallets can. One in a wallet
 * is not kept: Adyen's page asks for consent for card payments alone (`storePaymentMethodMode`),
 * and whether its token could be charged as a card is not documented.
 */
export function onlyTypedBecause(terms: Terms): string | undefined {
  if (isTypedByAgent(terms)) return 'in a telephone order an operator types the card'
  return terms.saveCard === 'never' ? undefined : 'only a card that is typed can be kept'
}

/** What the page offers: all that is enabled, or those of it that the create asked for. */
export function offersOf(terms: Terms, enabled: readonly PageMethod[]): readonly PageMethod[] {
  if (onlyTypedBecause(terms) !== undefined) return ['scheme']
  return terms.paymentMethods ?? enabled
}

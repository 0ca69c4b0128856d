import type { Card, Checkout, Wallet } from './state.ts'

type Shown = { name: string; card: Pick<Card, 'brand' | 'lastFour'> }

/** Each has one card, which is good; nobody is asked who they are, as the wallet has done that. */
export const WALLETS: Record<Wallet, Shown> = {
  applepay: { name: 'Apple Pay', card: { brand: 'visa', lastFour: '1111' } },
  googlepay: { name: 'Google Pay', card: { brand: 'mc', lastFour: '4444' } }
}

/**
 * What the page lets a shopper pay with. Without a list it is all that the merchant account has:
 * https://docs.adyen.com/api-explorer/Checkout/72/post/sessions
 */
export function offersOf({ request }: Checkout): { cards: boolean; wallets: Wallet[] } {
  const { allowedPaymentMethods: allowed = [], blockedPaymentMethods: blocked = [] } = request
  const isOffered = (name: string) =>
    (allowed.length === 0 || allowed.includes(name)) && !blocked.includes(name)
  return {
    cards: isOffered('scheme'),
    wallets: (Object.keys(WALLETS) as Wallet[]).filter(isOffered)
  }
}

export function cardIn(wallet: Wallet, holderName: string): Card {
  const expiry = { expiryMonth: '03', expiryYear: '2030' }
  return { ...WALLETS[wallet].card, ...expiry, holderName, challenge: false, wallet }
}

/**
 * `visa_applepay`: how answers, notifications and reports name a card in a wallet, the variant
 * included (github.com/wikimedia/wikimedia-fundraising-SmashPig, ReferenceDataTest).
 */
export function spelled({ brand, wallet }: Pick<Card, 'brand' | 'wallet'>): string {
  return wallet === undefined ? brand : `${brand}_${wallet}`
}

/** The variant of a card alone says what kind of card it is. */
export function variantOf(card: Pick<Card, 'brand' | 'wallet'>): string {
  return card.wallet === undefined ? `${card.brand}standardcredit` : spelled(card)
}

/**
 * What Adyen says of the card that paid and of its holder's authentication: not signed, most of it
 * only where the merchant has switched it on (Developers > Additional data), and for display alone.
 */
import type { Authentication } from '../provider/authentication.ts'
import type { Wallet } from '../provider/page-methods.ts'
import type { CardFace } from '../provider.ts'

/** A wallet's names, those that Google's had before included. */
const walletOf: Readonly<Record<string, Wallet>> = {
  applepay: 'applepay',
  googlepay: 'googlepay',
  paywithgoogle: 'googlepay',
  googlewallet: 'googlepay',
  androidpay: 'googlepay'
}

/** `visa_applepay`: the brand of a card, and the wallet that it is in; or either of them alone. */
function readMethod(name: unknown): { brand: string | undefined; wallet: Wallet | undefined } {
  const text = textOf(name)
  const [, brand, suffix = ''] = /^(?:(.+)_)?([a-z]+)$/.exec(text ?? '') ?? []
  const wallet = Object.hasOwn(walletOf, suffix) ? walletOf[suffix] : undefined
  return wallet === undefined ? { brand: text, wallet } : { brand, wallet }
}

export type AdditionalData = Record<string, unknown> | null | undefined

/**
 * The face of the card that paid by `method`, Adyen's paymentMethod. Some accounts are told the
 * card's brand there and the wallet in the variant, and some the wallet alone. Null where nothing
 * is said.
 */
export function toCardFace(method: unknown, additionalData: AdditionalData): CardFace | null {
  const data = additionalData ?? {}
  const methods = [method, data.paymentMethod, data.cardPaymentMethod].map(readMethod)
  // Of a card without a wallet it is no brand: `visastandardcredit`.
  const variants = [data.paymentMethodVariant, data.tokenTxVariant]
    .map(readMethod)
    .filter(({ wallet }) => wallet !== undefined)
  const all = [...methods, ...variants]
  const brand = all.find((one) => one.brand !== undefined)?.brand
  const wallet = all.find((one) => one.wallet !== undefined)?.wallet
  const lastFour = textOf(data.cardSummary)
  if (brand === undefined && wallet === undefined && lastFour === undefined) return null
  const [, month, year] = /^(0?[1-9]|1[0-2])\/(\d{4})$/.exec(textOf(data.expiryDate) ?? '') ?? []
  return {
    brand: brand?.slice(0, shownLengthMax) ?? null,
    lastFour: lastFour !== undefined && /^\d{4}$/.test(lastFour) ? lastFour : null,
    expiryMonth: month === undefined ? null : Number(month),
    expiryYear: year === undefined ? null : Number(year),
    funding: textOf(data.fundingSource)?.toLowerCase().slice(0, shownLengthMax) ?? null,
    registeredCardId: null,
    ...(wallet !== undefined && { wallet })
  }
}

/** Null where nothing is said of it. */
export function toAuthentication(additionalData: AdditionalData): Authentication | null {
  const { threeDOffered, threeDAuthenticated, ...data } = additionalData ?? {}
  const threeDSecure = toThreeDSecure(truthOf(threeDOffered), truthOf(threeDAuthenticated))
  const liabilityShift = truthOf(data.liabilityShift)
  const exemption = textOf(data.scaExemptionRequested)
  const exemptionRequested = exemption?.slice(0, shownLengthMax) ?? null
  const isSaid = [threeDSecure, liabilityShift, exemptionRequested].some((one) => one !== null)
  return isSaid ? { threeDSecure, liabilityShift, exemptionRequested } : null
}

/** That it was not authenticated does not say whether anybody tried. */
function toThreeDSecure(
  offered: boolean | null,
  authenticated: boolean | null
): Authentication['threeDSecure'] {
  if (authenticated === true) return 'authenticated'
  return offered === null ? null : offered ? 'attempted' : 'none'
}

/** What is only shown is not long. */
const shownLengthMax = 64

/** Adyen's examples have the four letters `null`, or `N/A`, where they mean nothing. */
export function textOf(value: unknown): string | undefined {
  const says = typeof value === 'string' && !['', 'null', 'N/A'].includes(value)
  return says ? value : undefined
}

function truthOf(value: unknown): boolean | null {
  const text = typeof value === 'boolean' ? String(value) : textOf(value)?.toLowerCase()
  return text === 'true' ? true : text === 'false' ? false : null
}

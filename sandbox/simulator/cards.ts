import type { Card } from './state.ts'
import { isChallenged } from './test-data.ts'

export type Brand = 'amex' | 'cup' | 'diners' | 'discover' | 'jcb' | 'maestro' | 'mc' | 'visa'

type Scheme = { brand: Brand; name: string; start: RegExp; lengths: number[]; cvc: number[] }

/** First digits and lengths by scheme, with Adyen's names of the brands. The first match counts. */
const SCHEMES: Scheme[] = [
  { brand: 'visa', name: 'Visa', start: /^4/, lengths: [13, 16, 19], cvc: [3] },
  {
    brand: 'mc',
    name: 'Mastercard',
    start: /^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/,
    lengths: [16],
    cvc: [3]
  },
  { brand: 'amex', name: 'American Express', start: /^3[47]/, lengths: [15], cvc: [4] },
  { brand: 'jcb', name: 'JCB', start: /^35/, lengths: [16, 17, 18, 19], cvc: [3] },
  {
    brand: 'diners',
    name: 'Diners',
    start: /^3[0689]/,
    lengths: [14, 15, 16, 17, 18, 19],
    cvc: [3]
  },
  {
    brand: 'discover',
    name: 'Discover',
    start: /^(6011|64[4-9]|65)/,
    lengths: [16, 17, 18, 19],
    cvc: [3]
  },
  { brand: 'cup', name: 'UnionPay', start: /^62/, lengths: [16, 17, 18, 19], cvc: [3] },
  {
    brand: 'maestro',
    name: 'Maestro',
    start: /^(50|5[6-9]|6)/,
    lengths: [16, 17, 18, 19],
    cvc: [0, 3]
  }
]

export function brandName(brand: Brand): string {
  return SCHEMES.find((scheme) => scheme.brand === brand)?.name ?? brand
}

/** The check digit of a card number: ISO/IEC 7812-1, annex B. */
export function passesLuhn(digits: string): boolean {
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 0 ? 1 : 2)
    return total + (value > 9 ? value - 9 : value)
  }, 0)
  return sum % 10 === 0
}

/** What was typed on the page, as it was typed. */
export type CardEntry = { number: string; expiry: string; cvc: string; holderName: string }
export type CardFault = { field: 'number' | 'expiry' | 'cvc' | 'holderName'; message: string }

/** The card that was typed, or everything that is wrong with it. */
export function readCard(
  entry: CardEntry,
  now: Date
): { card: Card; faults?: never } | { card?: never; faults: CardFault[] } {
  const digits = entry.number.replace(/[\s-]/g, '')
  const scheme = SCHEMES.find(({ start }) => start.test(digits))
  const expiry = readExpiry(entry.expiry)
  const faults = [
    numberFault(digits, scheme),
    expiryFault(entry.expiry, expiry, now),
    cvcFault(entry.cvc, scheme?.brand),
    holderNameFault(entry.holderName)
  ].filter((fault) => fault !== null)
  if (faults.length > 0 || scheme === undefined || expiry === null) return { faults }

  const card = {
    brand: scheme.brand,
    lastFour: digits.slice(-4),
    expiryMonth: expiry.month,
    expiryYear: expiry.year,
    holderName: entry.holderName.trim(),
    challenge: isChallenged(digits)
  }
  return { card }
}

function numberFault(digits: string, scheme: Scheme | undefined): CardFault | null {
  const wrong = (message: string): CardFault => ({ field: 'number', message })
  if (digits === '') return wrong('Enter the card number')
  if (!/^\d+$/.test(digits)) return wrong('The card number can hold digits and spaces only')
  if (scheme === undefined) return wrong('This kind of card is not accepted')
  if (!scheme.lengths.includes(digits.length)) {
    return wrong('The card number has too few or too many digits')
  }
  return passesLuhn(digits) ? null : wrong('Check the card number: a digit is wrong')
}

/** `03/30`, `3/2030`, `0330` and `03-30` all mean March 2030. */
function readExpiry(text: string): { month: string; year: string } | null {
  const match = /^(0?[1-9]|1[0-2])(?:\s*[/-]\s*|\s+|)(20\d\d|\d\d)$/.exec(text.trim())
  if (match === null) return null
  const [, month = '', year = ''] = match
  return { month: month.padStart(2, '0'), year: year.length === 2 ? `20${year}` : year }
}

/** A card is good until the end of its month. */
function expiryFault(
  text: string,
  expiry: ReturnType<typeof readExpiry>,
  now: Date
): CardFault | null {
  const wrong = (message: string): CardFault => ({ field: 'expiry', message })
  if (text.trim() === '') return wrong('Enter the expiry date')
  if (expiry === null) return wrong('Enter the expiry date as month and year, such as 03/30')
  const months = Number(expiry.year) * 12 + Number(expiry.month)
  const thisMonth = now.getUTCFullYear() * 12 + now.getUTCMonth() + 1
  if (months < thisMonth) return wrong('This card has expired')
  return months > thisMonth + 20 * 12 ? wrong('The expiry date is too far ahead') : null
}

/** Without a known brand, three or four digits will do. */
export function cvcFault(text: string, brand: Brand | undefined): CardFault | null {
  const lengths = SCHEMES.find((scheme) => scheme.brand === brand)?.cvc ?? [3, 4]
  const cvc = text.trim()
  if (/^\d*$/.test(cvc) && lengths.includes(cvc.length)) return null
  if (cvc === '') return { field: 'cvc', message: 'Enter the security code' }
  const place = brand === 'amex' ? '4 digits on the front' : '3 digits on the back'
  return { field: 'cvc', message: `Check the security code: ${place} of the card` }
}

/** A number typed into the wrong field must not be kept as a name. */
function holderNameFault(name: string): CardFault | null {
  if (name.length > 80) return { field: 'holderName', message: 'The name is too long' }
  return /(\d[\s-]?){12,}/.test(name)
    ? { field: 'holderName', message: 'Enter a name, not a card number' }
    : null
}

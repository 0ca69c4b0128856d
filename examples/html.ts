/** What the pages of the desk and of selfcare have in common: no framework, nothing of `src`. */

import type { Amount } from '../clients/typescript/src/index.ts'

export type Html = { readonly html: string }
type Money = { currency: string; value: number }
export type Part = Html | string | number | false | null | undefined | readonly Part[]

const locale = 'en-GB'
const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;'
}

/** All that is put in is text, and escaped, unless `html` made it. Attributes stand in quotes. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { html: texts.reduce((all, text, at) => all + toText(parts[at - 1]) + text) }
}

function toText(part: Part): string {
  if (part === null || part === undefined || part === false) return ''
  if (typeof part === 'number') return String(part)
  if (typeof part === 'string') return part.replace(/[&<>"']/g, (sign) => entities[sign] ?? '')
  return 'html' in part ? part.html : part.map(toText).join('')
}

/** Minor units, by the decimals of the currency: 2500 GBP is £25.00, 2500 JPY is ¥2,500. */
export function money({ currency, value }: Money): string {
  const decimals = decimalsOf(currency)
  const format = new Intl.NumberFormat(locale, {
    ...({ style: 'currency', currency } as const),
    ...{ minimumFractionDigits: decimals, maximumFractionDigits: decimals }
  })
  return format.format(value / 10 ** decimals)
}

/**
 * What a person typed, in minor units; undefined where it is no amount of the currency. A comma
 * parts thousands and nothing else: who means 12.50 by 12,50 does not pay a hundred times as much.
 */
export function readMoney(text: string, currency: string): Amount | undefined {
  const decimals = decimalsOf(currency)
  const plain = text.replace(/[\s£$€¥]/g, '')
  const [, whole, part = ''] = /^(\d{1,10}|\d{1,3}(?:,\d{3}){1,3})(?:\.(\d*))?$/.exec(plain) ?? []
  if (whole === undefined || part.length > decimals) return undefined
  const value = Number(whole.replaceAll(',', '') + part.padEnd(decimals, '0'))
  return value > 0 ? { currency: currency as Amount['currency'], value } : undefined
}

/** As it is typed into a field. */
export function plainMoney({ currency, value }: Money): string {
  return (value / 10 ** decimalsOf(currency)).toFixed(decimalsOf(currency))
}

/** By ISO 4217, as the API has amounts; `Intl` leaves out decimals that are not in daily use. */
function decimalsOf(currency: string): number {
  if (without.includes(currency)) return 0
  return withThree.includes(currency) ? 3 : 2
}
const without = 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF'.split(' ')
const withThree = 'BHD IQD JOD KWD LYD OMR TND'.split(' ')

const times = new Intl.DateTimeFormat(locale, {
  ...({ day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit' } as const),
  ...({ minute: '2-digit', timeZoneName: 'short' } as const)
})
/** Billing counts its days in UTC. */
const days = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone: 'UTC' })

/** A time with its zone; a day alone where the hour says nothing. */
export function time(at: string | null | undefined, as: 'time' | 'day' = 'time'): Html {
  if (!at) return html`–`
  const format = as === 'time' ? times : days
  return html`<time datetime="${at}">${format.format(new Date(at))}</time>`
}

/** `awaitingApproval` and `payment.captured`, as people read them. */
export function words(name: string): string {
  const text = name.replace(/[._]/g, ' ').replace(/[A-Z]/g, (sign) => ` ${sign.toLowerCase()}`)
  return text.charAt(0).toUpperCase() + text.slice(1)
}

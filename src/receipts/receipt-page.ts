/** A receipt as a page, to be shown and printed. */
import { escapeHtml, toPage } from '../html.ts'
import { type chooseLocale, formatAmount } from '../payments/return-page.ts'
import type { ReceiptView } from './receipt.ts'
import { type ReceiptWords, receiptWords } from './receipt-words.ts'

type Locale = ReturnType<typeof chooseLocale>
/** A name and what stands beside it, as texts; not shown without a value. */
type Row = readonly [name: string, value: string | null]

/** The provider's names of brands that customers know by another. */
const brandNames: Readonly<Record<string, string>> = {
  visa: 'Visa',
  mc: 'Mastercard',
  amex: 'American Express',
  maestro: 'Maestro',
  diners: 'Diners Club',
  discover: 'Discover',
  jcb: 'JCB',
  cup: 'UnionPay'
}

/** `locale`: the customer's. Times are UTC, and say so. */
export function toReceiptPage(receipt: ReceiptView, { language, tag }: Locale): string {
  const words = receiptWords[language]
  const { currency } = receipt.amount
  const money = (value: number) => formatAmount({ currency, value }, tag)
  const facts: Row[] = [
    [words.amount, money(receipt.amount.value)],
    [words.merchant, receipt.merchantName],
    [words.date, toTime(receipt.paidAt, tag)],
    [words.card, toCard(receipt.card, words)],
    [words.reference, receipt.reference],
    [words.description, receipt.description],
    [words.account, receipt.accountId],
    [words.number, receipt.paymentId]
  ]
  const paid: Row[] = [
    ...receipt.allocations.map(({ reference, amount }): Row => [reference, money(amount)]),
    [words.credit, receipt.amountUnallocated > 0 ? money(receipt.amountUnallocated) : null]
  ]
  const content = [toList(facts), toTable(words.paid, paid), wentBack(receipt, words, tag)]
  return toPage(language, words.receipt, content.join('\n'))
}

function wentBack(receipt: ReceiptView, words: ReceiptWords, tag: string): string {
  const { amount, refunds, amountRefunded, amountChargedBack } = receipt
  const gone = amountRefunded + amountChargedBack
  if (gone === 0) return ''
  const money = (value: number) => formatAmount({ ...amount, value }, tag)
  const rows = refunds.map(({ createdAt, amount: value }): Row => {
    return [`${words.refund} ${toDay(createdAt, tag)}`, money(value)]
  })
  const byBank: Row = [words.chargedBack, amountChargedBack > 0 ? money(amountChargedBack) : null]
  const left: Row = [words.remains, money(Math.max(0, amount.value - gone))]
  return toTable(words.wentBack, [...rows, byBank, left])
}

function toCard(card: ReceiptView['card'], { endingIn }: ReceiptWords): string | null {
  if (card === null) return null
  const { brand, lastFour } = card
  const name = brand && (brandNames[brand.toLowerCase()] ?? brand)
  return lastFour === null ? name : endingIn(name ?? '', lastFour).trim()
}

const day = { year: 'numeric', month: 'long', day: 'numeric', timeZone: 'UTC' } as const
const time = { ...day, hour: '2-digit', minute: '2-digit', timeZoneName: 'short' } as const

function toTime(at: string, tag: string): string {
  return new Intl.DateTimeFormat(tag, time).format(new Date(at))
}

function toDay(at: string, tag: string): string {
  return new Intl.DateTimeFormat(tag, day).format(new Date(at))
}

const isShown = ([, value]: Row) => value !== null

function toList(rows: readonly Row[]): string {
  const items = rows
    .filter(isShown)
    .map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value ?? '')}</dd>`)
  return `<dl>${items.join('\n')}</dl>`
}

function toTable(title: string, rows: readonly Row[]): string {
  const shown = rows.filter(isShown)
  if (shown.length === 0) return ''
  const lines = shown.map(
    ([name, value]) =>
      `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(value ?? '')}</td></tr>`
  )
  return `<h2>${escapeHtml(title)}</h2>\n<table class="sums">\n${lines.join('\n')}\n</table>`
}

/**
 * Adyen's settlement details and payment accounting reports: which columns they have and what a
 * line of them means (docs.adyen.com/reporting/settlement-detail-report and
 * …/invoice-reconciliation-reports/payment-accounting-report). Columns are found by their names,
 * since their order is set per account.
 */
import { hideCardNumbers } from '../card-number.ts'
import { decimalsOf, type Money } from '../money.ts'
import {
  type Meaning,
  ReportFault,
  type ReportKind,
  type SettlementLine
} from '../settlement/settlement.ts'
import { readTime } from './report-time.ts'

/** The column `Type` of settlement details. What is not here is kept, and shown to a person. */
const journalTypes: Readonly<Record<string, Meaning>> = {
  Settled: 'settled',
  Refunded: 'refunded',
  RefundedReversed: 'refundReversed',
  Chargeback: 'chargedBack',
  ChargebackReversed: 'chargebackReversed',
  SecondChargeback: 'chargedBackAgain',
  Fee: 'costs',
  InvoiceDeduction: 'costs',
  MiscCosts: 'costs',
  DepositCorrection: 'costs',
  PaymentCost: 'costs',
  AuthorisationSchemeFee: 'costs',
  ManualCorrected: 'costs',
  MatchedStatement: 'costs',
  Balancetransfer: 'carried',
  MerchantPayout: 'payout',
  InternalCompanyPayout: 'payout',
  BankInstructionReturned: 'payout'
}

const settlementColumns = [
  'Merchant Account',
  'Psp Reference',
  'Merchant Reference',
  'Creation Date',
  'TimeZone',
  'Type',
  'Modification Reference',
  'Gross Currency',
  'Gross Debit (GC)',
  'Gross Credit (GC)',
  'Net Currency',
  'Net Debit (NC)',
  'Net Credit (NC)',
  'Commission (NC)',
  'Markup (NC)',
  'Scheme Fees (NC)',
  'Interchange (NC)',
  'Modification Merchant Reference',
  'Batch Number'
] as const

/** Besides them an account may have these, and others that are not read. */
const optionalColumns = {
  bookingDate: 'Booking Date',
  bookingZone: 'Booking Date TimeZone',
  dccMarkup: 'DCC Markup (NC)',
  /** Totals of fees that have columns of their own, or had where those were left out. */
  totals: ['Payment Fees (NC)', 'Gross Fees (NC)']
} as const

const accountingColumns = [
  'Merchant Account',
  'Psp Reference',
  'Merchant Reference',
  'Booking Date',
  'TimeZone',
  'Record Type',
  'Modification Psp Reference',
  'Main Currency',
  'Main Amount',
  'Modification Merchant Reference'
] as const

export type Layout = {
  kind: ReportKind
  /** How many columns each line has. */
  width: number
  /** Where each column that is read stands, and what of a cell may be shown. */
  columns: ReadonlyMap<string, { place: number; show: (cell: string) => string }>
}

/** What the header says; a `ReportFault` names every column that is missing. */
export function readLayout(names: readonly string[]): Layout {
  const places = new Map<string, number>()
  // A name may stand there twice; the first is the one that is documented.
  for (const [place, name] of names.entries()) {
    const trimmed = name.trim()
    if (!places.has(trimmed)) places.set(trimmed, place)
  }
  const kind = places.has('Record Type') ? 'paymentAccounting' : 'settlementDetails'
  const needed = kind === 'paymentAccounting' ? accountingColumns : settlementColumns
  const missing = needed.filter((name) => !places.has(name))
  if (missing.length === needed.length) {
    throw new ReportFault('The first line is not the header of a report that is known here.')
  }
  if (missing.length > 0) {
    throw new ReportFault(`The header lacks ${missing.map((name) => `"${name}"`).join(', ')}.`)
  }
  const columns = new Map(
    [...places].map(([name, place]) => [name, { place, show: showing(name) }])
  )
  return { kind, width: names.length, columns }
}

/** One line; a `ReportFault` says what is wrong with it. */
export function readLine(layout: Layout, cells: readonly string[], line: number): SettlementLine {
  if (cells.length !== layout.width) {
    throw new ReportFault(`Line ${line} has ${cells.length} columns and not ${layout.width}.`)
  }
  const text = (name: string) => {
    const column = layout.columns.get(name)
    return column?.show(cells[column.place] ?? '') ?? ''
  }
  try {
    return layout.kind === 'settlementDetails'
      ? readSettlement(text, line)
      : readAccounting(text, line)
  } catch (error) {
    if (error instanceof ReportFault) throw new ReportFault(`Line ${line}: ${error.message}`)
    throw error
  }
}

/**
 * What may be shown of a column's cells. Adyen's own references, which were digits alone once, and
 * sums may look like card numbers. Most cells are what the line before had.
 */
function showing(name: string): (cell: string) => string {
  const isReference = /Psp Reference$|^Modification Reference$/.test(name)
  const isAmount = /Amount$|\([GN]C\)$/.test(name)
  const own = isReference ? /^[7-9]\d{15}$/ : isAmount ? /^-?\d{1,13}(?:\.\d{1,3})?$/ : undefined
  let last = ''
  let shown = ''
  return (cell) => {
    if (cell === last) return shown
    last = cell
    shown = own?.test(cell) ? cell : hideCardNumbers(cell)
    return shown
  }
}

type Text = (name: string) => string

function readSettlement(text: Text, line: number): SettlementLine {
  const type = needed(text, 'Type')
  const meaning = Object.hasOwn(journalTypes, type) ? journalTypes[type] : undefined
  // Lines of a batch may name the gross currency only, or the net currency only.
  const netCurrency = text('Net Currency') || needed(text, 'Gross Currency')
  const grossCurrency = text('Gross Currency') || netCurrency
  const gross = balanceOf(text, 'Gross', 'GC', grossCurrency)
  const net = balanceOf(text, 'Net', 'NC', netCurrency)
  return {
    ...readReferences(text),
    line,
    merchantAccount: needed(text, 'Merchant Account'),
    batch: needed(text, 'Batch Number'),
    type,
    meaning: meaning ?? 'unknown',
    modificationReference: text('Modification Reference') || null,
    ...readTimes(text, type),
    gross: amount(grossCurrency, gross),
    net: amount(netCurrency, net),
    // Where both are of one currency, nothing was converted, whatever the line says of a rate.
    ...readFees(text, netCurrency, grossCurrency === netCurrency ? gross - net : null)
  }
}

/** What came to us less what was taken from us. */
function balanceOf(text: Text, side: 'Gross' | 'Net', suffix: string, currency: string): bigint {
  const read = (way: string) => toMinorUnits(text(`${side} ${way} (${suffix})`), currency)
  return read('Credit') - read('Debit')
}

/** A payout that came back is not when its batch was paid out. */
const paysOut = new Set(['MerchantPayout', 'InternalCompanyPayout'])

/** The creation is that of the sale; when it was booked, newer layouts say. */
function readTimes(text: Text, type: string) {
  const created = readTime(text('Creation Date'), text('TimeZone'))
  const { bookingDate, bookingZone } = optionalColumns
  const booked = readTime(text(bookingDate), text(bookingZone) || text('TimeZone'))
  const isPayout = paysOut.has(type) && text(bookingDate) === ''
  return {
    ...created,
    bookedFrom: created.bookedFrom ?? booked.bookedFrom,
    unknownZone: created.unknownZone ?? booked.unknownZone,
    settledAt: isPayout ? created.bookedAt : booked.bookedAt
  }
}

/**
 * `missing`: what net is less than gross; null where amounts were converted, and can't be compared.
 * A markup of dynamic currency conversion is shared with the merchant, so it may have either sign.
 */
function readFees(text: Text, currency: string, missing: bigint | null) {
  const read = (name: string) => toMinorUnits(text(name), currency)
  const columns = ['Commission', 'Markup', 'Scheme Fees', 'Interchange']
  const fees = columns.reduce((sum, name) => sum + read(`${name} (NC)`), 0n)
  const dccMarkup = read(optionalColumns.dccMarkup)
  const named = [fees, fees + dccMarkup, fees - dccMarkup]
  if (fees === 0n) named.push(...optionalColumns.totals.map(read))
  return {
    fees: safe(fees),
    otherFees: missing === null ? 0 : safe(missing - fees),
    areFeesNamed: missing === null || named.includes(missing)
  }
}

/** Of the accounting report only that an attempt was approved is a fact that we may lack. */
function readAccounting(text: Text, line: number): SettlementLine {
  const type = needed(text, 'Record Type')
  const currency = needed(text, 'Main Currency')
  const main = amount(currency, toMinorUnits(text('Main Amount'), currency))
  return {
    ...readReferences(text),
    line,
    merchantAccount: needed(text, 'Merchant Account'),
    batch: '',
    type,
    meaning: type === 'Authorised' ? 'authorised' : 'status',
    modificationReference: text('Modification Psp Reference') || null,
    ...readTime(text('Booking Date'), text('TimeZone')),
    settledAt: null,
    gross: main,
    net: amount(currency, 0n),
    ...{ fees: 0, otherFees: 0, areFeesNamed: true }
  }
}

function readReferences(text: Text) {
  return {
    pspReference: text('Psp Reference') || null,
    merchantReference: text('Merchant Reference') || null,
    modificationMerchantReference: text('Modification Merchant Reference') || null
  }
}

function needed(text: Text, name: string): string {
  const value = text(name)
  if (value === '') throw new ReportFault(`"${name}" is empty.`)
  return value
}

const decimal = /^(-?)(\d+)(?:\.(\d+))?$/

/**
 * An amount in decimal major units (`31.45`; blank is 0) as our minor units, exactly. Major units
 * are the same for Adyen and us, whatever either counts as minor ones.
 */
export function toMinorUnits(text: string, currency: string): bigint {
  if (text === '') return 0n
  const [, sign = '', whole = '', fraction = ''] = decimal.exec(text) ?? []
  if (whole === '') throw new ReportFault(`"${text}" is not an amount.`)
  const decimals = decimalsOf(currency) ?? 2
  if (/[^0]/.test(fraction.slice(decimals))) {
    throw new ReportFault(`${currency} has ${decimals} decimals: "${text}" can't be expressed.`)
  }
  const value = BigInt(whole + fraction.slice(0, decimals).padEnd(decimals, '0'))
  return sign === '-' ? -value : value
}

function amount(currency: string, value: bigint): Money {
  if (!/^[A-Z]{3}$/.test(currency)) throw new ReportFault(`"${currency}" is not a currency.`)
  return { currency, value: safe(value) }
}

function safe(value: bigint): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new ReportFault(`${value} minor units are too many.`)
  return number
}

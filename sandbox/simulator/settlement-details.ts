import type { Context } from './context.ts'
import { newPspReference } from './identifiers.ts'
import { type Entry, entriesOf } from './journal.ts'
import { type Amount, decimalsOf } from './money.ts'
import type { Payment, Report } from './state.ts'
import { spelled, variantOf } from './wallets.ts'

/** What goes wrong in a report, by the pspReferences of payments; for tests. */
export type ReportFaults = {
  /** Left out; they come in the next report. */
  omit?: string[]
  /** Settled twice. */
  doubled?: string[]
  /** Settled with one minor unit less. */
  amount?: string[]
  /** Settled in another currency. */
  currency?: string[]
  /** So many payments that the merchant never made. */
  strangers?: number
  /** A line of nothing but its fees for each card that was registered. */
  registrations?: boolean
}

/** https://docs.adyen.com/reporting/settlement-detail-report, the standard columns. */
const SETTLEMENT_COLUMNS =
  'Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,' +
  'Creation Date,TimeZone,Type,Modification Reference,Gross Currency,Gross Debit (GC),' +
  'Gross Credit (GC),Exchange Rate,Net Currency,Net Debit (NC),Net Credit (NC),' +
  'Commission (NC),Markup (NC),Scheme Fees (NC),Interchange (NC),Payment Method Variant,' +
  'Modification Merchant Reference,Batch Number,Reserved4,Reserved5,Reserved6,Reserved7,' +
  'Reserved8,Reserved9,Reserved10'

type Row = Record<string, string>

/** Interchange++ of a sale, minor units. */
const MARKUP = 10
const SCHEME_FEES = 5
const INTERCHANGE_PER_MILLE = 3
const CHARGEBACK_FEE = 750
const BATCH_FEE = 120

/** Settles all that no report had yet: a line for each, the costs of the batch, and the payout. */
export function settlementReport(context: Context, faults: ReportFaults = {}): Report {
  const { state } = context
  const batch = state.reports.all().filter(({ kind }) => kind === 'settlementDetails').length + 1
  const omitted = new Set(faults.omit)
  const due = state.payments
    .all()
    .filter(({ id }) => !omitted.has(id))
    .flatMap((payment) => entriesOf(context, payment))
    .concat(faults.registrations ? checks(context) : [])
    .filter(({ key }) => state.bookings.get(key) === undefined)
  const entries = [...due.flatMap((entry) => distort(entry, faults)), ...strangers(due, faults)]
  const totals = new Map<string, number>()
  const rows = entries.map((entry) => {
    const { row, net } = toRow(context, entry, batch)
    const { currency } = entry.amount
    totals.set(currency, (totals.get(currency) ?? 0) + net)
    return row
  })
  for (const [currency, total] of totals) {
    rows.push(batchRow(context, batch, 'Fee', 'Transaction Fees', { currency, value: -BATCH_FEE }))
    const paid = { currency, value: BATCH_FEE - total }
    const text = `TX${batch} batch ${batch}, ${context.merchantAccount}`
    // What is owed to Adyen is carried over by a payout of the other sign.
    rows.push(batchRow(context, batch, 'MerchantPayout', text, paid))
  }
  const createdAt = new Date().toISOString()
  for (const { key } of due) state.bookings.put({ id: key, createdAt, batch })
  const id = `settlement_detail_report_batch_${batch}.csv`
  const csv = toCsv(SETTLEMENT_COLUMNS.split(','), rows)
  const report = { id, createdAt, kind: 'settlementDetails', batch, csv }
  state.reports.put(report)
  return report
}

/** Checks of cards that were registered, which took nothing. */
function checks({ state }: Context): Entry[] {
  const registered = state.payments.all().filter(({ amount }) => amount.value === 0)
  return registered.map((payment) => ({
    ...{ key: `Settled ${payment.id}`, type: 'Settled', payment, sign: 1 },
    ...{ pspReference: payment.captureReference, merchantReference: '' },
    ...{ amount: payment.amount, at: payment.createdAt }
  }))
}

function distort(entry: Entry, faults: ReportFaults): Entry[] {
  const { id } = entry.payment
  if (entry.type !== 'Settled') return [entry]
  const { currency, value } = entry.amount
  if (faults.doubled?.includes(id)) return [entry, entry]
  if (faults.amount?.includes(id)) return [{ ...entry, amount: { currency, value: value - 1 } }]
  if (faults.currency?.includes(id)) {
    const other = currency === 'EUR' ? 'USD' : 'EUR'
    return [{ ...entry, amount: { currency: other, value } }]
  }
  return [entry]
}

/** Sales of another merchant, by mistake in this report. */
function strangers([first]: Entry[], { strangers: count = 0 }: ReportFaults): Entry[] {
  if (first === undefined) return []
  return Array.from({ length: count }, (_, place) => {
    const payment: Payment = {
      ...first.payment,
      id: newPspReference(),
      reference: `other-${place}`
    }
    return { ...first, payment, type: 'Settled', sign: 1, pspReference: newPspReference() }
  })
}

function toRow({ merchantAccount }: Context, entry: Entry, batch: number) {
  const { type, payment, amount, sign, at } = entry
  const { currency, value } = amount
  const isSale = type === 'Settled'
  const interchange = isSale ? Math.floor((value * INTERCHANGE_PER_MILLE) / 1000) : 0
  const commission = type === 'Chargeback' ? CHARGEBACK_FEE : 0
  const markup = isSale ? MARKUP : 0
  const scheme = isSale ? SCHEME_FEES : 0
  const net = sign * value - interchange - commission - markup - scheme
  const text = (value: number) => (value === 0 ? '' : toMajor({ currency, value }))
  const row: Row = {
    ...accountsOf(merchantAccount),
    'Psp Reference': payment.id,
    'Merchant Reference': payment.reference,
    'Payment Method': spelled(payment),
    ...timeOf(at),
    Type: type,
    'Modification Reference': entry.pspReference,
    'Modification Merchant Reference': entry.merchantReference,
    'Gross Currency': currency,
    [sign > 0 ? 'Gross Credit (GC)' : 'Gross Debit (GC)']: toMajor(amount),
    'Exchange Rate': '1',
    ...netOf(currency, net),
    'Commission (NC)': text(commission),
    'Markup (NC)': text(markup),
    'Scheme Fees (NC)': text(scheme),
    'Interchange (NC)': text(interchange),
    'Payment Method Variant': variantOf(payment),
    'Batch Number': String(batch)
  }
  return { row, net }
}

function batchRow(
  { merchantAccount }: Context,
  batch: number,
  type: string,
  reference: string,
  { currency, value }: Amount
): Row {
  return {
    ...accountsOf(merchantAccount),
    ...timeOf(new Date().toISOString()),
    Type: type,
    'Modification Reference': reference,
    'Gross Currency': currency,
    ...netOf(currency, value),
    'Batch Number': String(batch)
  }
}

export function accountsOf(merchantAccount: string): Row {
  return { 'Company Account': 'SimulatedCompany', 'Merchant Account': merchantAccount }
}

function netOf(currency: string, value: number): Row {
  const column = value < 0 ? 'Net Debit (NC)' : 'Net Credit (NC)'
  return { 'Net Currency': currency, [column]: toMajor({ currency, value: Math.abs(value) }) }
}

function timeOf(at: string): Row {
  return { 'Creation Date': toReportTime(at), TimeZone: 'UTC' }
}

/** `YYYY-MM-DD HH:MM:SS`; the zone stands in a column of its own. */
export function toReportTime(at: string): string {
  return at.slice(0, 19).replace('T', ' ')
}

/** Decimal major units, as in `31.45`. */
export function toMajor({ currency, value }: Amount): string {
  const decimals = decimalsOf(currency)
  const digits = String(Math.abs(value)).padStart(decimals + 1, '0')
  const whole = digits.slice(0, digits.length - decimals)
  const sign = value < 0 ? '-' : ''
  return decimals === 0 ? sign + whole : `${sign}${whole}.${digits.slice(-decimals)}`
}

export function toCsv(columns: string[], rows: Row[]): string {
  const quote = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  const lines = rows.map((row) => columns.map((name) => quote(row[name] ?? '')).join(','))
  return `${[columns.join(','), ...lines].join('\n')}\n`
}

/**
 * Files for CMP in the shape of its "Non Recurring Payments" (draft of 2019-09, the inbound file of
 * Generic Payment Upload), and the rejections that come back. Pure.
 */
import { decimalsOf, type Money } from '../money.ts'
import {
  type Acknowledgement,
  type BillingPosting,
  type PostingStatus,
  referencesOf
} from './posting.ts'

export const transactionTypes = ['payment', 'refund'] as const
/** What lessens a debt is a payment, what adds to it a refund: a file has one of them. */
export type TransactionType = (typeof transactionTypes)[number]

export type BillingFile = {
  /** Also CMP's externalFileName. */
  id: string
  currency: string
  transactionType: TransactionType
  recordCount: number
  /** Minor units. */
  totalAmount: number
  createdAt: Date
}

/** As the API shows it; `counts`: what the billing system made of its details. */
export function toFileView(file: BillingFile, counts: Record<PostingStatus, number>) {
  const { id, currency, transactionType, recordCount, totalAmount, createdAt } = file
  return {
    id,
    externalFileName: id,
    transactionType,
    recordCount,
    totalAmount: { currency, value: totalAmount },
    counts: { open: counts.open, posted: counts.posted, rejected: counts.rejected },
    createdAt: createdAt.toISOString()
  }
}

/** What a file holds at most: details, and their sum in major units (totalAmount, CMP). */
export const recordsMax = 5_000
const largestTotal = 999_999_999.99
/** CMP's Amount, Decimal(9,2): the largest, and how many decimals. */
const largestAmount = 9_999_999.99
const amountDecimals = 2

/**
 * What CMP's file can hold of a currency, in minor units: amounts that are whole `step`s, at most
 * `amountMax`, and at most `totalMax` together. Other postings stay in the feed alone.
 */
export function limitsOf(currency: string) {
  const decimals = decimalsOf(currency) ?? 0
  const toMinor = (major: number) => Math.floor(major * 10 ** decimals + 1e-6)
  return {
    step: 10 ** Math.max(0, decimals - amountDecimals),
    amountMax: toMinor(largestAmount),
    totalMax: toMinor(largestTotal)
  }
}

/**
 * Every field of the file. `cmp`: documented there. `assumed`: CMP's page for it is not public; the
 * name is CMP's word for the same thing elsewhere (its rejections file, RecordPayment, Refunds).
 */
export const uploadFields = {
  header: {
    interfaceCategory: ['cmp', 'Always "Payments"'],
    interfaceType: ['cmp', 'Always "Upload"'],
    version: ['cmp', 'Of the layout: "1.0"'],
    transformDateTime: ['cmp', 'When the file was made'],
    transmitDateTime: ['cmp', 'The same: the file is fetched, not sent'],
    externalFileName: ['cmp', 'At most 20 of a-z, A-Z, 0-9, ".", "_" and "-"'],
    recordCount: ['cmp', 'The number of details'],
    isoCurrencyCode: ['cmp', 'Of all amounts (ISO 4217)'],
    totalAmount: ['cmp', 'The sum of the details, major units, 0 to 999,999,999.99'],
    paymentSource: ['assumed', 'PAYMENT or REFUND, as in Create Payment']
  },
  details: {
    detailSequence: ['assumed', 'From 1, as the rejections file counts them'],
    hierarchyEntity: ['assumed', '`accountId` in it is CMP’s account number'],
    transactionType: ['assumed', 'PAYMENT or REFUND, as in the rejections file'],
    transactionId: ['assumed', 'TransactionReference of RecordPayment: the payment’s id'],
    paymentReference: ['assumed', 'PaymentReference of RecordPayment'],
    externalReference: ['assumed', 'ExternalReference of RecordPayment'],
    cardReference: ['assumed', 'CardReference of RecordPayment'],
    transactionDateTime: ['assumed', 'TransactionDateTime of RecordPayment'],
    amount: ['assumed', 'Amount of RecordPayment: Decimal(9,2), major units, never negative'],
    remark: ['assumed', 'Remark of Refunds: why it moved, and the posting’s id']
  }
} as const satisfies Record<string, Record<string, readonly ['cmp' | 'assumed', string]>>

type Part = keyof typeof uploadFields
type Fields<P extends Part> = Record<keyof (typeof uploadFields)[P], unknown>

/** The first of the postings that are at most `totalMax` together. */
export function within(
  postings: readonly BillingPosting[],
  totalMax: number
): { taken: BillingPosting[]; total: number } {
  let total = 0
  const end = postings.findIndex(({ amount }) => {
    if (total + amount.value > totalMax) return true
    total += amount.value
    return false
  })
  return { taken: end < 0 ? [...postings] : postings.slice(0, end), total }
}

/** What the file says, byte for byte; its postings in their order. */
export function toUpload(file: BillingFile, postings: readonly BillingPosting[]): string {
  const time = file.createdAt.toISOString()
  const transactionType = file.transactionType.toUpperCase()
  const header: Fields<'header'> = {
    interfaceCategory: 'Payments',
    interfaceType: 'Upload',
    version: '1.0',
    transformDateTime: time,
    transmitDateTime: time,
    externalFileName: file.id,
    recordCount: file.recordCount,
    isoCurrencyCode: file.currency,
    totalAmount: toMajor({ currency: file.currency, value: file.totalAmount }),
    paymentSource: transactionType
  }
  const details = postings.map((posting, at): Fields<'details'> => {
    const { transactionReference, ...references } = referencesOf(posting)
    return {
      detailSequence: at + 1,
      hierarchyEntity: { accountId: posting.accountId },
      transactionType,
      transactionId: transactionReference,
      ...references,
      transactionDateTime: posting.occurredAt.toISOString(),
      amount: toMajor(posting.amount),
      remark: `${posting.kind} ${posting.id}`
    }
  })
  return `${JSON.stringify({ ...header, details }, null, 1)}\n`
}

/** Exact: of a number with so few digits the shortest text is its decimal. */
function toMajor({ currency, value }: Money): number {
  return value / 10 ** (decimalsOf(currency) ?? 0)
}

/** A detail of CMP's rejections file, as far as it is read here. */
export type Rejection = {
  detailSequence: number
  accountId: number
  transactionType: TransactionType
  transactionId: string | null
  reason: string | null
}

type RejectedPosting = { posting: BillingPosting; said: Acknowledgement }

/**
 * The postings that a rejections file names, by their place in the file; or what is wrong with it,
 * by the number of the detail. A detail that says otherwise than the file is not believed at all.
 */
export function findRejected(
  file: BillingFile,
  postings: readonly BillingPosting[],
  rejections: readonly Rejection[]
): { rejected: RejectedPosting[]; faults: Array<{ at: number; detail: string }> } {
  const bySequence = new Map(postings.map((one) => [one.file?.sequence, one]))
  const named = new Set<number>()
  const rejected: RejectedPosting[] = []
  const faults: Array<{ at: number; detail: string }> = []
  for (const [at, rejection] of rejections.entries()) {
    const posting = bySequence.get(rejection.detailSequence)
    const isNamed = named.has(rejection.detailSequence)
    const fault = isNamed ? 'was named before' : findFault(file, posting, rejection)
    named.add(rejection.detailSequence)
    if (fault !== undefined) faults.push({ at, detail: fault })
    else if (posting !== undefined) {
      const reason = rejection.reason ?? 'The rejections file gives no reason.'
      rejected.push({ posting, said: { outcome: 'rejected', reason } })
    }
  }
  return { rejected, faults }
}

function findFault(
  file: BillingFile,
  posting: BillingPosting | undefined,
  { accountId, transactionType, transactionId }: Rejection
): string | undefined {
  if (posting === undefined) return `is no detail of ${file.id}`
  if (posting.accountId !== accountId) return `is of account ${posting.accountId} there`
  if (file.transactionType !== transactionType) return `is a ${file.transactionType} there`
  if (transactionId !== null && posting.paymentId !== transactionId) {
    return `is of ${posting.paymentId} there`
  }
  return posting.status === 'posted' ? 'was acknowledged as posted' : undefined
}

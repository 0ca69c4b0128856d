/**
 * What the billing system gets about a customer's account, and what it made of it. Pure. The ledger
 * has moved already when a posting is shown: billing confirms it, or says why it does not take it.
 */
import { type LedgerAccount, type PostingKind, postings } from '../ledger/ledger.ts'
import { type Money, moneyOf } from '../money.ts'
import type { Channel } from '../payments/payment.ts'
import { Problem } from '../problem.ts'

export const postingStatuses = ['open', 'posted', 'rejected'] as const
export type PostingStatus = (typeof postingStatuses)[number]
export type PostingOutcome = Exclude<PostingStatus, 'open'>

/** What the billing system itself pushed to us is not offered to it. */
const ofBilling: readonly PostingKind[] = ['charge', 'adjustmentCredit', 'adjustmentDebit']

/** The postings of the ledger that move a customer's account because of a payment. */
export const postingKinds: readonly PostingKind[] = (Object.keys(postings) as PostingKind[]).filter(
  (kind) => {
    const sides: LedgerAccount[] = [postings[kind].debit, postings[kind].credit]
    return sides.includes('customer') && !ofBilling.includes(kind)
  }
)

/** CMP's RecordPayment, field widths: what does not fit is left out, never cut. */
const widths = { paymentReference: 40, externalReference: 69, cardReference: 30 } as const

/** `direction`: `credit` lessens what the customer owes, `debit` adds to it. */
export type BillingPosting = {
  position: number
  id: string
  accountId: number
  amount: Money
  direction: 'credit' | 'debit'
  kind: PostingKind
  cause: { type: string; id: string }
  paymentId: string
  /** The provider's reference of the money, or the one of the processor that took it. */
  paymentReference: string | null
  externalReference: string | null
  cardReference: string | null
  channel: Channel
  occurredAt: Date
  status: PostingStatus
  reason: string | null
  acknowledgedAt: Date | null
  /** The file in which the billing system gets it, and its detail there. */
  file: { id: string; sequence: number } | null
}

/** The references that CMP keeps of a posting, each within its width. */
export function referencesOf(posting: BillingPosting) {
  const { paymentId, paymentReference, externalReference, cardReference } = posting
  const fit = (text: string | null, width: number) => ((text?.length ?? 0) <= width ? text : null)
  return {
    transactionReference: paymentId,
    paymentReference: fit(paymentReference, widths.paymentReference),
    externalReference: fit(externalReference, widths.externalReference),
    cardReference: fit(cardReference, widths.cardReference)
  }
}

/** As the API shows it. */
export function toPostingView(posting: BillingPosting) {
  const { id, accountId, amount, direction, kind, paymentId, cause, channel, status } = posting
  return {
    id,
    accountId: String(accountId),
    amount: moneyOf(amount),
    direction,
    kind,
    paymentId,
    cause: { type: cause.type, id: cause.id },
    ...referencesOf(posting),
    channel,
    occurredAt: posting.occurredAt.toISOString(),
    status,
    acknowledgedAt: posting.acknowledgedAt?.toISOString() ?? null,
    reason: posting.reason,
    billingFileId: posting.file?.id ?? null
  }
}

/** What the billing system says of a posting; a rejection has a reason. */
export type Acknowledgement = { outcome: PostingOutcome; reason: string | null }

/**
 * The posting as it stands after billing's word; undefined where it said the same before. What was
 * rejected may be posted after all, once it is mended there. What is posted stays so: taking it
 * back is a movement of its own.
 */
export function acknowledge(
  posting: BillingPosting,
  { outcome, reason }: Acknowledgement,
  now: Date
): BillingPosting | undefined {
  const { id, status } = posting
  if (status === outcome) return undefined
  if (status === 'posted') {
    throw new Problem('posting_acknowledged', `${id} was acknowledged as posted.`)
  }
  return { ...posting, status: outcome, reason, acknowledgedAt: now }
}

/** What a rejection is shown as, to a person: both sides of it. */
export function rejectionOf(posting: BillingPosting) {
  const { id, accountId, amount, direction, kind, paymentId, cause, reason, file } = posting
  const ours = { posted: true, kind, direction, amount, cause }
  const theirs = { posted: false, reason, billingFileId: file?.id ?? null }
  const details = { postingId: id, accountId: String(accountId), ours, theirs }
  return { paymentId, fact: id, details }
}

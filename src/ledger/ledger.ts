/**
 * The chart of accounts and what each posting means. Double entry: a transfer debits one ledger
 * account and credits another by the same amount.
 */
import type { Money } from '../money.ts'

export const ledgerAccounts = {
  /** What the customer owes: debits are what was charged or taken back, credits what was paid. */
  customer: 'receivable from the customer',
  /** What the payment provider took from cards and owes us. */
  provider: 'receivable from the payment provider',
  /** What other processors took from cards: payments that were taken elsewhere. */
  processors: 'receivable from other processors',
  /** What the billing system charged, less what it settled elsewhere. */
  billing: 'charges of the billing system',
  /**
   * Money that the provider took and that is not the customer's payment: on its way back, or held.
   */
  clearing: 'money under reversal or in doubt',
  /** Held money that a person gave up: nobody's until somebody asks for it. */
  writeOffs: 'held money that was written off'
} as const
export type LedgerAccount = keyof typeof ledgerAccounts

/** Every way in which the books move, and the one kind of fact that each stands for. */
export const postings = {
  /** A charge was pushed; the fact is the charge. */
  charge: { debit: 'customer', credit: 'billing' },
  /** The billing system settled something elsewhere; the fact is the adjustment. */
  adjustmentCredit: { debit: 'billing', credit: 'customer' },
  adjustmentDebit: { debit: 'customer', credit: 'billing' },
  /** Money was taken; the fact is its capture, reported for the n-th time. */
  payment: { debit: 'provider', credit: 'customer' },
  /** A capture came to nothing, which the provider had accepted. */
  captureFailed: { debit: 'customer', credit: 'provider' },
  /** Money went back to the card; the fact is the refund. */
  refund: { debit: 'customer', credit: 'provider' },
  /** A refund came to nothing, which the provider had accepted. */
  refundFailed: { debit: 'provider', credit: 'customer' },
  /** The card's bank took money back; the fact is the dispute and its event. */
  chargeback: { debit: 'customer', credit: 'provider' },
  /** The card's bank gave it back. */
  chargebackReversed: { debit: 'provider', credit: 'customer' },
  /** Another processor took a payment, or gave it back; the fact is the record of it. */
  recordedPayment: { debit: 'processors', credit: 'customer' },
  recordedRefund: { debit: 'customer', credit: 'processors' },
  /** Money came that is not kept; the fact is the authorisation. */
  held: { debit: 'provider', credit: 'clearing' },
  /** Held money went back; the fact is the reversal. */
  reversal: { debit: 'clearing', credit: 'provider' },
  /** Money that had gone back came again; the fact is the reversal. */
  reversalFailed: { debit: 'provider', credit: 'clearing' },
  /** A person decided about held money; the fact is the discrepancy. */
  heldApplied: { debit: 'clearing', credit: 'customer' },
  heldWrittenOff: { debit: 'clearing', credit: 'writeOffs' }
} as const satisfies Record<string, { debit: LedgerAccount; credit: LedgerAccount }>
export type PostingKind = keyof typeof postings

export type NamedAllocation = { chargeId: string; amount: number }

/**
 * What money that came in stands for, in minor units: the charges that it has paid, each with so
 * much, in the order in which it paid them; and what of it is left as credit. The rest has paid
 * what was taken back from the account before, which no charge stands for.
 */
export type Allocated = {
  charges: Array<NamedAllocation & { reference: string }>
  left: number
}

/** Of what has brought no money. Shared: nobody may change it. */
export const nothingAllocated: Allocated = { charges: [], left: 0 }

/** A credit with one of its allocations, if it has any: nulls where that is of no charge. */
export type CreditPart = {
  transferId: string
  /** What the credit has not spent, in each of its parts. */
  open: number
  /** Orders allocations as they were written. */
  position: number | null
  chargeId: string | null
  reference: string | null
  /** Negative where it was taken back. */
  amount: number | null
}

/** What the money of credits stands for. */
export function toAllocated(parts: readonly CreditPart[]): Allocated {
  const charges = new Map<string, Allocated['charges'][number]>()
  const inOrder = parts.toSorted((one, other) => (one.position ?? 0) - (other.position ?? 0))
  for (const { chargeId, reference, amount } of inOrder) {
    if (chargeId === null) continue
    const before = charges.get(chargeId)?.amount ?? 0
    const now = { chargeId, reference: reference ?? '', amount: before + (amount ?? 0) }
    charges.set(chargeId, now)
  }
  const open = new Map(parts.map((part) => [part.transferId, part.open]))
  return {
    charges: [...charges.values()].filter(({ amount }) => amount > 0),
    left: [...open.values()].reduce((sum, one) => sum + one, 0)
  }
}

/** What of the named allocations was not paid by the first `paid` minor units. */
export function allocationsLeft(
  named: readonly NamedAllocation[],
  paid: number
): NamedAllocation[] {
  let skip = paid
  return named.flatMap(({ chargeId, amount }) => {
    const passed = Math.min(skip, amount)
    skip -= passed
    return passed < amount ? [{ chargeId, amount: amount - passed }] : []
  })
}

/** One posting to be written. `fact` is unique among its kind: the same fact is posted once. */
export type Posting = {
  kind: PostingKind
  fact: string
  accountId: number
  amount: Money
  cause: {
    type:
      | 'charge'
      | 'adjustment'
      | 'payment'
      | 'capture'
      | 'cancellation'
      | 'refund'
      | 'reversal'
      | 'dispute'
      | 'discrepancy'
    id: string
  }
  paymentId: string | null
  /**
   * The charges that money which comes pays, or money which is taken reopens, before any other: in
   * this order, each up to the amount named (minor units).
   */
  allocations?: readonly NamedAllocation[]
}

/** Whether the posting brings money to the customer's account, to be matched to charges. */
export function isCustomerCredit(kind: PostingKind): boolean {
  return postings[kind].credit === 'customer'
}

/**
 * Whether the posting takes money from the customer's account: what its payment brought first, then
 * other credit and what has paid charges (taking-back.ts). A charge is a debit of another kind: it
 * waits for money.
 */
export function isCustomerDebit(kind: PostingKind): boolean {
  return postings[kind].debit === 'customer' && kind !== 'charge'
}

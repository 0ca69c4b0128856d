/**
 * The chart of accounts and what each posting means. Double entry: a transfer debits one ledger
 * account and credits another by the same amount.
 */
import type { Money } from '../money.ts'

export const ledgerAccounts = {
  /** What the customer owes: debits are what was charged, credits what was paid. */
  customer: 'receivable from the customer',
  /** What the payment provider took from cards and owes us. */
  provider: 'receivable from the payment provider',
  /** What the billing system charged. */
  billing: 'charges of the billing system',
  /**
   * Money that the provider took and that is not the customer's payment: on its way back, or held.
   */
  clearing: 'money under reversal or in doubt'
} as const
export type LedgerAccount = keyof typeof ledgerAccounts

/** Every way in which the books move, and the one kind of fact that each stands for. */
export const postings = {
  /** A charge was pushed; the fact is the charge. */
  charge: { debit: 'customer', credit: 'billing' },
  /** A payment was captured; the fact is the authorisation. */
  payment: { debit: 'provider', credit: 'customer' },
  /** Money came that is not kept; the fact is the authorisation. */
  held: { debit: 'provider', credit: 'clearing' },
  /** Held money went back; the fact is the reversal. */
  reversal: { debit: 'clearing', credit: 'provider' },
  /** Money that had gone back came again; the fact is the reversal. */
  reversalFailed: { debit: 'provider', credit: 'clearing' }
} as const satisfies Record<string, { debit: LedgerAccount; credit: LedgerAccount }>
export type PostingKind = keyof typeof postings

/** One posting to be written. `fact` is unique among its kind: the same fact is posted once. */
export type Posting = {
  kind: PostingKind
  fact: string
  accountId: number
  amount: Money
  cause: { type: 'charge' | 'payment' | 'reversal'; id: string }
  paymentId: string | null
}

/** Whether the posting brings money to the customer's account, to be matched to charges. */
export function isCustomerCredit(kind: PostingKind): boolean {
  return postings[kind].credit === 'customer'
}

/** A day of the books, by currency: what moved, what it left, what the provider settled. Pure. */
import type { DiscrepancyKind } from '../discrepancies/discrepancy.ts'
import { type LedgerAccount, ledgerAccounts } from '../ledger/ledger.ts'

/** What was posted of a kind: minor units, before the day and on it. */
export type PostingSum = {
  currency: string
  posting: string
  debitAccount: LedgerAccount
  creditAccount: LedgerAccount
  before: number
  during: number
  count: number
}

/**
 * What reports that were read on the day say of payments, in the currency of the payments; and
 * `settledUntil`: what of our facts was in any report by the end of that day.
 */
export type SettledSum = {
  currency: string
  lines: number
  gross: number
  ours: number
  settledUntil: number
}

/** The same reports in the currency in which the provider pays out. */
export type PayoutSum = {
  currency: string
  payments: number
  fees: number
  costs: number
  carried: number
  paidOut: number
  other: number
}

export type DiscrepancyCount = {
  kind: DiscrepancyKind
  opened: number
  resolved: number
  open: number
}

/** The day as the API shows it. */
export function toSummaryView(
  date: string,
  currencies: ReturnType<typeof toSummary>,
  discrepancies: readonly DiscrepancyCount[]
) {
  const counts = discrepancies.map(({ kind, opened, resolved, open }) => {
    return { kind, opened, resolved, open }
  })
  return { date, currencies, discrepancies: counts }
}

/** Of each currency; every `closing` is `opening` and the debits less the credits. */
export function toSummary(
  postings: readonly PostingSum[],
  settled: readonly SettledSum[],
  payouts: readonly PayoutSum[]
) {
  const all = [...postings, ...settled, ...payouts].map(({ currency }) => currency)
  return [...new Set(all)].sort().map((currency) => {
    const isOwn = (one: { currency: string }) => one.currency === currency
    const own = postings.filter(isOwn)
    const accounts = toAccounts(own)
    const provider = accounts.find(({ account }) => account === 'provider')
    return {
      currency,
      movements: own
        .filter(({ count }) => count > 0)
        .map(({ posting, count, during }) => ({ posting, count, amount: during })),
      accounts,
      settlement: toSettlement(settled.filter(isOwn), provider?.closing ?? 0),
      payout: toPayout(payouts.find(isOwn))
    }
  })
}

function toAccounts(postings: readonly PostingSum[]) {
  return (Object.keys(ledgerAccounts) as LedgerAccount[]).flatMap((account) => {
    const debited = postings.filter(({ debitAccount }) => debitAccount === account)
    const credited = postings.filter(({ creditAccount }) => creditAccount === account)
    if (debited.length + credited.length === 0) return []
    const opening = sum(debited, 'before') - sum(credited, 'before')
    const [debits, credits] = [sum(debited, 'during'), sum(credited, 'during')]
    return [{ account, opening, debits, credits, closing: opening + debits - credits }]
  })
}

function sum(postings: readonly PostingSum[], when: 'before' | 'during'): number {
  return postings.reduce((total, one) => total + one[when], 0)
}

/**
 * `difference`: what the provider says less what we have; discrepancies explain it. `unsettled`:
 * what the provider owes us by our books at the end of the day, and no report has.
 */
function toSettlement(settled: readonly SettledSum[], closing: number) {
  const total = (what: Exclude<keyof SettledSum, 'currency'>) =>
    settled.reduce((sum, one) => sum + one[what], 0)
  const [gross, ours] = [total('gross'), total('ours')]
  const unsettled = closing - total('settledUntil')
  const difference = gross - ours
  return { lines: total('lines'), provider: gross, ledger: ours, difference, unsettled }
}

/** Where batches are whole, all of it and what was paid out (negative) add up to 0. */
function toPayout(sum: PayoutSum | undefined) {
  const { payments = 0, fees = 0, costs = 0, carried = 0, paidOut = 0, other = 0 } = sum ?? {}
  const left = payments + costs + carried + paidOut + other
  return { payments, fees, costs, carried, other, paidOut, left }
}

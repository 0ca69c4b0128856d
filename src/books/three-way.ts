/**
 * What the payment provider settled, what the ledger says, and what the billing system posted, side
 * by side. Pure. The three differ for good reasons most of the time: each is named, with how much
 * money it is, so that nothing is left over.
 */

/**
 * Why the provider's side is not the ledger's, in minor units to be added to the ledger's.
 *
 * `takenElsewhere`: by another processor. `heldMoney`: taken or given back by the provider and not
 * the customer's, or given to the customer later. `cameToNothing`: taken and taken back before it
 * was settled, so that no report ever has it. `notSettledYet`: no report has it.
 * `settledOtherwise`: a report has another amount. `settledTwice`. `unmatched`: a report has money
 * that no record of ours explains.
 */
export const providerReasons = [
  'takenElsewhere',
  'heldMoney',
  'cameToNothing',
  'notSettledYet',
  'settledOtherwise',
  'settledTwice',
  'unmatched'
] as const

/** Why billing's side is not the ledger's. */
export const billingReasons = ['notAcknowledgedYet', 'rejected'] as const

export const sides = ['provider', 'ledger', 'billing'] as const
export type Side = (typeof sides)[number]
export type ProviderReason = (typeof providerReasons)[number]
export type BillingReason = (typeof billingReasons)[number]
export type Reason = ProviderReason | BillingReason

/** How many movements, and what they come to: minor units, what customers paid is positive. */
export type Sum = { count: number; amount: number }

/** A line of what the store has added up. */
export type SummedUp = Sum & { currency: string; what: Side | Reason }

export type Explained<R extends Reason> = Sum & { reason: R }

export type CurrencyBalance = {
  currency: string
  provider: Sum
  ledger: Sum
  billing: Sum
  /** From the ledger to the provider, and from the ledger to billing. */
  differences: { provider: Explained<ProviderReason>[]; billing: Explained<BillingReason>[] }
  /** What the reasons leave over, of both differences: 0, else this service has a fault. */
  unexplained: number
}

const nothing: Sum = { count: 0, amount: 0 }

/** The three sides of each currency, with the reasons why they differ. */
export function balance(all: readonly SummedUp[]): CurrencyBalance[] {
  const byCurrency = Map.groupBy(all, ({ currency }) => currency)
  return [...byCurrency]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([currency, own]) => {
      const find = (what: Side | Reason): Sum => {
        const { count, amount } = own.find((one) => one.what === what) ?? nothing
        return { count, amount }
      }
      const [provider, ledger, billing] = [find('provider'), find('ledger'), find('billing')]
      const explain = <R extends Reason>(reasons: readonly R[]) =>
        reasons.map((reason) => ({ reason, ...find(reason) })).filter(({ count }) => count > 0)
      const differences = { provider: explain(providerReasons), billing: explain(billingReasons) }
      const unexplained =
        Math.abs(provider.amount - ledger.amount - total(differences.provider)) +
        Math.abs(billing.amount - ledger.amount - total(differences.billing))
      return { currency, provider, ledger, billing, differences, unexplained }
    })
}

function total(all: readonly Sum[]): number {
  return all.reduce((sum, { amount }) => sum + amount, 0)
}

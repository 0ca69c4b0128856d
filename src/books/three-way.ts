/**
 * What the payment provider settled, what the ledger says, and what the billing system posted, side
 * by side. Pure. The three differ for good reasons most of the time: each is named, with how much
 * money it is, so that nothing is left over.
 */

/**
 * Why the provider's side is not the ledger's, in minor units to be added to the ledger's; the
 * schema says what each means.
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

type Side = 'provider' | 'ledger' | 'billing'
type Reason = (typeof providerReasons)[number] | (typeof billingReasons)[number]

/** How many movements, and what they come to: minor units, what customers paid is positive. */
type Sum = { count: number; amount: number }

/** A line of what the store has added up. */
export type SummedUp = Sum & { currency: string; what: Side | Reason }

const nothing: Sum = { count: 0, amount: 0 }

/**
 * The three sides of each currency, with the reasons why they differ. `unexplained` is what those
 * leave over: 0, else this service has a fault.
 */
export function balance(all: readonly SummedUp[]) {
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

/**
 * Which charges money pays: first a charge with exactly that open amount, else the oldest first
 * (`dueAt`, then id). Charges in query are skipped. What is left over stays credit. All amounts are
 * minor units of the account's currency.
 */

export type OpenCharge = { id: string; openAmount: number; dueAt: Date; inQuery: boolean }
export type OpenCredit = { transferId: string; openAmount: number }
export type Match = { transferId: string; chargeId: string; amount: number }

/** Matches credits, oldest first, to charges; answers what to write down, in order. */
export function match(credits: readonly OpenCredit[], charges: readonly OpenCharge[]): Match[] {
  const open = charges
    .filter((charge) => !charge.inQuery && charge.openAmount > 0)
    .map((charge) => ({ ...charge }))
    .sort(byAge)
  return credits.flatMap((credit) => matchOne(credit, open))
}

/** Matches one credit and lowers the open amounts of `open` by what it took. */
function matchOne(credit: OpenCredit, open: OpenCharge[]): Match[] {
  const exact = open.find((charge) => charge.openAmount === credit.openAmount)
  const matches: Match[] = []
  let left = credit.openAmount
  for (const charge of exact ? [exact] : open) {
    const amount = Math.min(left, charge.openAmount)
    if (amount === 0) continue
    matches.push({ transferId: credit.transferId, chargeId: charge.id, amount })
    charge.openAmount -= amount
    left -= amount
  }
  return matches
}

function byAge(one: OpenCharge, other: OpenCharge): number {
  const earlier = one.dueAt.getTime() - other.dueAt.getTime()
  return earlier !== 0 ? earlier : one.id < other.id ? -1 : 1
}

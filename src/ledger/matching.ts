/**
 * Which debts money pays. First those that it names. Then the one with exactly that open amount,
 * else the oldest first: open debits, whose money is gone already, before all charges, and charges
 * by `dueAt`; where that is the same, by id. Charges in query are paid only by money that names
 * them. What is left over stays credit. All amounts are minor units of the account's currency.
 */
import type { NamedAllocation } from './ledger.ts'

/** What waits for money: a charge, or what a debit (by its transfer) did not find to take. */
export type Owed = {
  kind: 'charge' | 'debit'
  id: string
  openAmount: number
  /** Null for a debit, which is due before any charge. */
  dueAt: Date | null
  inQuery: boolean
}

/** Money that waits for something to pay. `paymentId`: the payment that brought it, if one did. */
export type OpenCredit = { transferId: string; paymentId: string | null; openAmount: number }

/** Money of a credit that pays what is owed. Negative: it is taken back, and a charge reopens. */
export type Allocation = { transferId: string; kind: Owed['kind']; id: string; amount: number }

/** Matches credits, in the order given, to what is owed; answers what to write down, in order. */
export function match(credits: readonly OpenCredit[], owed: readonly Owed[]): Allocation[] {
  const open = owed
    .filter((item) => !item.inQuery && item.openAmount > 0)
    .map((item) => ({ ...item }))
    .sort(byAge)
  return credits.flatMap((credit) => matchOne(credit, open))
}

/** Matches one credit and lowers the open amounts of `open` by what it took. */
function matchOne(credit: OpenCredit, open: Owed[]): Allocation[] {
  const exact = open.find((item) => item.openAmount === credit.openAmount)
  return spend(credit, credit.openAmount, exact ? [exact] : open)
}

/**
 * The charges that a credit names, each up to the amount named, even in query. A charge that is not
 * among those owed, such as another account's, is passed over.
 */
export function matchNamed(
  credit: OpenCredit,
  named: readonly NamedAllocation[],
  owed: readonly Owed[]
): Allocation[] {
  const open = owed.map((item) => ({ ...item }))
  let left = credit.openAmount
  return named.flatMap(({ chargeId, amount }) => {
    const charge = open.filter(({ kind, id }) => kind === 'charge' && id === chargeId)
    const spent = spend(credit, Math.min(amount, left), charge)
    for (const one of spent) left -= one.amount
    return spent
  })
}

/** Spends up to `amount` of the credit on the items, in order, and lowers their open amounts. */
function spend({ transferId }: OpenCredit, amount: number, items: Owed[]): Allocation[] {
  const spent: Allocation[] = []
  let left = amount
  for (const item of items) {
    const part = Math.min(left, item.openAmount)
    if (part === 0) continue
    spent.push({ transferId, kind: item.kind, id: item.id, amount: part })
    item.openAmount -= part
    left -= part
  }
  return spent
}

function byAge(one: Owed, other: Owed): number {
  const earlier = dueOf(one) - dueOf(other)
  return earlier < 0 || (earlier === 0 && one.id < other.id) ? -1 : 1
}

const dueOf = ({ dueAt }: Owed) => dueAt?.getTime() ?? Number.MIN_SAFE_INTEGER

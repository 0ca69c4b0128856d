/**
 * Where money that is taken back comes from: first from the charges that the debit names, which
 * reopen. Then it is the money of the debit's own payment, as far as that is still there, and after
 * it any other of the account; of both first credit that has paid nothing, the newest first, and
 * then what has paid charges, last matched first, which reopens them. What is not found stays open:
 * it is owed. All amounts are minor units of the account's currency.
 */
import type { NamedAllocation } from './ledger.ts'
import type { Allocation, OpenCredit } from './matching.ts'

export type Debit = {
  transferId: string
  /** The payment whose money it takes back; null for an adjustment. */
  paymentId: string | null
  amount: number
  /** The charges that it reopens before any other, each by so much at most. */
  allocations: readonly NamedAllocation[]
}

/** Money of a credit that has paid a charge, and still does. */
export type Paid = {
  transferId: string
  paymentId: string | null
  chargeId: string
  amount: number
}

/** What still pays charges after `rows`, which are all, in the order in which they were written. */
export function standing(rows: readonly Paid[]): Paid[] {
  const paid: Paid[] = []
  for (const row of rows) recordPaid(paid, row)
  return paid
}

/**
 * Brings `paid` up to date with one more row. A negative one takes back what the same money paid of
 * the same charge, last matched first.
 */
export function recordPaid(paid: Paid[], row: Paid): void {
  if (row.amount > 0) {
    paid.push({ ...row })
    return
  }
  let left = -row.amount
  for (const one of paid.toReversed()) {
    if (one.transferId !== row.transferId || one.chargeId !== row.chargeId) continue
    const amount = Math.min(left, one.amount)
    one.amount -= amount
    left -= amount
  }
}

/** Where money may be taken from: of a charge that it has paid, or of none. */
type Source = Omit<Paid, 'chargeId'> & { chargeId: string | null }

/**
 * What to write down, in order, for a debit of an account with these open credits (oldest first)
 * and this standing in its charges (in the order in which it was matched).
 */
export function takeBack(
  debit: Debit,
  credits: readonly OpenCredit[],
  paid: readonly Paid[]
): Allocation[] {
  const unspent = credits.map(
    ({ openAmount, ...credit }): Source => ({ ...credit, chargeId: null, amount: openAmount })
  )
  const spent = paid.map((one): Source => ({ ...one }))
  const sources = ownFirst(debit, [...unspent.toReversed(), ...spent.toReversed()])
  const taken: Allocation[] = []
  let left = debit.amount
  for (const { chargeId, amount } of debit.allocations) {
    takeFrom(
      sources.filter((source) => source.chargeId === chargeId),
      amount
    )
  }
  takeFrom(sources, left)
  return taken

  function takeFrom(some: readonly Source[], most: number): void {
    let rest = Math.min(most, left)
    for (const source of some) {
      const amount = Math.min(rest, source.amount)
      if (amount === 0) continue
      source.amount -= amount
      rest -= amount
      left -= amount
      const { transferId, chargeId } = source
      if (chargeId !== null) {
        taken.push({ transferId, kind: 'charge', id: chargeId, amount: -amount })
      }
      taken.push({ transferId, kind: 'debit', id: debit.transferId, amount })
    }
  }
}

/** The same, with what the debit's own payment brought before all else. */
function ownFirst(debit: Debit, sources: readonly Source[]): Source[] {
  const isOwn = ({ paymentId }: Source) => paymentId !== null && paymentId === debit.paymentId
  return [...sources.filter(isOwn), ...sources.filter((one) => !isOwn(one))]
}

/** What changes the open items of an account, one after the other. */
import type { NamedAllocation } from './ledger.ts'
import { type Allocation, match, matchNamed, type OpenCredit, type Owed } from './matching.ts'
import { type Paid, recordPaid, standing, takeBack } from './taking-back.ts'

/** The items of one account. Which of them are needed: see the kinds of `Change`. */
export type Items = {
  /** What is open and not in query; and every charge that is named or in `paid`, open or not. */
  owed: readonly Owed[]
  /** Open credits, oldest first. */
  credits: readonly OpenCredit[]
  /**
   * What paid charges, as the rows were written, negative ones too; of the other money than a
   * debit's own, only the last rows that can be needed.
   */
  paid: readonly Paid[]
}

export type Change =
  /** A charge begins to wait for money: needs the open credits. */
  | { kind: 'charge'; id: string }
  /** Money comes: needs what is owed, since no credit waits beside what it could pay. */
  | ({ kind: 'credit' } & Movement)
  /** Money is taken: needs all. */
  | ({ kind: 'debit' } & Movement)

/** `amount` in minor units; `paymentId`: whose money it is. */
type Movement = {
  transferId: string
  paymentId: string | null
  amount: number
  allocations: readonly NamedAllocation[]
}

/** The items while the changes are gone through: copies of what was given. */
type State = { waiting: Owed[]; owed: Owed[]; credits: OpenCredit[]; paid: Paid[] }

/**
 * The allocations that the changes lead to, in order. After each change credit is matched to what
 * is owed, so that the two never stand side by side.
 */
export function allocate(items: Items, changes: readonly Change[]): Allocation[] {
  const begin = new Set(changes.flatMap((change) => (change.kind === 'charge' ? change.id : [])))
  const owed = items.owed.map((item) => ({ ...item }))
  const state: State = {
    waiting: owed.filter(({ id }) => begin.has(id)),
    owed: owed.filter(({ id }) => !begin.has(id)),
    credits: items.credits.map((credit) => ({ ...credit })),
    paid: standing(items.paid)
  }
  return changes.flatMap((change) => {
    const own = enter(state, change)
    record(state, own)
    const matched = match(state.credits, state.owed)
    record(state, matched)
    return [...own, ...matched]
  })
}

/** Adds the change's own item to the state; answers what it allocates itself. */
function enter(state: State, change: Change): Allocation[] {
  if (change.kind === 'charge') {
    state.owed.push(...state.waiting.filter(({ id }) => id === change.id))
    return []
  }
  const { transferId, paymentId, amount: openAmount, allocations } = change
  if (change.kind === 'credit') {
    const credit = { transferId, paymentId, openAmount }
    state.credits.push(credit)
    return matchNamed(credit, allocations, state.owed)
  }
  state.owed.push({ kind: 'debit', id: transferId, openAmount, dueAt: null, inQuery: false })
  return takeBack(change, state.credits, state.paid)
}

/** Credits whose money has all been spent are not known: what is taken from them ends elsewhere. */
function record(state: State, allocations: readonly Allocation[]): void {
  for (const { transferId, kind, id, amount } of allocations) {
    const credit = state.credits.find((one) => one.transferId === transferId)
    const item = state.owed.find((one) => one.kind === kind && one.id === id)
    if (credit) credit.openAmount -= amount
    if (item) item.openAmount -= amount
    if (kind === 'charge') {
      const paymentId = credit?.paymentId ?? null
      recordPaid(state.paid, { transferId, paymentId, chargeId: id, amount })
    }
  }
}

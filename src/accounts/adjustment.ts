/** credit: the customer owes less by it. debit: more. */
export type Direction = 'credit' | 'debit'

/** What the billing system settled elsewhere; `amount` in minor units of the account's currency. */
export type Adjustment = {
  id: string
  accountId: number
  direction: Direction
  amount: number
  reference: string
  reason: string
  chargeId: string | null
  createdAt: Date
}

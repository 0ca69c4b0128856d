/** What the billing system charged; amounts in minor units of the account's currency. */
export type Charge = {
  id: string
  accountId: number
  reference: string
  amount: number
  openAmount: number
  inQuery: boolean
  dueAt: Date
  createdAt: Date
}

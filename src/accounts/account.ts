export type Account = {
  id: number
  currency: string
  name: string | null
  status: 'open' | 'closed'
}

/** Minor units of the account's currency, each at least 0. */
export type Balance = { outstanding: number; overdue: number; inQuery: number; credit: number }

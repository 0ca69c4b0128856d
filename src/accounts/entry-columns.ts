import type { Columns } from '../http/columns.ts'

type EntryView = {
  id: string
  createdAt: string
  account: string
  amount: { currency: string; value: number }
  direction: string
  cause: { type: string; id: string }
  paymentId: string | null
}

/** An entry as a row: `amount` in minor units of `currency`. */
export const entryColumns: Columns<EntryView> = {
  id: ({ id }) => id,
  createdAt: ({ createdAt }) => createdAt,
  account: ({ account }) => account,
  direction: ({ direction }) => direction,
  currency: ({ amount }) => amount.currency,
  amount: ({ amount }) => amount.value,
  causeType: ({ cause }) => cause.type,
  causeId: ({ cause }) => cause.id,
  paymentId: ({ paymentId }) => paymentId
}

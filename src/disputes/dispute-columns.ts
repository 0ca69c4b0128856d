import type { Columns } from '../http/columns.ts'
import type { toListedView } from './dispute.ts'

/** A dispute as a row: amounts in minor units of `currency`. */
export const disputeColumns: Columns<ReturnType<typeof toListedView>> = {
  id: ({ id }) => id,
  createdAt: ({ createdAt }) => createdAt,
  updatedAt: ({ updatedAt }) => updatedAt,
  closedAt: ({ closedAt }) => closedAt,
  paymentId: ({ paymentId }) => paymentId,
  accountId: ({ accountId }) => accountId,
  status: ({ status }) => status,
  stage: ({ stage }) => stage,
  defendBy: ({ defendBy }) => defendBy,
  currency: ({ amount }) => amount.currency,
  amount: ({ amount }) => amount.value,
  amountChargedBack: ({ amountChargedBack }) => amountChargedBack,
  reasonCode: ({ reasonCode }) => reasonCode,
  reason: ({ reason }) => reason,
  providerReference: ({ provider }) => provider.reference
}

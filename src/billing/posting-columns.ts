import type { Columns } from '../http/columns.ts'
import type { toPostingView } from './posting.ts'

/** A posting as a row: `amount` in minor units of `currency`. */
export const postingColumns: Columns<ReturnType<typeof toPostingView>> = {
  id: ({ id }) => id,
  occurredAt: ({ occurredAt }) => occurredAt,
  accountId: ({ accountId }) => accountId,
  kind: ({ kind }) => kind,
  direction: ({ direction }) => direction,
  currency: ({ amount }) => amount.currency,
  amount: ({ amount }) => amount.value,
  paymentId: ({ paymentId }) => paymentId,
  causeType: ({ cause }) => cause.type,
  causeId: ({ cause }) => cause.id,
  transactionReference: ({ transactionReference }) => transactionReference,
  paymentReference: ({ paymentReference }) => paymentReference,
  externalReference: ({ externalReference }) => externalReference,
  cardReference: ({ cardReference }) => cardReference,
  channel: ({ channel }) => channel,
  status: ({ status }) => status,
  acknowledgedAt: ({ acknowledgedAt }) => acknowledgedAt,
  reason: ({ reason }) => reason,
  billingFileId: ({ billingFileId }) => billingFileId
}

import type { Columns } from '../http/columns.ts'
import type { toDiscrepancyView } from './discrepancy.ts'

/** A discrepancy as a row; `details` is JSON. */
export const discrepancyColumns: Columns<ReturnType<typeof toDiscrepancyView>> = {
  id: ({ id }) => id,
  createdAt: ({ createdAt }) => createdAt,
  kind: ({ kind }) => kind,
  status: ({ status }) => status,
  ageSeconds: ({ ageSeconds }) => ageSeconds,
  paymentId: ({ paymentId }) => paymentId,
  accountId: ({ accountId }) => accountId,
  ours: ({ ours }) => ours,
  theirs: ({ theirs }) => theirs,
  resolution: ({ resolution }) => resolution?.resolution,
  resolvedAt: ({ resolution }) => resolution?.at,
  reason: ({ resolution }) => resolution?.reason,
  operatorId: ({ resolution }) => resolution?.operator?.id,
  details: ({ details }) => JSON.stringify(details)
}

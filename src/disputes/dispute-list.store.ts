/** Disputes as the API shows them; no aggregate is locked. */
import { type SqlBool, sql } from 'kysely'
import { type Db, plannedEachTime } from '../database/database.ts'
import { type DisputeRow, disputeColumnText, toDispute } from '../lifecycle/dispute.store.ts'
import type { Dispute, DisputeStatus } from '../lifecycle/model.ts'

/** A dispute, whose it is. */
export type ListedDispute = Dispute & { paymentId: string; accountId: number }

/** A place in the order of deadlines. */
export type DeadlinePosition = { defendBy: Date; id: string }

export type DisputeFilter = {
  /** Only of payments of that client. */
  clientId: string | null
  paymentId?: string | undefined
  status?: DisputeStatus | undefined
  accountId?: number | undefined
}

/** Named with its table: a payment has columns of the same names. */
const columns = sql.raw(
  disputeColumnText
    .split(', ')
    .map((column) => `dispute.${column}`)
    .join(', ')
)

/** Newest first. */
export async function listDisputes(
  db: Db,
  filter: DisputeFilter,
  before: string | null,
  limit: number
): Promise<ListedDispute[]> {
  const isBefore = before === null ? sql`true` : sql`dispute.id < ${before}`
  return await list(db, filter, isBefore, sql`dispute.id desc`, limit)
}

/** Those that can be defended until a time before `defendBefore`, soonest first. */
export async function listByDeadline(
  db: Db,
  filter: DisputeFilter,
  defendBefore: Date,
  after: DeadlinePosition | null,
  limit: number
): Promise<ListedDispute[]> {
  const isAfter =
    after === null ? sql`true` : sql`(defend_by, dispute.id) > (${after.defendBy}, ${after.id})`
  const isIn = sql`defend_by < ${defendBefore} and ${isAfter}`
  return await list(db, filter, isIn, sql`defend_by, dispute.id`, limit)
}

/** Read in the order of an index; those of a payment or an account by its payments. */
async function list(
  db: Db,
  { clientId, paymentId, status, accountId }: DisputeFilter,
  isIn: ReturnType<typeof sql>,
  order: ReturnType<typeof sql>,
  limit: number
): Promise<ListedDispute[]> {
  const conditions = [
    sql<SqlBool>`${isIn}`,
    ...(clientId === null ? [] : [sql<SqlBool>`payment.client_id = ${clientId}`]),
    ...(paymentId === undefined ? [] : [sql<SqlBool>`payment_id = ${paymentId}`]),
    ...(accountId === undefined ? [] : [sql<SqlBool>`payment.account_id = ${accountId}`]),
    ...(status === undefined ? [] : [sql<SqlBool>`dispute.status = ${sql.lit(status)}`])
  ]
  const { rows } = await sql<DisputeRow & { accountId: number }>`${plannedEachTime}
    select ${columns}, payment.account_id as "accountId"
    from dispute join payment on payment.id = payment_id
    where ${sql.join(conditions, sql` and `)} order by ${order} limit ${limit}`.execute(db)
  return rows.map(({ accountId: account, ...row }) => {
    return { ...toDispute(row), paymentId: row.paymentId, accountId: account }
  })
}

/** Refunds by the filters that TMF676 has, newest first, each with the payment that it is of. */
import { type SqlBool, sql } from 'kysely'
import { type Db, plannedEachTime } from '../database/database.ts'
import { smallestIdAt } from '../id.ts'
import type { Operation } from '../lifecycle/model.ts'
import { type OperationRow, operationColumns, toOperation } from '../lifecycle/operation.store.ts'
import { findPayments, idClockSkewMs } from '../payments/payment.store.ts'
import type { Payment } from '../payments/payment.ts'
import type { Filter } from '../tmf/tmf-query.ts'
import {
  byId,
  type Condition,
  isAccount,
  isAnyOf,
  isRange,
  periodOf,
  splitFilters,
  type ToCondition
} from './tmf-conditions.store.ts'

export type FoundRefund = { operation: Operation; payment: Payment; updatedAt: Date }

/** When it is asked for, the transaction has begun a moment before. */
const statusDate = sql`greatest(updated_at, created_at)`

const table: Readonly<Record<string, ToCondition>> = {
  ...byId,
  correlatorId: (values) => sql<SqlBool>`id = any(array(select resource_id from tmf_post
    where correlator_id = any(${values}::text[]) and kind = 'refund'))`,
  'payment.id': (values) => isAnyOf(sql`payment_id`, values),
  'account.id': (values) => sql<SqlBool>`payment_id = any(array(
    select payment.id from payment where ${isAccount(values)}
      and (amount_refunded > 0 or exists (select from operation o where o.payment_id = payment.id
        and o.kind = 'refund'))))`
}

/** The refunds that pass the filters that an index has, and the filters that are left. */
export function toRefundSearch(filters: readonly Filter[]): { found: Condition; left: Filter[] } {
  const { conditions, left } = splitFilters(filters, table)
  const { from, to } = periodOf(left, 'refundDate')
  const idAt = (time: Date, laterMs: number) =>
    smallestIdAt('ref', new Date(time.getTime() + laterMs))
  // Refunds alone have such ids, so that the primary key has them side by side.
  const found = sql<SqlBool>`${sql.join(
    [
      sql`kind = 'refund' and id >= ${idAt(from ?? new Date(0), from ? -idClockSkewMs : 0)}`,
      sql`id < ${to ? idAt(to, idClockSkewMs) : 'reg'}`,
      from ? sql`created_at >= ${from}` : sql`true`,
      to ? sql`created_at < ${to}` : sql`true`,
      ...conditions
    ],
    sql` and `
  )}`
  const isServed = (filter: Filter) => filter.attribute === 'refundDate' && isRange(filter)
  return { found, left: left.filter((filter) => !isServed(filter)) }
}

/** Newest first. */
export async function listRefunds(
  db: Db,
  found: Condition,
  { offset, limit }: { offset: number; limit: number }
): Promise<FoundRefund[]> {
  return await readRefunds(
    db,
    sql`array(select id from operation where ${found} order by id desc
      offset ${offset} limit ${limit})`
  )
}

/** How many there are, no further than `most`. */
export async function countRefunds(db: Db, found: Condition, most: number): Promise<number> {
  const { rows } = await sql<{ count: number }>`${plannedEachTime}
    select count(*) from (
      select from operation where ${found} order by id desc limit ${most}) as found`.execute(db)
  return rows[0]?.count ?? 0
}

/** `clientId`: only where the payment is that client's. */
export async function findTmfRefund(
  db: Db,
  id: string,
  clientId: string | null
): Promise<FoundRefund | undefined> {
  const [found] = await readRefunds(db, sql`array[${id}]`)
  return found && (clientId === null || found.payment.clientId === clientId) ? found : undefined
}

async function readRefunds(db: Db, ids: ReturnType<typeof sql>): Promise<FoundRefund[]> {
  const { rows } = await sql<OperationRow & { updatedAt: Date }>`${plannedEachTime}
    select ${operationColumns}, ${statusDate} as "updatedAt" from operation
    where id = any(${ids}) and kind = 'refund' order by id desc`.execute(db)
  const payments = await findPayments(db, [...new Set(rows.map(({ paymentId }) => paymentId))])
  const byId = new Map(payments.map((payment) => [payment.id, payment]))
  return rows.map(({ updatedAt, ...row }) => ({
    operation: toOperation(row),
    payment: byId.get(row.paymentId) as Payment,
    updatedAt
  }))
}

import { sql } from 'kysely'
import type { Db } from '../database/database.ts'
import type { EventType } from '../payments/event.ts'
import { findPayments } from '../payments/payment.store.ts'
import type { Payment } from '../payments/payment.ts'

/** An event with what is needed to show it. */
export type FeedEvent = {
  position: number
  type: EventType
  eventId: string | null
  accountId: number | null
  sequence: number | null
  createdAt: Date
  data: Record<string, unknown>
  /** The payment as it was then; null for its first event, and for events of no payment. */
  then: unknown
  payment: Payment | null
}

type FeedRow = Omit<FeedEvent, 'payment'> & { paymentId: string | null }

const selectFeed = sql`
  select f.position, f.type, f.event_id as "eventId", f.account_id as "accountId", f.sequence,
    f.payment_id as "paymentId", coalesce(e.created_at, o.created_at) as "createdAt",
    coalesce(e.data, o.data) as data, e.payment as then
  from event_feed f
  left join payment_event e on e.payment_id = f.payment_id and e.sequence = f.sequence
  left join other_event o on o.id = f.event_id`

/** Oldest first, after the position; `clientId`: only what that client may see. */
export async function listFeed(
  db: Db,
  filter: { clientId: string | null; after: number; limit: number }
): Promise<FeedEvent[]> {
  const { clientId, after, limit } = filter
  const { rows } = await sql<FeedRow>`
    ${selectFeed}
    where f.position > ${after} and (${clientId}::text is null or f.client_id = ${clientId})
    order by f.position limit ${limit}`.execute(db)
  return await withPayments(db, rows)
}

/** Events by their positions, in any order. */
export async function findFeedEvents(db: Db, positions: readonly number[]): Promise<FeedEvent[]> {
  const { rows } = await sql<FeedRow>`
    ${selectFeed}
    where f.position = any(${positions})`.execute(db)
  return await withPayments(db, rows)
}

async function withPayments(db: Db, rows: readonly FeedRow[]): Promise<FeedEvent[]> {
  const ids = [...new Set(rows.flatMap(({ paymentId }) => paymentId ?? []))]
  const found = ids.length === 0 ? [] : await findPayments(db, ids)
  const payments = new Map(found.map((payment) => [payment.id, payment]))
  return rows.map(({ paymentId, ...row }) => ({
    ...row,
    payment: paymentId === null ? null : (payments.get(paymentId) ?? null)
  }))
}

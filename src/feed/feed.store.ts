import { sql } from 'kysely'
import type { Db, Tx } from '../database/database.ts'
import type { EventType } from '../payments/event.ts'
import { findPayments } from '../payments/payment.store.ts'
import type { Payment } from '../payments/payment.ts'

/** An event that has just been given its place. */
export type Announced = {
  position: number
  type: string
  paymentId: string | null
  accountId: number | null
  /** Whose event it is; null for everybody's. */
  clientId: string | null
}

/** Any number: one announcer at a time, over all instances. */
const announcerLock = 7_240_001

/**
 * Gives up to `limit` committed events their places in the feed, in the order in which they
 * happened, and answers them. Another announcer waits for the end of `tx`: what it then finds comes
 * after.
 */
export async function announceEvents(tx: Tx, limit: number): Promise<Announced[]> {
  await sql`select pg_advisory_xact_lock(${announcerLock})`.execute(tx)
  const { rows } = await sql<Announced>`
    with taken as (
      delete from event_outbox where ctid = any(array(
        select ctid from event_outbox order by created_at, payment_id, sequence limit ${limit}
      )) returning payment_id, sequence, event_id, created_at
    )
    insert into event_feed (payment_id, sequence, event_id, type, account_id, client_id)
    select taken.payment_id, taken.sequence, taken.event_id, coalesce(e.type, o.type),
      coalesce(p.account_id, o.account_id), coalesce(p.client_id, o.client_id)
    from taken
    left join payment_event e on e.payment_id = taken.payment_id and e.sequence = taken.sequence
    left join payment p on p.id = taken.payment_id
    left join other_event o on o.id = taken.event_id
    order by taken.created_at, taken.payment_id, taken.sequence
    returning position, type, payment_id as "paymentId", account_id as "accountId",
      client_id as "clientId"`.execute(tx)
  return rows
}

/** The channel that tells which payments changed: their ids, with commas between them. */
export const changedChannel = 'payments_changed'
/** A notice holds at most 8000 bytes. */
const idsInNotice = 300

/** Tells every instance, when `tx` is committed, which payments changed. */
export async function tellChanged(tx: Tx, paymentIds: readonly string[]): Promise<void> {
  const notices: string[] = []
  for (let start = 0; start < Math.max(paymentIds.length, 1); start += idsInNotice) {
    notices.push(paymentIds.slice(start, start + idsInNotice).join(','))
  }
  await sql`
    select pg_notify(${changedChannel}, ids) from unnest(${notices}::text[]) as ids`.execute(tx)
}

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
  db: Db | Tx,
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
export async function findFeedEvents(
  db: Db | Tx,
  positions: readonly number[]
): Promise<FeedEvent[]> {
  const { rows } = await sql<FeedRow>`
    ${selectFeed}
    where f.position = any(${positions})`.execute(db)
  return await withPayments(db, rows)
}

async function withPayments(db: Db | Tx, rows: readonly FeedRow[]): Promise<FeedEvent[]> {
  const ids = [...new Set(rows.flatMap(({ paymentId }) => paymentId ?? []))]
  const found = ids.length === 0 ? [] : await findPayments(db, ids)
  const payments = new Map(found.map((payment) => [payment.id, payment]))
  return rows.map(({ paymentId, ...row }) => ({
    ...row,
    payment: paymentId === null ? null : (payments.get(paymentId) ?? null)
  }))
}

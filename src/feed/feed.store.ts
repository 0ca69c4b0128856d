import { sql } from 'kysely'
import type { Db, Tx } from '../database/database.ts'
import { attemptsMax } from '../due/due.store.ts'
import type { EventType } from '../payments/event.ts'
import { findPayments } from '../payments/payment.store.ts'
import type { Payment } from '../payments/payment.ts'

/** An event that is committed and has no place in the feed yet. */
export type UnplacedEvent = {
  paymentId: string | null
  sequence: number | null
  eventId: string | null
  attempts: number
}

/** An event that has just been given its place. */
type Announced = {
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
 * Takes up to `limit` committed events, in the order in which they happened. Another announcer
 * waits for the end of `tx`: what it then finds comes after. Those of a payment wait for an earlier
 * one that was set aside. `only`: this one, where it has no place still.
 */
export async function takeUnplaced(
  tx: Tx,
  limit: number,
  only?: UnplacedEvent
): Promise<UnplacedEvent[]> {
  await sql`select pg_advisory_xact_lock(${announcerLock})`.execute(tx)
  // By the time of this moment: an event may have been written after `tx` began.
  const { rows } = await sql<UnplacedEvent>`
    with taken as (
      delete from event_outbox where ctid = any(array(
        select o.ctid from event_outbox o
        where o.next_attempt_at <= clock_timestamp() and not exists (
          select from event_outbox earlier
          where earlier.payment_id = o.payment_id and earlier.sequence < o.sequence
            and earlier.attempts > 0 and earlier.next_attempt_at > clock_timestamp())
          ${only === undefined ? sql`` : sql`and ${isEvent(only)}`}
        order by o.created_at, o.payment_id, o.sequence limit ${limit}
      )) returning payment_id, sequence, event_id, attempts, created_at
    )
    select payment_id as "paymentId", sequence, event_id as "eventId", attempts from taken
    order by created_at, payment_id, sequence`.execute(tx)
  return rows
}

/** Gives events that were taken their places in the feed, in their order. */
export async function placeEvents(tx: Tx, events: readonly UnplacedEvent[]): Promise<Announced[]> {
  const { rows } = await sql<Announced>`
    insert into event_feed (payment_id, sequence, event_id, type, account_id, client_id)
    select taken."paymentId", taken.sequence, taken."eventId", coalesce(e.type, o.type),
      coalesce(p.account_id, o.account_id), coalesce(p.client_id, o.client_id)
    from rows from (jsonb_to_recordset(${JSON.stringify(events)}::jsonb)
      as ("paymentId" text, sequence integer, "eventId" text)) with ordinality
      as taken ("paymentId", sequence, "eventId", number)
    left join payment_event e on e.payment_id = taken."paymentId" and e.sequence = taken.sequence
    left join payment p on p.id = taken."paymentId"
    left join other_event o on o.id = taken."eventId"
    order by taken.number
    returning position, type, payment_id as "paymentId", account_id as "accountId",
      client_id as "clientId"`.execute(tx)
  return rows
}

const isEvent = ({ paymentId, sequence, eventId }: UnplacedEvent) =>
  eventId === null
    ? sql`payment_id = ${paymentId} and sequence = ${sequence}`
    : sql`event_id = ${eventId}`

/** Leaves an event that could not be announced for `delayS` seconds. */
export async function setEventAside(tx: Tx, event: UnplacedEvent, delayS: number): Promise<void> {
  await sql`
    update event_outbox set attempts = least(attempts + 1, ${attemptsMax}::integer),
      next_attempt_at = now() + make_interval(secs => ${delayS})
    where ${isEvent(event)}`.execute(tx)
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

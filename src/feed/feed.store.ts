import { sql } from 'kysely'
import { batched } from '../database/batch.ts'
import { type Db, statement, type Tx } from '../database/database.ts'
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

/** What is shown of places `f`. */
const feedColumns = `f.position, f.type, f.event_id as "eventId", f.account_id as "accountId",
    f.sequence, f.payment_id as "paymentId", coalesce(e.created_at, o.created_at) as "createdAt",
    coalesce(e.data, o.data) as data, e.payment as then`

/** What stands there, each by its key: how many there are is not known when it is planned. */
const feedJoins = `left join lateral (select created_at, data, payment from payment_event
      where payment_id = f.payment_id and sequence = f.sequence offset 0) e on true
    left join lateral (select created_at, data from other_event
      where id = f.event_id offset 0) o on true`

export type FeedFilter = {
  /** Only what that client may see; null for everything. */
  clientId: string | null
  after: number
  limit: number
}

/**
 * A client's places are asked for by the two ends of what it may see, so that only the index that
 * has them in their order will do: of a client with few events the other one reads everybody's.
 */
const listFeedsStatement = statement<FeedRow & { n: number }>(`
  select n, ${feedColumns}
  from json_to_recordset($1) as x(n integer, client text, after bigint, most bigint)
  cross join lateral (
    (select * from event_feed where client is null and position > after
      order by position limit most)
    union all
    (select * from event_feed
      where (client_id, position) > (client, after) and client_id <= client
      order by client_id, position limit most)
  ) f
  ${feedJoins}
  order by n, f.position`)

const readFeed = batched<FeedFilter, FeedEvent[]>({
  // A page is up to a hundred events.
  max: 20,
  run: async (db, filters) => {
    const asked = filters.map(({ clientId: client, after, limit: most }, n) => {
      return { n, client, after, most }
    })
    const { rows } = await db.executeQuery(listFeedsStatement(JSON.stringify(asked)))
    const found: FeedEvent[][] = filters.map(() => [])
    const events = await withPayments(db, rows)
    for (const [place, { n }] of rows.entries()) found[n]?.push(events[place] as FeedEvent)
    return found
  }
})

/** Oldest first, after the position. */
export async function listFeed(db: Db, filter: FeedFilter): Promise<FeedEvent[]> {
  return await readFeed(db, filter)
}

/** Events by their positions, in any order. */
export async function findFeedEvents(db: Db, positions: readonly number[]): Promise<FeedEvent[]> {
  const { rows } = await sql<FeedRow>`
    select ${sql.raw(feedColumns)} from event_feed f ${sql.raw(feedJoins)}
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

/** How committed events get their places in the feed, and become due at webhook endpoints. */
import { type RawBuilder, sql } from 'kysely'
import { lockUntilEnd } from '../database/brand.ts'
import type { Db, Tx } from '../database/database.ts'
import { attemptsMax } from '../due/due.store.ts'
import { eventId, wants } from './delivery.store.ts'

/** An event that is committed and has no place in the feed yet. */
export type UnplacedEvent = {
  paymentId: string | null
  sequence: number | null
  eventId: string | null
  attempts: number
}

/** What of an event is counted; of one of no payment the most is null. */
export type CountedEvent = {
  type: string
  channel: string | null
  method: string | null
  capture: string | null
  /** That of the refused attempt, else of the payment as it is now. */
  failureCode: string | null
  /** From the creation of the payment to the event, s. */
  ageS: number | null
}

/**
 * An event that has just been given its place. `due`: deliveries that all of its statement made;
 * `endpoints`: those that are enabled.
 */
export type Announced = UnplacedEvent & CountedEvent & { due: number; endpoints: number }

/** Any number: one announcer at a time, over all instances. */
const announcerLock = 7_240_001

const columns = sql`payment_id as "paymentId", sequence, event_id as "eventId", attempts`
const endpoints = sql`(select count(*) from webhook_endpoint where status = 'enabled')`
const inOrder = sql`created_at, payment_id, sequence`

/**
 * The committed events that are due, in the order in which they happened, by the time of this
 * moment: one may have been written after the transaction began. Those of a payment wait for an
 * earlier one that was set aside.
 */
const dueEvents = (
  of: RawBuilder<unknown>,
  limit: RawBuilder<unknown>,
  only?: UnplacedEvent
) => sql`
  select ${of} from event_outbox o
  left join (
    select payment_id, min(sequence) as first from event_outbox
    where attempts > 0 and next_attempt_at > statement_timestamp() group by payment_id
  ) aside using (payment_id)
  where next_attempt_at <= statement_timestamp() and (first is null or first > sequence)
    ${only === undefined ? sql`` : sql`and ${isEvent(only)}`}
  order by ${inOrder} limit ${limit}`

/** Has another announcer wait for the end of `tx`: what it then finds comes after. */
export async function lockAnnouncer(tx: Tx): Promise<void> {
  await lockUntilEnd(tx, announcerLock)
}

/**
 * Gives committed events their places in the feed, in their order, and makes a delivery of each for
 * every endpoint that wants it: up to `limit` events, and fewer where that is more than so many
 * `deliveries`; but one at least. It waits for no endpoint: what it makes for one that is being
 * disabled has its old term, and so is never sent. The caller has the lock. `only`: this event,
 * where it has no place still.
 */
export async function placeEvents(
  tx: Tx,
  limit: number,
  deliveries: number,
  only?: UnplacedEvent
): Promise<Announced[]> {
  const most = sql`least(${limit}::bigint,
    greatest(1, ${deliveries}::bigint / greatest(1, ${endpoints})))`
  const { rows } = await sql<Announced>`
    with taken as (
      delete from event_outbox
      where ctid = any(array(${dueEvents(sql`o.ctid`, most, only)}))
      returning *
    ), known as (
      select taken.payment_id, taken.sequence, taken.event_id, taken.attempts, taken.created_at,
        coalesce(e.type, o.type) as type, coalesce(p.account_id, o.account_id) as account_id,
        coalesce(p.client_id, o.client_id) as client_id, p.channel, p.method, p.capture,
        coalesce(e.failure_code, p.failure->>'code') as failure_code,
        extract(epoch from taken.created_at - p.created_at)::float as age_s
      from taken
      left join lateral (
        select type, case when type = 'payment.attemptRefused'
          then data#>>'{attempt,failure,code}' end as failure_code
        from payment_event
        where payment_id = taken.payment_id and sequence = taken.sequence limit 1
      ) e on true
      left join lateral (
        select account_id, client_id, channel, method, capture, failure, created_at
        from payment where id = taken.payment_id limit 1
      ) p on true
      left join lateral (
        select type, account_id, client_id from other_event where id = taken.event_id limit 1
      ) o on true
    ), placed as (
      insert into event_feed (payment_id, sequence, event_id, type, account_id, client_id)
      select payment_id, sequence, event_id, type, account_id, client_id from known
      order by created_at, payment_id, sequence
      returning *
    ), due as (
      insert into webhook_delivery
        (endpoint_id, term, position, event_id, type, payment_id, sequence)
      select e.id, e.term, f.position, ${eventId}, f.type, f.payment_id, f.sequence
      from placed f cross join webhook_endpoint e
      join client c on c.id = e.client_id and c.revoked_at is null
      where e.status = 'enabled' and ${wants}
      order by f.position
      returning 1
    )
    select ${columns}, type, channel, method, capture, failure_code as "failureCode",
      age_s as "ageS", (select count(*) from due) as due, ${endpoints} as endpoints
    from known`.execute(tx)
  return rows
}

/** Those that `placeEvents` would take, and have not been taken: where it fails. */
export async function findUnplaced(db: Db, limit: number): Promise<UnplacedEvent[]> {
  const { rows } = await dueEvents(columns, sql`${limit}`).execute(db)
  return rows as UnplacedEvent[]
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

import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { Db, Tx } from '../database/database.ts'
import { webhookAtOnce, webhookInOrderForS, webhookLeaseS } from '../jobs.ts'
import type { Attempt, Delivery, DeliveryStatus } from './webhook.ts'

/** The id that an event of the feed `f` has in public, as `toFeedView` shows it. */
const eventId = sql.raw("coalesce(f.event_id, f.payment_id || '.' || f.sequence)")

/**
 * What an endpoint `e` of a client `c` is told of: what it asked for, of what the client sees, as
 * GET /v1/events has it.
 */
const wants = sql.raw(
  "'payments:read' = any(c.scopes) and ('*' = any(e.events) or f.type = any(e.events)) " +
    'and (not c.third_party or f.client_id = c.id)'
)

/** Of a delivery `d` and its endpoint `e`: pending when the endpoint was disabled, so it failed. */
const isStopped = sql.raw("(d.status = 'pending' and d.term <> e.term)")

/** Those that events are made due at. */
export async function countEnabled(tx: Tx): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*) from webhook_endpoint where status = 'enabled'`.execute(tx)
  return rows[0]?.count ?? 0
}

/**
 * Makes a delivery for each of these events of the feed and every endpoint that wants it; answers
 * how many. It waits for no endpoint: what it makes for one that is being disabled has its old
 * term, and so is never sent.
 */
export async function fanOut(tx: Tx, positions: readonly number[]): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    insert into webhook_delivery
      (endpoint_id, term, position, event_id, type, payment_id, sequence)
    select e.id, e.term, f.position, ${eventId}, f.type, f.payment_id, f.sequence
    from event_feed f cross join webhook_endpoint e
    join client c on c.id = e.client_id and c.revoked_at is null
    where f.position = any(${positions}) and e.status = 'enabled' and ${wants}
    order by f.position`.execute(tx)
  return Number(numAffectedRows)
}

/** A delivery of an event that is in no feed. */
export async function insertTest(
  tx: Tx,
  endpointId: string,
  event: { id: string; type: string }
): Promise<Delivery> {
  const { rows } = await sql<Delivery>`
    with d as (
      insert into webhook_delivery (endpoint_id, term, event_id, type)
      select id, term, ${event.id}, ${event.type} from webhook_endpoint where id = ${endpointId}
      returning *
    )
    select ${shown} from d join webhook_endpoint e on e.id = d.endpoint_id`.execute(tx)
  return rows[0] as Delivery
}

/** A delivery `d` of an endpoint `e`: what was pending when that was disabled has failed. */
const shown = sql`
  d.id, d.endpoint_id as "endpointId", d.event_id as "eventId", d.type,
  d.payment_id as "paymentId", case when ${isStopped} then 'failed' else d.status end as status,
  case when not ${isStopped} then d.next_attempt_at end as "dueAt", d.delivered_at as "deliveredAt",
  d.attempts_made as attempts, d.created_at as "createdAt"`

export type DueDelivery = {
  id: string
  endpointId: string
  position: number | null
  eventId: string
  createdAt: Date
  /** Of the schedule, this one included; and of all that were ever made, the number of this one. */
  tries: number
  attempt: number
  /** Since its first try was due, s by the database's clock. */
  ageS: number
  url: string
  /** Each of them signs, the newest first. */
  secrets: string[]
}

/**
 * Takes deliveries that are due, as many of each endpoint as may be under way at once and `limit`
 * in all: first those of endpoints that have the fewest under way, and of the last places only the
 * first of each. One waits for the earlier ones of its payment: for those that are under way or
 * were never tried, and for those that failed during their first minutes. Endpoints that another
 * instance is claiming for are left to it, so that the bounds hold for all instances together.
 *
 * Whatever the backlog, the table is read by its indexes: a probe in the order of one, and a
 * subquery that is a value, are not turned into a join that reads all.
 */
export async function claimDeliveries(db: Db, limit: number): Promise<DueDelivery[]> {
  const { endpoint, failingEndpoint, reserved } = webhookAtOnce
  const { rows } = await sql<DueDelivery>`
    with open as (
      select e.id, e.term, e.url, e.failing_since is not null as failing,
        array_remove(array[e.secret, case when e.old_secret_until > now() then e.old_secret end],
          null) as secrets,
        (select count(*) from webhook_delivery h
          where h.endpoint_id = e.id and h.lease is not null
            and h.next_attempt_at > now()) as under_way
      from webhook_endpoint e join client c on c.id = e.client_id and c.revoked_at is null
      cross join lateral (
        select from webhook_delivery d
        where d.endpoint_id = e.id and d.term = e.term and d.next_attempt_at <= now()
        order by d.next_attempt_at, d.position limit 1
      ) has_due
      where e.status = 'enabled'
      for no key update of e skip locked
    ), due as (
      select open.*, own.delivery_id, own.next_attempt_at,
        open.under_way + row_number() over (
          partition by open.id order by own.next_attempt_at, own.position) as place
      from open cross join lateral (
        select d.id as delivery_id, d.next_attempt_at, d.position from webhook_delivery d
        where d.endpoint_id = open.id and d.term = open.term and d.next_attempt_at <= now() and (
          select earlier.id from webhook_delivery earlier
          where earlier.endpoint_id = d.endpoint_id and earlier.payment_id = d.payment_id
            and earlier.sequence < d.sequence and earlier.next_attempt_at is not null
            and earlier.term = d.term
            and (earlier.attempts = 0
              or (earlier.lease is not null and earlier.next_attempt_at > now())
              or earlier.started_at > now() - make_interval(secs => ${webhookInOrderForS}))
          limit 1
        ) is null
        order by d.next_attempt_at, d.position
        limit greatest(0, case when open.failing then ${failingEndpoint}::int
          else ${endpoint}::int end - open.under_way)
        for update of d skip locked
      ) own
    ), chosen as (
      select * from (
        select due.*, row_number() over (order by place, next_attempt_at) as turn from due
      ) as due
      where turn <= ${limit}::int and (place = 1 or turn <= ${limit - reserved}::int)
    )
    update webhook_delivery d set lease = ${randomUUID()},
      leased_until = now() + make_interval(secs => ${webhookLeaseS}), attempts = attempts + 1,
      attempts_made = attempts_made + 1,
      next_attempt_at = now() + make_interval(secs => ${webhookLeaseS})
    from chosen where d.id = chosen.delivery_id
    returning d.id, d.endpoint_id as "endpointId", d.position, d.event_id as "eventId",
      d.created_at as "createdAt", d.attempts as tries, d.attempts_made as attempt,
      extract(epoch from now() - d.started_at)::double precision as "ageS",
      chosen.url, chosen.secrets`.execute(db)
  return rows
}

/** Gives back what was not tried, because the service stops: it is due at once. */
export async function releaseDelivery(db: Db, id: string, attempt: number): Promise<void> {
  await sql`
    update webhook_delivery set lease = null, leased_until = null, next_attempt_at = now()
    where id = ${id} and attempts_made = ${attempt} and lease is not null`.execute(db)
}

const attemptTable = sql.raw(
  'webhook_attempt (delivery_id, number, started_at, duration_ms, http_status, error, response)'
)
const attemptRow = ({ id, attempt }: Tried) => sql`
  insert into ${attemptTable}
  values (${id}, ${attempt.number}, ${attempt.startedAt}, ${attempt.durationMs},
    ${attempt.httpStatus}, ${attempt.error}, ${attempt.response})
  on conflict do nothing`

export type Tried = { id: string; attempt: Attempt }

/** The later events of the payment of `settled` that wait for it: they were never tried. */
const waitsForIt = sql.raw(
  'later.endpoint_id = settled.endpoint_id and later.payment_id = settled.payment_id ' +
    'and later.sequence > settled.sequence and later.attempts = 0'
)

/**
 * It was taken, whatever else became of the delivery in the meantime: the next one is due. Answers
 * whether its endpoint was failing.
 */
export async function recordDelivered(db: Db, tried: Tried): Promise<{ wasFailing: boolean }> {
  const { rows } = await sql<{ wasFailing: boolean }>`
    with attempt as (${attemptRow(tried)}), settled as (
      update webhook_delivery set status = 'delivered', delivered_at = now(),
        next_attempt_at = null,
        lease = null, leased_until = null
      where id = ${tried.id} returning endpoint_id, payment_id, sequence
    ), freed as (
      update webhook_delivery later set next_attempt_at = now() from settled
      where ${waitsForIt} and later.next_attempt_at > now()
    )
    select e.failing_since is not null as "wasFailing"
    from settled join webhook_endpoint e on e.id = settled.endpoint_id`.execute(db)
  return { wasFailing: rows[0]?.wasFailing ?? false }
}

/**
 * It was not taken: it is due again in `nextInS` seconds, or given up where that is null. Nothing
 * changes where the delivery was settled in the meantime, or is in other hands. What waits for it
 * need not be looked at before.
 */
export async function recordFailed(db: Db, tried: Tried, nextInS: number | null): Promise<void> {
  await sql`
    with attempt as (${attemptRow(tried)}), settled as (
      update webhook_delivery set lease = null, leased_until = null,
        status = case when ${nextInS}::double precision is null then 'failed' else 'pending' end,
        next_attempt_at = now() + make_interval(secs => ${nextInS}::double precision)
      where id = ${tried.id} and attempts_made = ${tried.attempt.number} and status = 'pending'
      returning endpoint_id, payment_id, sequence,
        least(next_attempt_at, started_at + make_interval(secs => ${webhookInOrderForS})) as free_at
    )
    update webhook_delivery later set next_attempt_at = settled.free_at from settled
    where ${waitsForIt} and later.next_attempt_at < settled.free_at`.execute(db)
}

/**
 * Settles what was pending at endpoints when they were disabled, up to `limit` at a time, and waits
 * for none that somebody else is at; answers how many.
 */
export async function settleStopped(db: Db, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    update webhook_delivery set status = 'failed', next_attempt_at = null, lease = null,
      leased_until = null
    where id = any(array(
      select own.id from webhook_endpoint e cross join lateral (
        select d.id from webhook_delivery d
        where d.endpoint_id = e.id and d.next_attempt_at is not null and d.term < e.term
        order by d.term, d.next_attempt_at, d.position limit ${limit} for update of d skip locked
      ) own
      where e.stopped_at is not null limit ${limit}
    ))`.execute(db)
  return Number(numAffectedRows ?? 0n)
}

/**
 * Looks no more at endpoints of which all is settled. A minute later than they were disabled: what
 * did not see that yet has ended by then.
 */
export async function forgetStopped(db: Db): Promise<void> {
  await sql`
    update webhook_endpoint e set stopped_at = null
    where e.stopped_at < now() - interval '1 minute' and (
      select d.id from webhook_delivery d
      where d.endpoint_id = e.id and d.next_attempt_at is not null and d.term < e.term
      order by d.term limit 1
    ) is null`.execute(db)
}

/** What a new beginning of a delivery sets, beside the term of its endpoint. */
const beginAnew = sql.raw(
  "status = 'pending', next_attempt_at = now(), lease = null, leased_until = null, " +
    'started_at = now(), attempts = 0, delivered_at = null'
)
const isUnderWay = sql.raw(
  'webhook_delivery.lease is not null and webhook_delivery.next_attempt_at > now()'
)

/** Due at once, its time counted anew; one that is under way is left alone. */
export async function restartDelivery(tx: Tx, id: string): Promise<void> {
  await sql`
    update webhook_delivery set ${beginAnew}, term = e.term from webhook_endpoint e
    where webhook_delivery.id = ${id} and e.id = webhook_delivery.endpoint_id
      and not (${isUnderWay} and webhook_delivery.term = e.term)`.execute(tx)
}

export type Range = { from: Date; to: Date }
/** Events of a time; `clientId`: only of that client's payments, or null for everybody's. */
export type Replayed = { endpointId: string; clientId: string | null; range: Range }

/** Those that the endpoint wants; what is still to be announced is not among them. */
const wanted = ({ endpointId, clientId, range: { from, to } }: Replayed) => {
  // Written out, so that the events of one client are found by the index of its own.
  const ofClient = clientId === null ? sql`` : sql`and f.client_id = ${clientId}`
  return sql`
    select f.*, e.term from (
      select f.* from payment_event p
        join event_feed f on f.payment_id = p.payment_id and f.sequence = p.sequence
        where p.created_at >= ${from} and p.created_at < ${to} ${ofClient}
      union all
      select f.* from other_event o join event_feed f on f.event_id = o.id
        where o.created_at >= ${from} and o.created_at < ${to} ${ofClient}
    ) f
    cross join webhook_endpoint e join client c on c.id = e.client_id
    where e.id = ${endpointId} and ${wants}`
}

/** Whether more than `limit` events are to be replayed. */
export async function isMoreThan(tx: Tx, replayed: Replayed, limit: number): Promise<boolean> {
  const { rows } = await sql<{ count: number }>`
    select count(*) from (${wanted(replayed)} limit ${limit + 1}) as found`.execute(tx)
  return (rows[0]?.count ?? 0) > limit
}

/**
 * Makes the events of a time due at an endpoint, whatever became of them before: those that it has
 * never been told of, too. Answers how many.
 */
export async function replayEvents(tx: Tx, replayed: Replayed): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    with wanted as (${wanted(replayed)}), due as (
      insert into webhook_delivery
        (endpoint_id, term, position, event_id, type, payment_id, sequence)
      select ${replayed.endpointId}, f.term, f.position, ${eventId}, f.type, f.payment_id,
        f.sequence
      from wanted f order by f.position
      on conflict (endpoint_id, position) do update set ${beginAnew}, term = excluded.term
        where not (${isUnderWay} and webhook_delivery.term = excluded.term)
    )
    select count(*) from wanted`.execute(tx)
  return rows[0]?.count ?? 0
}

/** One at an endpoint of the client, which may be deleted by now. */
export async function findDelivery(
  db: Db | Tx,
  id: string,
  clientId: string
): Promise<Delivery | undefined> {
  const { rows } = await sql<Delivery>`
    select ${shown} from webhook_delivery d join webhook_endpoint e on e.id = d.endpoint_id
    where d.id = ${id} and e.client_id = ${clientId}`.execute(db)
  return rows[0]
}

/** Oldest first. */
export async function listAttempts(db: Db, deliveryId: string): Promise<Attempt[]> {
  const { rows } = await sql<Attempt>`
    select number, started_at as "startedAt", duration_ms as "durationMs",
      http_status as "httpStatus", error, response
    from webhook_attempt where delivery_id = ${deliveryId} order by number`.execute(db)
  return rows
}

export type DeliveryFilter = {
  status: DeliveryStatus | undefined
  before: string | null
  limit: number
}

/** Newest first. */
export async function listDeliveries(
  db: Db,
  endpointId: string,
  { status, before, limit }: DeliveryFilter
): Promise<Delivery[]> {
  const ofStatus = status === undefined ? sql`` : hasStatus[status]
  const { rows } = await sql<Delivery>`
    select ${shown} from webhook_delivery d join webhook_endpoint e on e.id = d.endpoint_id
    where d.endpoint_id = ${endpointId} ${ofStatus}
      and (${before}::text is null or d.id < ${before})
    order by d.id desc limit ${limit}`.execute(db)
  return rows
}

/** Written out, so that the index of those that are not delivered is of use. */
const hasStatus = {
  pending: sql`and d.status = 'pending' and d.term = e.term`,
  delivered: sql`and d.status = 'delivered'`,
  failed: sql`and d.status <> 'delivered' and (d.status = 'failed' or d.term <> e.term)`
}

/** Forgets what was settled long ago, a thousand at a time; answers how many. */
export async function purgeDeliveries(db: Db, keptForDays: number): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from webhook_delivery where id in (
      select id from webhook_delivery
      where created_at < now() - make_interval(days => ${keptForDays})
        and started_at < now() - make_interval(days => ${keptForDays}) and status <> 'pending'
      limit 1000
    )`.execute(db)
  return Number(numAffectedRows ?? 0n)
}

import { type Generated, sql } from 'kysely'
import type { Db, Tx } from '../database.ts'
import { webhookAtOnce, webhookInOrderForS, webhookLeaseS } from '../jobs.ts'
import type { Attempt, Delivery, DeliveryStatus } from './webhook.ts'

export type DeliveryTables = {
  webhook_delivery: {
    id: Generated<string>
    endpoint_id: string
    position: number | null
    event_id: string
    type: string
    payment_id: string | null
    sequence: number | null
    status: Generated<DeliveryStatus>
    due_at: Generated<Date | null>
    held: Generated<boolean>
    started_at: Generated<Date>
    tries: Generated<number>
    attempts: Generated<number>
    delivered_at: Date | null
    created_at: Generated<Date>
  }
  webhook_attempt: {
    delivery_id: string
    number: number
    started_at: Date
    duration_ms: number
    http_status: number | null
    error: string | null
    response: string | null
  }
}

/** The id that an event of the feed `f` has in public, as `toFeedView` shows it. */
const eventId = sql.raw("coalesce(f.event_id, f.payment_id || '.' || f.sequence)")

/** What an endpoint `e` of a client `c` is told of: what it asked for, of what the client sees. */
const wants = sql.raw(
  "('*' = any(e.events) or f.type = any(e.events)) " +
    'and (not c.third_party or f.client_id = c.id)'
)

/** As many events are made due by one statement, so that any number of endpoints ends in time. */
const fanOutAtOnce = 200

/**
 * Makes a delivery for each of these events of the feed and every endpoint that wants it. An
 * endpoint that is being disabled is waited for: nothing is due for a disabled one. Answers how
 * many it made.
 */
export async function fanOut(tx: Tx, positions: readonly number[]): Promise<number> {
  let made = 0
  for (let start = 0; start < positions.length; start += fanOutAtOnce) {
    made += await fanOutSome(tx, positions.slice(start, start + fanOutAtOnce))
  }
  return made
}

async function fanOutSome(tx: Tx, positions: readonly number[]): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    with told as (
      select e.id, e.events, e.client_id from webhook_endpoint e
      where e.status = 'enabled' order by e.id for share of e
    )
    insert into webhook_delivery (endpoint_id, position, event_id, type, payment_id, sequence)
    select e.id, f.position, ${eventId}, f.type, f.payment_id, f.sequence
    from event_feed f cross join told e
    join client c on c.id = e.client_id and c.revoked_at is null
    where f.position = any(${positions}) and ${wants}
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
    insert into webhook_delivery (endpoint_id, event_id, type)
    values (${endpointId}, ${event.id}, ${event.type})
    returning ${shown}`.execute(tx)
  return rows[0] as Delivery
}

const shown = sql.raw(
  'id, endpoint_id as "endpointId", event_id as "eventId", type, payment_id as "paymentId", ' +
    'status, due_at as "dueAt", delivered_at as "deliveredAt", attempts, created_at as "createdAt"'
)

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
  /** Whether the endpoint's last attempt failed, as far as was known. */
  failing: boolean
}

/**
 * Takes deliveries that are due, as many of each endpoint as may be under way at once and `limit`
 * in all. One waits for the earlier ones of its payment: for those that are under way or were never
 * tried, and for those that failed during their first minutes. Endpoints that another instance is
 * claiming for are left to it, so that the bounds hold for all instances together.
 */
export async function claimDeliveries(db: Db, limit: number): Promise<DueDelivery[]> {
  const { endpoint, failingEndpoint } = webhookAtOnce
  const { rows } = await sql<DueDelivery>`
    with open as (
      select e.id, e.url, e.failing_since is not null as failing,
        array_remove(array[e.secret, case when e.old_secret_until > now() then e.old_secret end],
          null) as secrets,
        (select count(*) from webhook_delivery h
          where h.endpoint_id = e.id and h.held and h.due_at > now()) as under_way
      from webhook_endpoint e join client c on c.id = e.client_id and c.revoked_at is null
      where e.status = 'enabled' and exists (
        select from webhook_delivery d where d.endpoint_id = e.id and d.due_at <= now()
      )
      for no key update of e skip locked
    ), chosen as (
      select open.*, due.id as delivery_id
      from open cross join lateral (
        select d.id, d.due_at from webhook_delivery d
        where d.endpoint_id = open.id and d.due_at <= now() and not exists (
          select from webhook_delivery earlier
          where earlier.endpoint_id = d.endpoint_id and earlier.payment_id = d.payment_id
            and earlier.sequence < d.sequence and earlier.due_at is not null
            and (earlier.tries = 0 or (earlier.held and earlier.due_at > now())
              or earlier.started_at > now() - make_interval(secs => ${webhookInOrderForS}))
        )
        order by d.due_at, d.position
        limit greatest(0, case when open.failing then ${failingEndpoint}::int
          else ${endpoint}::int end - open.under_way)
        for update of d skip locked
      ) due
      order by due.due_at limit ${limit}
    )
    update webhook_delivery d set held = true, tries = tries + 1, attempts = attempts + 1,
      due_at = now() + make_interval(secs => ${webhookLeaseS})
    from chosen where d.id = chosen.delivery_id
    returning d.id, d.endpoint_id as "endpointId", d.position, d.event_id as "eventId",
      d.created_at as "createdAt", d.tries, d.attempts as attempt,
      extract(epoch from now() - d.started_at)::double precision as "ageS",
      chosen.url, chosen.secrets, chosen.failing`.execute(db)
  return rows
}

/** Gives back what was not tried, because the service stops: it is due at once. */
export async function releaseDelivery(db: Db, id: string, attempt: number): Promise<void> {
  await sql`
    update webhook_delivery set held = false, due_at = now()
    where id = ${id} and attempts = ${attempt} and held`.execute(db)
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
    'and later.sequence > settled.sequence and later.tries = 0'
)

/** It was taken, whatever else became of the delivery in the meantime: the next one is due. */
export async function recordDelivered(db: Db, tried: Tried): Promise<void> {
  await sql`
    with attempt as (${attemptRow(tried)}), settled as (
      update webhook_delivery set status = 'delivered', delivered_at = now(), due_at = null,
        held = false
      where id = ${tried.id} returning endpoint_id, payment_id, sequence
    )
    update webhook_delivery later set due_at = now() from settled
    where ${waitsForIt} and later.due_at > now()`.execute(db)
}

/**
 * It was not taken: it is due again in `nextInS` seconds, or given up where that is null. Nothing
 * changes where the delivery was settled in the meantime, or is in other hands. What waits for it
 * need not be looked at before.
 */
export async function recordFailed(db: Db, tried: Tried, nextInS: number | null): Promise<void> {
  await sql`
    with attempt as (${attemptRow(tried)}), settled as (
      update webhook_delivery set held = false,
        status = case when ${nextInS}::double precision is null then 'failed' else 'pending' end,
        due_at = now() + make_interval(secs => ${nextInS}::double precision)
      where id = ${tried.id} and attempts = ${tried.attempt.number} and status = 'pending'
      returning endpoint_id, payment_id, sequence,
        least(due_at, started_at + make_interval(secs => ${webhookInOrderForS})) as free_at
    )
    update webhook_delivery later set due_at = settled.free_at from settled
    where ${waitsForIt} and later.due_at < settled.free_at`.execute(db)
}

/** Nothing is due any more at an endpoint; a replay or a retry makes it due again. */
export async function stopDeliveries(tx: Tx, endpointId: string): Promise<void> {
  await sql`
    update webhook_delivery set status = 'failed', due_at = null, held = false
    where endpoint_id = ${endpointId} and due_at is not null`.execute(tx)
}

/** What a new beginning of a delivery sets. */
const beginAnew = sql.raw(
  "status = 'pending', due_at = now(), held = false, started_at = now(), tries = 0, " +
    'delivered_at = null'
)
const notUnderWay = sql.raw('not (webhook_delivery.held and webhook_delivery.due_at > now())')

/** Due at once, its time counted anew; one that is under way is left alone. */
export async function restartDelivery(tx: Tx, id: string): Promise<void> {
  await sql`
    update webhook_delivery set ${beginAnew} where id = ${id} and ${notUnderWay}`.execute(tx)
}

/** Whether more than `limit` events happened from `from` up to `to`. */
export async function isMoreThan(tx: Tx, range: Range, limit: number): Promise<boolean> {
  const { rows } = await sql<{ count: number }>`
    select count(*) from (${happened(range)} limit ${limit + 1}) as found`.execute(tx)
  return (rows[0]?.count ?? 0) > limit
}

export type Range = { from: Date; to: Date }

/** The events of a time; those that are still to be announced are not among them. */
const happened = ({ from, to }: Range) => sql`
  select f.* from payment_event p
    join event_feed f on f.payment_id = p.payment_id and f.sequence = p.sequence
    where p.created_at >= ${from} and p.created_at < ${to}
  union all
  select f.* from other_event o join event_feed f on f.event_id = o.id
    where o.created_at >= ${from} and o.created_at < ${to}`

/**
 * Makes the events of a time due at an endpoint, whatever became of them before: those that it has
 * never been told of, too. Answers how many.
 */
export async function replayEvents(tx: Tx, endpointId: string, range: Range): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    with wanted as (
      select f.* from (${happened(range)}) f
      cross join webhook_endpoint e join client c on c.id = e.client_id
      where e.id = ${endpointId} and ${wants}
    ), due as (
      insert into webhook_delivery (endpoint_id, position, event_id, type, payment_id, sequence)
      select ${endpointId}, f.position, ${eventId}, f.type, f.payment_id, f.sequence
      from wanted f order by f.position
      on conflict (endpoint_id, position) do update set ${beginAnew} where ${notUnderWay}
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
    select ${shown} from webhook_delivery d
    where id = ${id} and exists (
      select from webhook_endpoint e where e.id = d.endpoint_id and client_id = ${clientId}
    )`.execute(db)
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
  // Written out, so that the index of those that are not delivered is of use.
  const ofStatus = status === undefined ? sql`` : sql`and status = ${sql.lit(status)}`
  const { rows } = await sql<Delivery>`
    select ${shown} from webhook_delivery
    where endpoint_id = ${endpointId} ${ofStatus}
      and (${before}::text is null or id < ${before})
    order by id desc limit ${limit}`.execute(db)
  return rows
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

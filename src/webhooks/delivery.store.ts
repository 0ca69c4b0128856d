import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { Db } from '../database/database.ts'
import { type Held, isHeld, leaseTo, noLease, type Queue } from '../due/due.store.ts'
import type { Purgeable } from '../due/purge.store.ts'
import { webhookAtOnce, webhookInOrderForS, webhookLeaseS } from './delivery-schedule.ts'
import type { Attempt, WebhookEndpoint } from './webhook.ts'

/** The id that an event of the feed `f` has in public, as `toFeedView` shows it. */
export const eventId = sql.raw("coalesce(f.event_id, f.payment_id || '.' || f.sequence)")

/**
 * What is delivered to an endpoint `e` of a client `c`: what it asked for, of what the client sees,
 * as GET /v1/events has it.
 */
export const wants = sql.raw(
  "'payments:read' = any(c.scopes) and ('*' = any(e.events) or f.type = any(e.events)) " +
    'and (not c.third_party or f.client_id = c.id)'
)

export type DueDelivery = Held & {
  id: string
  endpointId: string
  position: number | null
  eventId: string
  createdAt: Date
  /** Of the schedule, this one included; and of all that were ever made, the number of this one. */
  attempts: number
  attempt: number
  /** Since its first try was due, s by the database's clock. */
  ageS: number
  url: string
  format: WebhookEndpoint['format']
  query: WebhookEndpoint['query']
  /** Whether its client may still see the event: what it may can be taken from it meanwhile. */
  isSeen: boolean
  /** As they are kept: each of them signs, the newest first. */
  secrets: string[]
}

export const deliveries: Queue<{ id: string }> = {
  table: 'webhook_delivery',
  key: ['id'],
  read: sql`id from claimed`
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
      select e.id, e.term, e.url, e.format, e.query, e.failing_since is not null as failing,
        e.secret, e.old_secret, e.old_secret_until, c.id as client_id, c.scopes, c.third_party,
        (select count(*) from webhook_delivery h where h.endpoint_id = e.id
          and h.lease is not null and h.leased_until > now()) as under_way
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
            and (earlier.attempts = 0 or earlier.leased_until > now()
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
    ), claimed as (
      update webhook_delivery d set attempts_made = attempts_made + 1,
        ${leaseTo(randomUUID(), webhookLeaseS)}
      from chosen where d.id = chosen.delivery_id
      returning d.*, url, format, query, secret, old_secret, old_secret_until, client_id, scopes,
        third_party
    )
    select id, endpoint_id as "endpointId", position, event_id as "eventId",
      created_at as "createdAt", attempts, attempts_made as attempt,
      extract(epoch from now() - started_at)::double precision as "ageS", url, format, query,
      position is null or 'payments:read' = any(scopes) and (not third_party or client_id = (
        select f.client_id from event_feed f where f.position = claimed.position)) as "isSeen",
      array_remove(array[secret, (select old_secret where old_secret_until > now())], null)
        as secrets,
      json_build_object('id', lease, 'key', json_build_array(id)) as lease
    from claimed`.execute(db)
  return rows
}

const attemptTable = sql.raw(
  'webhook_attempt (delivery_id, number, started_at, duration_ms, http_status, error, response)'
)
const attemptRow = ({ id, attempt }: Tried) => sql`
  insert into ${attemptTable}
  values (${id}, ${attempt.number}, ${attempt.startedAt}, ${attempt.durationMs},
    ${attempt.httpStatus}, ${attempt.error}, ${attempt.response})
  on conflict do nothing`

type Tried = Held & { id: string; attempt: Attempt }

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
      update webhook_delivery
      set status = 'delivered', delivered_at = now(), next_attempt_at = null, ${noLease}
      where id = ${tried.id} returning endpoint_id, payment_id, sequence
    ), freed as (
      update webhook_delivery later set next_attempt_at = now() from settled
      where ${waitsForIt} and later.next_attempt_at > now()
    )
    select e.failing_since is not null as "wasFailing"
    from settled join webhook_endpoint e on e.id = settled.endpoint_id`.execute(db)
  return { wasFailing: rows[0]?.wasFailing ?? false }
}

/** The endpoint turned out not to want the event: nothing was sent, and nothing is shown of it. */
export async function forgetUnwanted(db: Db, due: Held): Promise<void> {
  await sql`delete from webhook_delivery where ${isHeld(deliveries, due)}`.execute(db)
}

/**
 * It was not taken: it is due again in `nextInS` seconds, or given up where that is null. Where the
 * lease is gone nothing changes. What waits for it need not be looked at before.
 */
export async function recordFailed(db: Db, tried: Tried, nextInS: number | null): Promise<void> {
  await sql`
    with attempt as (${attemptRow(tried)}), settled as (
      update webhook_delivery set ${noLease}, status = ${nextInS === null ? 'failed' : 'pending'},
        next_attempt_at = now() + make_interval(secs => ${nextInS}::double precision)
      where ${isHeld(deliveries, tried)}
      returning endpoint_id, payment_id, sequence, next_attempt_at, started_at
    ), free as (
      select *, least(next_attempt_at,
        started_at + make_interval(secs => ${webhookInOrderForS})) as at from settled
    )
    update webhook_delivery later set next_attempt_at = settled.at from free as settled
    where ${waitsForIt} and later.next_attempt_at < settled.at`.execute(db)
}

/**
 * Fails what was pending at endpoints when they were disabled, up to `limit` at a time, and waits
 * for none that somebody else is at; answers how many.
 */
export async function settleStopped(db: Db, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    update webhook_delivery set status = 'failed', next_attempt_at = null, ${noLease}
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
 * Looks no more at endpoints of which all has failed. A minute later than they were disabled: what
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

/** What is settled, and was not begun anew by a replay since. */
export const settledDeliveries: Purgeable = {
  table: 'webhook_delivery',
  madeAt: 'created_at',
  remove: (keptForDays) => sql`
    delete from webhook_delivery old using oldest
    where old.id = oldest.id and is_old and old.status <> 'pending'
      and old.started_at < now() - make_interval(days => ${keptForDays})`
}

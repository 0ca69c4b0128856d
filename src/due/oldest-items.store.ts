import { sql } from 'kysely'
import type { Db } from '../database/database.ts'

/** Rows that are looked through for the oldest of a kind: the first of an index. */
const lookedThrough = 10_000

/**
 * For how long the oldest of each kind has waited, s; 0 where none does. Of many thousands those
 * that are due next, or were made first, stand for all.
 */
export async function measureOldest(db: Db): Promise<Array<{ kind: string; ageS: number }>> {
  const { rows } = await sql<{ kind: string; ageS: number }>`
    select kind, coalesce(greatest(extract(epoch from now() - since), 0), 0)::float as "ageS"
    from (
      -- Of one that is not due any more a discrepancy says so.
      select 'payment_past_end' as kind, (select min(expires_at) from (
        select expires_at from payment where next_attempt_at is not null
        order by next_attempt_at limit ${lookedThrough}) first) as since
      union all select 'notification', (select min(received_at) from (
        select received_at, status from notification where next_attempt_at is not null
        order by next_attempt_at limit ${lookedThrough}) first where status = 'received')
      union all select 'notification_waiting', (
        select received_at from notification where status = 'waiting' order by id limit 1)
      -- A refund may have waited for its approval before it was asked for.
      union all select 'operation', (select min(asked_at) from (
        select coalesce(first_tried_at, updated_at) as asked_at from operation
        where next_attempt_at is not null
        order by next_attempt_at limit ${lookedThrough}) first)
      union all select 'event_unannounced', (select min(created_at) from (
        select created_at from event_outbox limit ${lookedThrough}) first)
      union all select 'event_undelivered', (select min(started_at) from webhook_endpoint e
        cross join lateral (
          select started_at from webhook_delivery d
          where d.endpoint_id = e.id and d.status = 'pending' order by d.id limit 1) first
        where e.status = 'enabled')
      union all select 'posting_unacknowledged', (
        select created_at from ledger_transfer where id = (
          select id from billing_posting where status = 'open' order by position limit 1))
    ) oldest`.execute(db)
  return rows
}

/** How many discrepancies are open, by kind; of very many the oldest. */
export async function countDiscrepancies(db: Db): Promise<Array<{ kind: string; count: number }>> {
  const { rows } = await sql<{ kind: string; count: number }>`
    select kind, count(*) from (
      select kind from discrepancy where status = 'open' order by id limit ${lookedThrough}
    ) first group by kind`.execute(db)
  return rows
}

import { sql } from 'kysely'
import type { Db } from '../database/database.ts'

/** How many rows wait for somebody, by kind: an index of each knows those that do. */
export async function countOpenItems(db: Db): Promise<Array<{ kind: string; count: number }>> {
  const { rows } = await sql<{ kind: string; count: number }>`
    select 'payments_pending' as kind, count(*) from payment where next_attempt_at is not null
    -- One that is being cancelled waits for that alone, which is an operation.
    union all select 'payments_overdue', count(*) from payment p
      where next_attempt_at < now() - interval '1 minute' and not exists (
        select from operation o
        where o.payment_id = p.id and o.kind = 'cancellation' and o.status = 'requested')
    -- What processes that died have left, and nobody has looked through.
    union all select 'create_batches_overdue', count(*) from create_batch
      where due_at < now() - interval '1 minute'
    union all select 'operations_due', count(*) from operation where next_attempt_at is not null
    union all select 'notifications_due', count(*) from notification
      where next_attempt_at is not null
    union all select 'notifications_waiting', count(*) from notification where status = 'waiting'
    union all select 'notifications_parked', count(*) from notification where status = 'parked'
    union all select 'page_returns_unanswered', count(*) from page_return
    -- A billing system that never says what it posted leaves all of them open.
    union all select 'postings_open', count(*) from (
      select from billing_posting where status = 'open' limit 10000) as first
    union all select 'postings_rejected', count(*) from billing_posting where status = 'rejected'
    -- What can't be given its place, while the rest goes on.
    union all select 'events_set_aside', count(*) from event_outbox where attempts > 0
    union all select 'postings_set_aside', count(*) from posting_outbox where attempts > 0
    union all select 'reports_due', count(*) from settlement_report
      where next_attempt_at is not null
    union all select 'reports_awaiting_upload', count(*) from settlement_report
      where status = 'awaitingUpload'
    union all select 'reports_refused', count(*) from settlement_report r
      where status = 'refused' and finished_at > now() - interval '7 days' and not exists (
        select from settlement_report other
        where other.file_name = r.file_name and other.status = 'done' and other.id > r.id)
    union all select 'reports_unknown_zone', count(*) from settlement_report
      where unknown_zones <> '{}' and finished_at > now() - interval '7 days'
    union all select 'discrepancies_open', count(*) from discrepancy where status = 'open'
    union all select 'webhooks_due', count(*) from webhook_delivery
      where next_attempt_at is not null
    -- Not those that their owners have switched off.
    union all select 'webhook_endpoints_disabled', count(*) from webhook_endpoint
      where disabled_reason <> 'client' and deleted_at is null
    `.execute(db)
  return rows
}

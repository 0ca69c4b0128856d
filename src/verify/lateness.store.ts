/**
 * What is merely late: nothing is broken, and it may be done in a moment, but by then it should
 * have been. Each is found by the index of what is due, and answers what and since when.
 */
export const lateness: Readonly<Record<string, string>> = {
  'payments whose next step was due an hour ago': `
    select id, next_attempt_at from payment p
    where next_attempt_at < now() - interval '1 hour' and not exists (
      select from operation o
      where o.payment_id = p.id and o.kind = 'cancellation' and o.status = 'requested')`,
  'payments that are pending an hour after their end, and were not given up': `
    select id, expires_at from payment where status = 'pending' and method <> 'recorded'
      and next_attempt_at is not null and expires_at < now() - interval '1 hour'`,
  'creates that nobody has finished for ten minutes': `
    select payment_ids[1], due_at from create_batch where due_at < now() - interval '10 minutes'`,
  'captures, cancellations, refunds and reversals that were to be sent an hour ago': `
    select id, next_attempt_at from operation where next_attempt_at < now() - interval '1 hour'`,
  'notifications that were to be applied ten minutes ago': `
    select id, next_attempt_at from notification
    where next_attempt_at < now() - interval '10 minutes'`,
  'notifications that nobody can apply': `
    select id, received_at from notification where status = 'parked'`,
  'results of pages that were to be asked for an hour ago': `
    select payment_id, next_attempt_at from page_return
    where next_attempt_at < now() - interval '1 hour'`,
  'events without a place in the feed for ten minutes': `
    select coalesce(event_id, payment_id || ' ' || sequence), created_at from event_outbox
    where created_at < now() - interval '10 minutes'`,
  'postings without a place for ten minutes': `
    select transfer_id, created_at from posting_outbox
    where created_at < now() - interval '10 minutes'`,
  'cards that were to be removed, and lists of cards to be read, a day ago': `
    select id, next_attempt_at from card where next_attempt_at < now() - interval '1 day'
    union all select account_id::text, next_attempt_at from card_sync
      where next_attempt_at < now() - interval '1 day'`,
  'settlement reports that were to be read an hour ago': `
    select id, next_attempt_at from settlement_report
    where next_attempt_at < now() - interval '1 hour'`,
  'webhook endpoints that were to be told of something an hour ago': `
    select e.id, d.next_attempt_at from webhook_endpoint e cross join lateral (
      select next_attempt_at from webhook_delivery
      where endpoint_id = e.id and term = e.term and next_attempt_at < now() - interval '1 hour'
      order by next_attempt_at limit 1) d
    where e.status = 'enabled'`
}

/** What always holds of events, postings, billing files and keys: what others rely on. */

/** Of places in the feed. Neither payment nor event is held by a foreign key there. */
export const feedInvariants: Readonly<Record<string, string>> = {
  'each place in the feed names an event that is there, of its own account and client': `
    select f.position from event_feed f
    left join payment p on p.id = f.payment_id
    left join payment_event e on (e.payment_id, e.sequence) = (f.payment_id, f.sequence)
    left join other_event o on o.id = f.event_id
    where (coalesce(e.type, o.type), coalesce(p.account_id, o.account_id),
        coalesce(p.client_id, o.client_id))
      is distinct from (f.type, f.account_id, f.client_id)`
}

/** Of events that are not about a payment. */
export const otherEventInvariants: Readonly<Record<string, string>> = {
  'each event that is not about a payment has one place in the feed, or waits for it': `
    select e.id from other_event e
    left join event_feed f on f.event_id = e.id left join event_outbox o on o.event_id = e.id
    group by e.id having count(f.position) + count(o.created_at) <> 1`
}

/** Of what waits for its place: nothing refers to it by a foreign key either. */
export const outboxInvariants: Readonly<Record<string, string>> = {
  'what waits for its place in the feed is an event': `
    select concat_ws(' ', w.payment_id, w.sequence, w.event_id) from event_outbox w
    left join payment_event e on (e.payment_id, e.sequence) = (w.payment_id, w.sequence)
    left join other_event o on o.id = w.event_id
    where e.payment_id is null and o.id is null`
}
export const postingOutboxInvariants: Readonly<Record<string, string>> = {
  'what waits for its place among the postings was posted': `
    select transfer_id from posting_outbox
    where not exists (select from ledger_transfer where id = transfer_id)`
}

export const postingInvariants: Readonly<Record<string, string>> = {
  'what billing is to post was moved by a payment on the account of a customer': `
    select b.position from billing_posting b left join ledger_transfer t on t.id = b.id
    where (t.payment_id is not null and 'customer' in (t.debit_account, t.credit_account))
      is not true`
}

export const fileInvariants: Readonly<Record<string, string>> = {
  'a billing file has the details that it counts, numbered without holes, and their sum': `
    select f.id from billing_file f
    left join billing_posting b on b.file_id = f.id left join ledger_transfer t on t.id = b.id
    group by f.id, f.record_count, f.total_amount, f.currency, f.transaction_type
    having count(t.id) <> record_count or min(file_sequence) <> 1
      or max(file_sequence) <> record_count or coalesce(sum(t.amount), 0) <> total_amount
      or bool_or(t.currency <> f.currency or 'customer' <> case transaction_type
        when 'payment' then t.credit_account else t.debit_account end)`
}

/** Of keys and their saved answers, which are parsed where they are those of a payment alone. */
export const keyInvariants: Readonly<Record<string, string>> = {
  'what was answered under a key is there': `
    select k.client_id || ' ' || k.key from idempotency_key k
    cross join lateral (select case
      when k.reply_status between 200 and 299 and k.resource_id ~ '^(pay|ref|cap|can)_'
      then k.reply_body::jsonb->>'id' end as answered) one
    where answered like 'pay\\_%' and not exists (select from payment where id = answered)
      or answered ~ '^(ref|cap|can)_' and not exists (select from operation where id = answered)`
}

/** What always holds of payments, and of what belongs to them. */
import { moves } from '../payments/payment.ts'

/** Every step that the status may take, as rows. */
const steps = Object.values(moves)
  .flatMap(({ from, to }) => from.map((one) => `('${one}', '${to}')`))
  .join(', ')

export const paymentInvariants: Readonly<Record<string, string>> = {
  'captured within authorised, refunded within captured or shown to a person': `
    select id from payment where amount_captured not between 0 and amount_authorised
      or least(amount_refunded, amount_refunding, amount_charged_back) < 0
      or (amount_refunded > amount_captured) <> exists (select from discrepancy d
        where d.kind = 'refunded_beyond_captured' and d.fact = payment.id and d.status = 'open')`,
  'the events of a payment are numbered without holes, and as many as it counts': `
    select id from payment left join payment_event e on e.payment_id = payment.id
    group by id, event_count
    having count(*) <> event_count or min(sequence) <> 1 or max(sequence) <> event_count`,
  'the status of a payment is what its last event of one says': `
    select id from payment cross join lateral (
      select type from payment_event e where e.payment_id = payment.id
        and type like 'payment.%'
        and type not in ('payment.attemptRefused', 'payment.amountAdjusted',
          'payment.fraudReported', 'payment.settled')
      order by sequence desc limit 1) last
    where replace(last.type, 'created', 'pending') <> 'payment.' || status`,
  'the last event shows the payment as it is': `
    select id from payment
    join payment_event e on e.payment_id = payment.id and e.sequence = event_count
    where e.sequence > 1 and (e.payment->>'status', (e.payment->>'amountCaptured')::bigint,
        (e.payment->>'amountRefunded')::bigint, (e.payment->>'amountChargedBack')::bigint,
        nullif(e.payment->'settlement', 'null'))
      is distinct from (status, amount_captured, amount_refunded, amount_charged_back, settlement)`,
  'what a payment took and gave back is what was posted for it': `
    select p.id from payment p left join ledger_transfer t on t.payment_id = p.id
    group by p.id, p.amount_captured, p.amount_refunded, p.amount_charged_back
    having amount_captured <> coalesce(sum(t.amount * case
        when posting in ('payment', 'recordedPayment') then 1
        when posting = 'captureFailed' then -1 end), 0)
      or amount_refunded <> coalesce(sum(t.amount * case
        when posting in ('refund', 'recordedRefund') then 1
        when posting = 'refundFailed' then -1 end), 0)
      or amount_charged_back <> coalesce(sum(t.amount * case posting
        when 'chargeback' then 1 when 'chargebackReversed' then -1 end), 0)`,
  'what a payment posts is on its own account, and what is not held in its currency': `
    select t.id from ledger_transfer t join payment p on p.id = t.payment_id
    where t.account_id <> p.account_id or t.currency <> p.currency
      and t.posting not in ('held', 'reversal', 'reversalFailed', 'heldWrittenOff')`,
  'an account is credited once for each authorisation that was kept, and for no other': `
    select a.reference from authorisation a join payment p on p.id = a.payment_id
    left join ledger_transfer t on t.posting = 'payment' and t.fact = a.reference
      and t.payment_id = p.id and t.amount = a.amount and t.currency = a.currency
    group by a.reference, a.disposition, p.capture
    having count(t.id) <> case when p.capture = 'automatic' and (a.disposition = 'kept'
      -- What it took was taken back, and other money paid.
      or a.disposition = 'released' and exists (select from operation m
        where m.authorisation_reference = a.reference and m.kind = 'capture'
          and m.status = 'failed')) then 1 else 0 end`,
  'what a payment captured is what its captures have taken': `
    select p.id from payment p
    left join (
      select payment_id, authorisation_reference, bool_or(status = 'failed') as failed,
        sum(amount) filter (where status = 'succeeded') as taken
      from operation where kind = 'capture' group by 1, 2) captures
      on captures.payment_id = p.id and captures.authorisation_reference = p.authorisation_reference
    left join authorisation kept on kept.payment_id = p.id and kept.disposition = 'kept'
    where p.amount_captured <> case
      when p.method = 'recorded' then case p.status when 'captured' then p.amount else 0 end
      when p.capture = 'manual' then coalesce(captures.taken, 0)
      when captures.failed or kept.reference is null then 0
      else p.amount end`,
  'what a payment gave back, and what it reserves, is what its refunds say': `
    select p.id from payment p
    left join operation m on m.payment_id = p.id and m.kind = 'refund'
    group by p.id, p.amount_refunded, p.amount_refunding
    having amount_refunded <> coalesce(sum(m.amount) filter (where m.status = 'succeeded'), 0)
      or amount_refunding <> coalesce(
        sum(m.amount) filter (where m.status in ('requested', 'awaitingApproval')), 0)`,
  'each refund that stands is posted once more than it came back': `
    select m.id from operation m
    left join ledger_transfer t on t.cause_type = 'refund' and t.cause_id = m.id
      -- What was a part of it was refunded for itself.
      and t.fact not like '%.part.%'
    where m.kind = 'refund' group by m.id, m.status
    having coalesce(sum(case when posting = 'refundFailed' then -1
        when t.id is not null then 1 end),
      0) <> case m.status when 'succeeded' then 1 else 0 end`,
  'what the bank has taken is what was posted for its disputes': `
    select d.id from dispute d
    left join ledger_transfer t on t.cause_type = 'dispute' and t.cause_id = d.id
    group by d.id, d.amount_charged_back
    having d.amount_charged_back <> coalesce(sum(t.amount * case posting
      when 'chargeback' then 1 when 'chargebackReversed' then -1 end), 0)`,
  'what a payment was charged back is what its disputes say': `
    select p.id from payment p left join dispute d on d.payment_id = p.id
    group by p.id, p.amount_charged_back
    having p.amount_charged_back <> coalesce(sum(d.amount_charged_back), 0)`,
  'what stands in clearing is money under reversal or in doubt': `
    select payment.id from payment left join (
      select payment_id, sum(case when credit_account = 'clearing' then amount
        when debit_account = 'clearing' then -amount else 0 end) as held
      from ledger_transfer where payment_id is not null group by 1) books
      on books.payment_id = payment.id
    where coalesce(held, 0) <> (
      select coalesce(sum(a.amount), 0) from authorisation a
      where a.payment_id = payment.id and payment.capture = 'automatic'
        and (a.disposition = 'differs' or a.disposition = 'reversing' and not exists (
          select from operation m where m.kind = 'reversal'
            and m.authorisation_reference = a.reference and m.status = 'succeeded')))`,
  'each authorisation that goes back has its reversal, and no other has one': `
    select a.reference from authorisation a
    left join operation m on m.kind = 'reversal' and m.authorisation_reference = a.reference
      and m.payment_id = a.payment_id and m.amount = a.amount and m.currency = a.currency
    where case a.disposition when 'reversing' then m.id is null
      when 'applied' then false when 'writtenOff' then false else m.id is not null end`,
  'held money that a person decided about was posted once, by that decision': `
    select a.reference from authorisation a join payment p on p.id = a.payment_id
    left join discrepancy d on d.payment_id = p.id and d.status = 'resolved'
      and d.details->>'authorisation' = a.reference
      and d.resolution in ('applyToAccount', 'writtenOff')
    left join ledger_transfer t on t.cause_type = 'discrepancy' and t.cause_id = d.id
      and t.amount = a.amount and t.currency = a.currency
      and t.posting = case a.disposition when 'applied' then 'heldApplied' else 'heldWrittenOff' end
    where a.disposition in ('applied', 'writtenOff')
    group by a.reference, p.capture
    having count(t.id) <> case p.capture when 'automatic' then 1 else 0 end`,
  'a payment has an event for each time a discrepancy was opened or resolved': `
    select d.id from discrepancy d
    join payment p on p.id = d.payment_id
    left join payment_event e on e.payment_id = p.id and e.type like 'discrepancy.%'
      and e.data->'discrepancy'->>'id' = d.id
    group by d.id, d.status
    having count(*) filter (where e.type = 'discrepancy.opened')
      - count(*) filter (where e.type = 'discrepancy.resolved')
      <> case d.status when 'open' then 1 else 0 end`,
  'a payment has an event for each reversal, and for each refused attempt': `
    select p.id from payment p
    left join (
      select payment_id, count(*) filter (where type = 'reversal.requested') as reversals,
        count(*) filter (where type = 'payment.attemptRefused') as refusals
      from payment_event group by 1) e on e.payment_id = p.id
    left join (select payment_id, count(*) from operation where kind = 'reversal' group by 1) m
      on m.payment_id = p.id
    left join (
      select payment_id, count(*) from authorisation where outcome = 'refused' group by 1) a
      on a.payment_id = p.id
    where coalesce(reversals, 0) <> coalesce(m.count, 0)
      or coalesce(refusals, 0) < coalesce(a.count, 0)`,
  'the status of a payment has gone from event to event as it may': `
    select payment_id from (
      select payment_id, payment->>'status' as status,
        lag(payment->>'status', 1, 'pending')
          over (partition by payment_id order by sequence) as before
      from payment_event where sequence > 1) one
    where status <> before and (before, status) not in (values ${steps})`,
  'each event of a payment has one place in the feed, or waits for it': `
    select e.payment_id from payment_event e
    left join event_feed f using (payment_id, sequence)
    left join event_outbox o using (payment_id, sequence)
    group by e.payment_id, e.sequence having count(f.position) + count(o.created_at) <> 1`,
  'the events of a payment stand in the feed in their order': `
    select payment_id from (
      select payment_id, position, created_at, lag(position) over steps as before,
        lag(created_at) over steps as before_at
      from event_feed join payment_event using (payment_id, sequence)
      window steps as (partition by payment_id order by sequence)) one
    -- 0.1.0 placed two of the same millisecond by times of which one was cut to it.
    where position < before and created_at >= before_at`,
  'what a payment moved on an account has one place among the postings, or waits for it': `
    select t.id from ledger_transfer t
    left join billing_posting b on b.id = t.id left join posting_outbox o on o.transfer_id = t.id
    where t.payment_id is not null
    group by t.id, debit_account, credit_account
    having count(b.id) + count(o.transfer_id)
      <> case when 'customer' in (debit_account, credit_account) then 1 else 0 end`,
  'what was moved for a payment has its cause': `
    select t.id from ledger_transfer t
    left join payment p on t.cause_type = 'payment' and (p.id, p.id) = (t.cause_id, t.payment_id)
    left join operation m on (m.kind, m.id, m.payment_id) = (t.cause_type, t.cause_id, t.payment_id)
    left join dispute d
      on t.cause_type = 'dispute' and (d.id, d.payment_id) = (t.cause_id, t.payment_id)
    left join discrepancy x
      on t.cause_type = 'discrepancy' and (x.id, x.payment_id) = (t.cause_id, t.payment_id)
    where t.payment_id is not null and coalesce(p.id, m.id, d.id, x.id) is null`,
  // Lines that are doubled, and those of money that is not the payment's own, are not added.
  'what a payment was paid out is what lines of settlement reports say': `
    select p.id from payment p
    left join (select payment_id, count(*) as times from payment_event
      where type = 'payment.settled' group by 1) e on e.payment_id = p.id
    left join (
      select payment_id, count(*) as lines, sum(net) as net, min(net_currency) as currency,
        max(net_currency) as other
      from settlement_line where meaning = 'settled' and record_id is not null group by 1) l
      on l.payment_id = p.id
    where (settlement is not null) <> (e.times is not null)
      or e.times > coalesce(l.lines, 0)
      or (settlement->>'gross')::bigint
        <> (settlement->>'net')::bigint + (settlement->>'fees')::bigint
      or e.times = l.lines and l.currency = l.other
        and (settlement->>'net', settlement->>'currency') <> (l.net::text, l.currency::text)`,
  // An answered key is kept for seven days at least.
  'a payment that was asked for in the last six days has its key': `
    select p.id from payment p
    left join idempotency_key k on (k.client_id, k.key) = (p.client_id, p.idempotency_key)
    where p.idempotency_key is not null and k.key is null
      and p.created_at > now() - interval '6 days'`,
  // A key is free again after thirty days, and then has a later time than the payment.
  'a key of a client has made one payment': `
    select p.id from payment p
    join idempotency_key k on (k.client_id, k.key) = (p.client_id, p.idempotency_key)
    where k.resource_id <> p.id and k.created_at <= p.created_at`
}

-- A year of payments, up to now: $1 and $2 are the numbers of the first and the last one. Read by
-- `growth-year.ts`, which runs each command for some 100,000 at a time. What no plan depends on is
-- kept short: bodies of events, answers and notifications.

-- What each payment is, so that all tables say the same of it. `s`: the part of its ids.
insert into growth_year
select n, growth_id(ms, n), growth_id(ms + 259200000, n), to_timestamp(ms / 1000.0),
  1 + n % accounts, case when n % accounts % 100 = 99 then 'EUR' else 'GBP' end,
  case when n % rare = 3 then 77777777 else 100 + h % 20000 end,
  case
    when n > size - greatest(size / 8000, 40) then 'pending'
    when n % rare = 5 then 'failed'
    when h % 1000 < 900 then 'captured'
    when h % 1000 < 950 then 'refused'
    when h % 1000 < 991 then 'expired'
    when h % 1000 < 999 or ms < now_ms - 518400000 then 'cancelled'
    else 'authorised'
  end,
  case
    when n % rare = 7 then 'service'
    when h / 1000 % 10 < 7 then 'selfcare'
    when h / 1000 % 10 < 9 then 'ivr'
    else 'agent'
  end,
  case
    when h / 10000 % 100 < 82 then 'hostedPage'
    when h / 10000 % 100 < 92 then 'paymentLink'
    else 'registeredCard'
  end,
  case when h / 10000 % 20 = 0 or h % 1000 = 999 then 'manual' else 'automatic' end,
  case when n % rare = 11 then 'cli_rare' when h % 20 = 0 then 'cli_third' else 'cli_own' end,
  n % 33 = 0,
  ms < now_ms - 259200000
from (
  select n, size, accounts, rare, now_ms, (n::bigint * 2654435761) % 1000003 as h,
    now_ms - ((size - n)::double precision * 31536000000 / size)::bigint as ms
  from growth_size cross join generate_series($1::integer, $2::integer) as n
) one;

insert into payment (id, client_id, idempotency_key, account_id, currency, amount, channel, method,
  capture, save_card, return_url, registered_card_id, card_token, reference, metadata, operator,
  status, cancelled_by, failure, card, authorisation_reference, amount_authorised, amount_captured,
  amount_refunded, settlement, event_count, provider_key, provider_session, checkout_url,
  next_attempt_at, created_at, updated_at, finished_at, expires_at)
select 'pay_' || s, client, 'key-' || n, acc, cur, amount, channel, method, capture, 'never',
  'https://selfcare.example/paid',
  case when method = 'registeredCard' then 'crd_' || acc end,
  case when method = 'registeredCard' then 'token-' || acc end,
  case when n % 10 > 0 then 'basket-' || n end,
  case when n % 5 = 0 then jsonb_build_object('source', 'web')
    when n % 20 = 1 then jsonb_build_object('campaign', 'c' || n % 1000) end,
  case when channel = 'agent' then
    jsonb_build_object('id', case when n % rare = 9 then 'agent-rare' else 'agent-' || n % 50 end)
  end,
  status, case when status = 'cancelled' then 'customer' end,
  case when status in ('refused', 'expired', 'failed') then
    '{"code": "card_declined", "message": "Declined", "retryable": true}'::jsonb end,
  case when status in ('captured', 'authorised', 'refused') then jsonb_build_object(
    'brand', case when n % rare = 13 then 'diners' when n % 3 = 0 then 'mc' else 'visa' end,
    'lastFour', lpad((n % 9999)::text, 4, '0'), 'expiryMonth', 3, 'expiryYear', 2030,
    'funding', 'debit') end,
  case when status in ('captured', 'authorised') then 'A' || s end,
  case when status in ('captured', 'authorised') then amount else 0 end,
  case when status = 'captured' then amount else 0 end,
  case when status = 'captured' and refunded then 100 else 0 end,
  case when status = 'captured' and settled then jsonb_build_object('settledAt', at, 'batch', '1',
    'gross', amount, 'fees', 10, 'net', amount - 10, 'currency', cur) end,
  case when status = 'captured' and settled then 3 when status = 'pending' then 1 else 2 end,
  'pay_' || s || '.session.1', 'CS' || s, 'https://test.adyen.link/CS' || s,
  case when status = 'pending' then now() + interval '1 hour' end,
  at, at + interval '1 minute',
  case when status not in ('pending', 'authorised') then at + interval '1 minute' end,
  at + interval '1 hour'
from growth_year cross join growth_size where n between $1 and $2 order by n;

insert into payment_event (payment_id, sequence, type, data, payment, created_at)
select 'pay_' || s, sequence,
  case sequence when 1 then 'payment.created' when 2 then 'payment.' || status
    else 'payment.settled' end,
  '{}', case when sequence > 1 then jsonb_build_object('id', 'pay_' || s) end,
  at + (sequence - 1) * interval '1 minute'
from growth_year cross join generate_series(1, 3) as sequence
where n between $1 and $2 and (sequence = 1 or sequence = 2 and status <> 'pending'
  or sequence = 3 and status = 'captured' and settled)
order by n, sequence;

insert into event_feed (payment_id, sequence, type, account_id, client_id)
select 'pay_' || s, sequence,
  case sequence when 1 then 'payment.created' when 2 then 'payment.' || status
    else 'payment.settled' end, acc, client
from growth_year cross join generate_series(1, 3) as sequence
where n between $1 and $2 and (sequence = 1 or sequence = 2 and status <> 'pending'
  or sequence = 3 and status = 'captured' and settled)
order by n, sequence;

-- What was applied of the provider, and 20 that nobody can read.
insert into notification (id, fingerprint, event_code, success, psp_reference, merchant_reference,
  merchant_account, currency, amount, live, item, status, fault, received_at, applied_at)
select 'ntf_' || s, int8send(n::bigint), case when n % rare = 2 then 'ODD' else 'AUTHORISATION' end,
  status <> 'refused', 'A' || s, 'pay_' || s, 'BenchMerchant', cur, amount, false,
  jsonb_build_object('pspReference', 'A' || s, 'eventCode', 'AUTHORISATION'),
  case when n % rare = 2 then 'parked' else 'applied' end,
  case when n % rare = 2 then 'It is odd.' end,
  at, case when n % rare <> 2 then at end
from growth_year cross join growth_size
where n between $1 and $2 and status in ('captured', 'authorised', 'refused') order by n;

insert into authorisation (reference, payment_id, currency, amount, outcome, disposition,
  created_at)
select 'A' || s, 'pay_' || s, cur, amount,
  case when status = 'refused' then 'refused' else 'authorised' end,
  case when status <> 'refused' then 'kept' end, at
from growth_year where n between $1 and $2 and status in ('captured', 'authorised', 'refused')
order by n;

insert into operation (id, kind, payment_id, authorisation_reference, currency, amount, status,
  provider_key, provider_reference, created_at, updated_at)
select 'cap_' || s, 'capture', 'pay_' || s, 'A' || s, cur, amount, 'succeeded', 'cap_' || s,
  'C' || s, at, at
from growth_year where n between $1 and $2 and status = 'captured' and capture = 'manual'
union all
select 'ref_' || later, 'refund', 'pay_' || s, 'A' || s, cur, 100, 'succeeded', 'ref_' || later,
  'R' || later, at, at + interval '3 days'
from growth_year where n between $1 and $2 and status = 'captured' and refunded and settled;

insert into dispute (id, payment_id, reference, currency, amount, status, stage, reported,
  created_at, updated_at, closed_at)
select 'dsp_' || s, 'pay_' || s, 'D' || s, cur, amount, 'won', 'chargeback',
  array['opened'], at, at, at
from growth_year where n between $1 and $2 and status = 'captured' and n % 1000 = 1;

-- One in ten was charged before.
insert into charge (id, account_id, reference, amount, open_amount, due_at, created_at)
select 'chg_' || s, acc, 'bill-' || n, amount, case when status = 'captured' then 0 else amount end,
  at, at
from growth_year where n between $1 and $2 and n % 10 = 0 order by n;

insert into ledger_transfer (id, account_id, payment_id, debit_account, credit_account, currency,
  amount, posting, fact, cause_type, cause_id, created_at)
select * from (
  select 'txn_' || s as id, acc, 'pay_' || s, 'provider', 'customer', cur, amount, 'payment',
    case capture when 'manual' then 'cap_' else 'A' end || s,
    case capture when 'manual' then 'capture' else 'payment' end,
    case capture when 'manual' then 'cap_' else 'pay_' end || s, at + interval '1 minute'
  from growth_year where n between $1 and $2 and status = 'captured'
  union all
  select 'txn_' || later, acc, 'pay_' || s, 'customer', 'provider', cur, 100, 'refund',
    'ref_' || later, 'refund', 'ref_' || later, at + interval '3 days'
  from growth_year where n between $1 and $2 and status = 'captured' and refunded and settled
  union all
  select 'txn_c' || s, acc, null, 'customer', 'billing', cur, amount, 'charge',
    'chg_' || s, 'charge', 'chg_' || s, at
  from growth_year where n between $1 and $2 and n % 10 = 0
) as transfer order by id;

insert into credit (transfer_id, account_id, amount, open_amount)
select 'txn_' || s, acc, amount,
  case when n % 10 = 0 then 0 when refunded and settled then amount - 100 else amount end
from growth_year where n between $1 and $2 and status = 'captured' order by n;

insert into debit (transfer_id, account_id, amount, open_amount)
select 'txn_' || later, acc, 100, 0
from growth_year where n between $1 and $2 and status = 'captured' and refunded and settled;

insert into allocation (account_id, transfer_id, charge_id, debit_transfer_id, amount, created_at)
select acc, 'txn_' || s, case when n % 10 = 0 then 'chg_' || s end,
  case when n % 10 > 0 then 'txn_' || later end, case when n % 10 = 0 then amount else 100 end, at
from growth_year
where n between $1 and $2 and status = 'captured' and (n % 10 = 0 or refunded and settled)
order by n;

-- Billing has said what it posted but for the last two days; a few it has rejected.
insert into billing_posting (id, status, reason, acknowledged_at)
select id, case when at > to_timestamp(now_ms / 1000.0) - interval '2 days' then 'open'
    when n % rare = 4 then 'rejected' else 'posted' end,
  case when n % rare = 4 then 'unknown account' end,
  case when at < to_timestamp(now_ms / 1000.0) - interval '2 days' then at + interval '1 day' end
from (
  select 'txn_' || s as id, n, at from growth_year
  where n between $1 and $2 and status = 'captured'
  union all
  select 'txn_' || later, n + 2, at + interval '3 days' from growth_year
  where n between $1 and $2 and status = 'captured' and refunded and settled
) as posting cross join growth_size order by id;

-- What Adyen settled, two days later; and a hundredth as many lines that are about none of ours.
insert into settlement_line (report_id, line, fact, occurrence, merchant_account, batch, type,
  meaning, psp_reference, merchant_reference, booked_as, zone, booked_at, gross_currency, gross,
  net_currency, net, fees, payment_id, record_type, record_id, our_currency, ours, created_at,
  matched_at, settled_at)
select 'set_' || growth_id(trunc(extract(epoch from at) / 86400)::bigint * 86400000, 0), n,
  int8send(number), 1, merchant_account, '1', meaning, meaning, reference, payment_id,
  '2026-01-01 00:00:00', 'UTC', at, cur, gross, cur, gross - 10, 10, payment_id, record_type,
  record_id, case when record_id is not null then cur end,
  case when record_id is not null then gross end, at + interval '2 days',
  case when record_id is not null then at + interval '2 days' end, at
from (
  select n, n::bigint as number, 'BenchMerchant' as merchant_account, 'settled' as meaning,
    'A' || s as reference, 'pay_' || s as payment_id,
    case capture when 'manual' then 'capture' else 'authorisation' end as record_type,
    case capture when 'manual' then 'cap_' else 'A' end || s as record_id, cur, amount as gross, at
  from growth_year where n between $1 and $2 and status = 'captured' and settled
  union all
  select n, -n::bigint, 'BenchMerchant', 'refunded', 'A' || s, 'pay_' || s, 'refund',
    'ref_' || later, cur, -100, at + interval '3 days'
  from growth_year where n between $1 and $2 and status = 'captured' and refunded and settled
    and at < now() - interval '6 days'
  union all
  select n, 1099511627776 + n, case when n % 2500 = 6 then 'BenchMerchant' else 'OtherMerchant' end,
    'settled', 'X' || s, null, null, null, cur, amount, at
  from growth_year where n between $1 and $2 and n % 100 = 6 and settled
) one order by n;

-- One in 500 disagreed, and nearly all of them are decided.
insert into discrepancy (id, kind, fact, payment_id, details, status, resolution, created_at,
  resolved_at)
select 'dis_' || s, kind, case kind when 'settlement_unmatched'
    then encode(int8send(1099511627776 + n), 'hex') || '.1' else s end,
  case when kind <> 'settlement_unmatched' then 'pay_' || s end, '{}',
  case when n > size - 500 * 40 and n % 1000 = 0 then 'open' else 'resolved' end,
  case when n > size - 500 * 40 and n % 1000 = 0 then null when kind = 'paid_after_end'
    then 'refund' else 'acknowledged' end,
  at, case when n > size - 500 * 40 and n % 1000 = 0 then null else at + interval '1 day' end
from (
  select *, case when n % rare = 0 then 'fraud_reported' when n % 2500 = 6
    then 'settlement_unmatched' when n % 2500 = 506 then 'paid_after_end'
    else 'possible_duplicate' end as kind
  from growth_year cross join growth_size where n between $1 and $2 and n % 500 in (0, 6)
) one order by n;

-- Answers are kept for 30 days.
insert into idempotency_key (client_id, key, fingerprint, resource_id, reply_status, reply_body,
  created_at)
select client, 'key-' || n, int8send(n::bigint), 'pay_' || s, 201,
  '{"id":"pay_' || s || '"}' || repeat(' ', 600), at
from growth_year cross join growth_size
where n between $1 and $2 and at > to_timestamp(now_ms / 1000.0) - interval '731 hours' order by n;

insert into webhook_delivery (id, endpoint_id, position, event_id, type, payment_id, sequence,
  status, attempts_made, next_attempt_at, created_at, started_at, delivered_at)
select 'whd_' || lpad(position::text, 16, '0'), 'whe_1', position, f.payment_id || '.' || sequence,
  f.type, f.payment_id, sequence, status, 1, null, at, at, case status when 'delivered' then at end
from (
  select f.*, at, case when n % rare = 12 then 'failed' else 'delivered' end as status
  from growth_size cross join growth_year y join event_feed f on f.payment_id = 'pay_' || s
  where n between $1 and $2 and at > to_timestamp(now_ms / 1000.0) - interval '731 hours'
) f order by position;

insert into webhook_attempt (delivery_id, number, started_at, duration_ms, http_status)
select id, 1, d.created_at, 20, 204 from webhook_delivery d
join growth_year y on d.payment_id = 'pay_' || s and y.n between $1 and $2;

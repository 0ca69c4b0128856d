-- What the migrations make, written by `npm run schema`: read this, change those.

CREATE OR REPLACE FUNCTION is_erasure(name text, was jsonb, becomes jsonb)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select becomes = was || case name
      when 'payment_event' then jsonb_build_object(
        'data', without_personal(was->'data'), 'payment', without_personal(was->'payment'))
      when 'other_event' then jsonb_build_object('data', without_personal(was->'data'))
      when 'adjustment' then '{"reason": "erased"}'
    end
    and exists (
      select from erasure
      where finished_at is null and account_id = coalesce((was->>'account_id')::integer,
        (select account_id from payment where id = was->>'payment_id')))
$function$;

CREATE OR REPLACE FUNCTION keep_settlement_line()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  match constant text[] := '{payment_id,record_type,record_id,our_currency,ours,matched_at}';
begin
  if tg_op = 'UPDATE' and old.record_id is null
    and to_jsonb(new) - match = to_jsonb(old) - match
  then
    return new;
  end if;
  raise exception 'settlement_line is append-only' using errcode = 'integrity_constraint_violation';
end $function$;

CREATE OR REPLACE FUNCTION refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'UPDATE' then
    if is_erasure(tg_table_name, to_jsonb(old), to_jsonb(new)) then return new; end if;
  end if;
  raise exception '% is append-only', tg_table_name
    using errcode = 'integrity_constraint_violation';
end
$function$;

CREATE OR REPLACE FUNCTION reopen_days()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO '$user', 'public'
AS $function$
declare
  at timestamptz;
  brand bigint;
begin
  select min((to_jsonb(new)->>name)::timestamptz) into at from unnest(tg_argv) as name;
  select case tg_table_schema when 'public' then 0 else relnamespace::bigint end
    into brand from pg_class where oid = tg_relid;
  -- Whoever closes days has it too, until its end.
  perform pg_advisory_xact_lock(7240016 # (brand << 32));
  delete from daily_closing where day >= (at at time zone 'UTC')::date;
  delete from daily_comparison where day >= (at at time zone 'UTC')::date;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION signed_part(item jsonb)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select coalesce(jsonb_object_agg(name, one), '{}') from jsonb_each(item) as x(name, one)
  where name in ('amount', 'eventCode', 'eventDate', 'merchantAccountCode', 'merchantReference',
    'originalReference', 'paymentMethod', 'pspReference', 'success', 'createdAt', 'environment',
    'eventId', 'type')
$function$;

CREATE OR REPLACE FUNCTION without_personal(value text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case
    when value not like '{%' then value
    when without_personal(value::jsonb) = value::jsonb then value
    else without_personal(value::jsonb)::text
  end
$function$;

CREATE OR REPLACE FUNCTION without_personal(value jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
declare
  written constant text[] := '{description,reason,message,providerMessage,detail,fault}';
  formed constant text[] := '{metadata,customer,lastFour,expiryMonth,expiryYear,checkout,
    returnUrl,additionalData}';
begin
  case jsonb_typeof(value)
    when 'object' then return (
      select coalesce(jsonb_object_agg(name, case
        when name = any(formed) then 'null'::jsonb
        when name = any(written) and jsonb_typeof(one) = 'string' then '"erased"'::jsonb
        else without_personal(one) end), '{}')
      from jsonb_each(value) as x(name, one));
    when 'array' then return (
      select coalesce(jsonb_agg(without_personal(one) order by place), '[]')
      from jsonb_array_elements(value) with ordinality as x(one, place));
    else return value;
  end case;
end $function$;

create sequence webhook_delivery_number;

create table account (
  id integer not null,
  name text,
  currency char(3) not null,
  status text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint account_pkey primary key (id),
  constraint account_id_check check (id >= 1 and id <= 99999999),
  constraint account_status_check check (status in ('open', 'closed'))
);
create index account_currency on account (currency, id);

create table adjustment (
  id text not null,
  account_id integer not null,
  charge_id text,
  reference text not null,
  direction text not null,
  amount bigint not null,
  reason text not null,
  created_at timestamptz not null default now(),
  constraint adjustment_pkey primary key (id),
  constraint adjustment_reference_once unique (account_id, reference),
  constraint adjustment_amount_check check (amount > 0),
  constraint adjustment_direction_check check (direction in ('credit', 'debit')),
  constraint adjustment_account_id_fkey foreign key (account_id) references account(id),
  constraint adjustment_charge_id_fkey foreign key (charge_id) references charge(id)
);
create index adjustment_account on adjustment (account_id, id);
create trigger adjustment_append_only before delete or update on adjustment
  for each row execute function refuse_change();
create trigger adjustment_no_truncate before truncate on adjustment
  for each statement execute function refuse_change();

create table allocation (
  id bigint not null generated always as identity,
  account_id integer not null,
  transfer_id text not null,
  charge_id text,
  debit_transfer_id text,
  amount bigint not null,
  created_at timestamptz not null default now(),
  constraint allocation_pkey primary key (id),
  constraint allocation_amount_check check (amount <> 0),
  constraint only_charges_reopen check (amount > 0 or charge_id is not null),
  constraint pays_one check (num_nonnulls(charge_id, debit_transfer_id) = 1),
  constraint allocation_account_id_fkey foreign key (account_id) references account(id),
  constraint allocation_charge_id_fkey foreign key (charge_id) references charge(id),
  constraint allocation_debit_transfer_id_fkey foreign key (debit_transfer_id)
    references debit(transfer_id),
  constraint allocation_transfer_id_fkey foreign key (transfer_id) references credit(transfer_id)
);
create index allocation_account on allocation (account_id, id) where charge_id is not null;
create index allocation_charge on allocation (charge_id);
create index allocation_transfer on allocation (transfer_id);
create trigger allocation_append_only before delete or update on allocation
  for each row execute function refuse_change();
create trigger allocation_no_truncate before truncate on allocation
  for each statement execute function refuse_change();

create table api_key (
  hash bytea not null,
  client_id text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  prefix text,
  constraint api_key_pkey primary key (hash),
  constraint api_key_hash_check check (length(hash) = 32),
  constraint api_key_client_id_fkey foreign key (client_id) references client(id)
);
create index api_key_client on api_key (client_id);

create table api_key_use (
  hash bytea not null,
  last_used_at timestamptz not null,
  constraint api_key_use_pkey primary key (hash),
  constraint api_key_use_hash_fkey foreign key (hash) references api_key(hash)
);

create table authorisation (
  reference text not null,
  payment_id text not null,
  currency char(3) not null,
  amount bigint not null,
  outcome text not null,
  disposition text,
  reported jsonb not null default '[]',
  created_at timestamptz not null default now(),
  constraint authorisation_pkey primary key (reference),
  constraint authorisation_amount_check check (amount >= 0),
  constraint authorisation_disposition_check check (disposition in ('kept', 'released',
    'reversing', 'differs', 'applied', 'writtenOff')),
  constraint authorisation_outcome_check check (outcome in ('refused', 'authorised')),
  constraint authorised_has_disposition
    check ((outcome = 'authorised') = (disposition is not null)),
  constraint authorisation_payment_id_fkey foreign key (payment_id) references payment(id)
);
create unique index authorisation_kept_once on authorisation (payment_id)
  where disposition = 'kept';
create index authorisation_payment on authorisation (payment_id);

create table billing_file (
  id text not null,
  transaction_type text not null,
  currency char(3) not null,
  total_amount bigint not null,
  record_count integer not null,
  content text not null,
  created_at timestamptz not null,
  constraint billing_file_pkey primary key (id),
  constraint billing_file_id_check check (length(id) <= 20),
  constraint billing_file_record_count_check check (record_count >= 0),
  constraint billing_file_total_amount_check check (total_amount >= 0),
  constraint billing_file_transaction_type_check check (transaction_type in ('payment', 'refund'))
);
create trigger billing_file_append_only before delete or update on billing_file
  for each row execute function refuse_change();
create trigger billing_file_no_truncate before truncate on billing_file
  for each statement execute function refuse_change();

create table billing_posting (
  position bigint not null generated always as identity,
  id text not null,
  file_id text,
  file_sequence integer,
  status text not null default 'open',
  reason text,
  acknowledged_at timestamptz,
  constraint billing_posting_pkey primary key ("position"),
  constraint billing_posting_id_once unique (id),
  constraint acknowledged_has_time check ((status = 'open') = (acknowledged_at is null)),
  constraint billing_posting_file_sequence_check check (file_sequence > 0),
  constraint billing_posting_status_check check (status in ('open', 'posted', 'rejected')),
  constraint in_file_has_place check ((file_id is null) = (file_sequence is null)),
  constraint rejected_says_why check (status <> 'rejected' or reason is not null),
  constraint billing_posting_file_id_fkey foreign key (file_id) references billing_file(id),
  constraint billing_posting_id_fkey foreign key (id) references ledger_transfer(id)
) with (fillfactor=80);
create index billing_posting_acknowledged on billing_posting (acknowledged_at)
  where acknowledged_at is not null;
create unique index billing_posting_place_once on billing_posting (file_id, file_sequence)
  where file_id is not null;
create index billing_posting_status on billing_posting (status, "position")
  where status <> 'posted';
create index billing_posting_unfiled on billing_posting ("position") where status = 'open'
  and file_id is null;

create table card (
  id text not null,
  account_id integer not null,
  token text not null,
  brand text,
  last_four text,
  expiry_month smallint,
  expiry_year smallint,
  funding text,
  next_attempt_at timestamptz,
  attempts integer not null default 0,
  lease uuid,
  leased_until timestamptz,
  created_at timestamptz not null default now(),
  removed_at timestamptz,
  constraint card_pkey primary key (id),
  constraint card_id_check check (length(id) <= 30),
  constraint lease_is_whole check ((lease is null) = (leased_until is null)),
  constraint only_removed_is_due check (next_attempt_at is null or removed_at is not null),
  constraint card_account_id_fkey foreign key (account_id) references account(id)
);
create index card_account on card (account_id, id);
create index card_due on card (next_attempt_at) where next_attempt_at is not null;
create unique index card_token_once on card (account_id, token) where removed_at is null;

create table card_registration (
  id text not null,
  client_id text not null,
  idempotency_key text not null,
  account_id integer not null,
  currency char(3) not null,
  return_url text not null,
  customer jsonb,
  status text not null default 'pending',
  provider_key text not null,
  provider_session text,
  checkout_url text,
  next_attempt_at timestamptz,
  attempts integer not null default 0,
  lease uuid,
  leased_until timestamptz,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  returned_at timestamptz,
  finished_at timestamptz,
  card_token text,
  name text,
  description text,
  constraint card_registration_pkey primary key (id),
  constraint card_registration_status_check check (status in ('pending', 'completed', 'refused',
    'failed')),
  constraint finished_has_time check ((status = 'pending') = (finished_at is null)),
  constraint lease_is_whole check ((lease is null) = (leased_until is null)),
  constraint only_without_page_is_due check (next_attempt_at is null or provider_session is null
    and status <> 'failed'),
  constraint page_is_whole check ((provider_session is null) = (checkout_url is null)),
  constraint card_registration_account_id_fkey foreign key (account_id) references account(id),
  constraint card_registration_client_id_fkey foreign key (client_id) references client(id)
);
create index card_registration_account on card_registration (account_id, id);
create index card_registration_due on card_registration (next_attempt_at)
  where next_attempt_at is not null;

create table card_sync (
  account_id integer not null,
  next_attempt_at timestamptz,
  attempts integer not null default 0,
  looks integer not null default 0,
  lease uuid,
  leased_until timestamptz,
  constraint card_sync_pkey primary key (account_id),
  constraint lease_is_whole check ((lease is null) = (leased_until is null))
);
create index card_sync_due on card_sync (next_attempt_at) where next_attempt_at is not null;

create table charge (
  id text not null,
  account_id integer not null,
  reference text not null,
  amount bigint not null,
  open_amount bigint not null,
  in_query boolean not null default false,
  due_at timestamptz not null,
  created_at timestamptz not null default now(),
  constraint charge_pkey primary key (id),
  constraint charge_reference_once unique (account_id, reference),
  constraint charge_amount_check check (amount > 0),
  constraint open_within_amount check (open_amount >= 0 and open_amount <= amount),
  constraint charge_account_id_fkey foreign key (account_id) references account(id)
);
create index charge_account on charge (account_id, id);
create index charge_open on charge (account_id, due_at, id) where open_amount > 0;

create table client (
  id text not null,
  name text not null,
  scopes text[] not null,
  third_party boolean not null default false,
  return_origins text[] not null default '{}',
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  oauth_subject text,
  constraint client_pkey primary key (id),
  constraint client_oauth_subject_check check (oauth_subject ~ '^[!-~]{1,255}$'),
  constraint third_party_scopes check (not third_party or not scopes && array['accounts:write',
    'refunds:approve', 'reconciliation:read', 'reconciliation:write'])
);
create unique index client_name_in_use_once on client (name) where revoked_at is null;
create unique index client_oauth_subject_once on client (oauth_subject) where revoked_at is null
  and oauth_subject is not null;

create table comparison_mark (
  id boolean not null default true,
  until timestamptz not null,
  constraint comparison_mark_pkey primary key (id),
  constraint one_mark check (id)
);

create table create_batch (
  payment_ids text[] not null,
  due_at timestamptz not null
) with (autovacuum_vacuum_threshold=1000, autovacuum_vacuum_scale_factor=0);
create index create_batch_due on create_batch (due_at);

create table credit (
  transfer_id text not null,
  account_id integer not null,
  amount bigint not null,
  open_amount bigint not null,
  constraint credit_pkey primary key (transfer_id),
  constraint credit_amount_check check (amount > 0),
  constraint open_within_amount check (open_amount >= 0 and open_amount <= amount),
  constraint credit_account_id_fkey foreign key (account_id) references account(id),
  constraint credit_transfer_id_fkey foreign key (transfer_id) references ledger_transfer(id)
);
create index credit_open on credit (account_id, transfer_id) where open_amount > 0;

create table daily_closing (
  day date not null,
  postings jsonb not null,
  settled jsonb not null,
  closed_at timestamptz not null default now(),
  constraint daily_closing_pkey primary key (day)
);

create table daily_comparison (
  day date not null,
  sums jsonb not null,
  constraint daily_comparison_pkey primary key (day)
);

create table debit (
  transfer_id text not null,
  account_id integer not null,
  amount bigint not null,
  open_amount bigint not null,
  constraint debit_pkey primary key (transfer_id),
  constraint debit_amount_check check (amount > 0),
  constraint open_within_amount check (open_amount >= 0 and open_amount <= amount),
  constraint debit_account_id_fkey foreign key (account_id) references account(id),
  constraint debit_transfer_id_fkey foreign key (transfer_id) references ledger_transfer(id)
);
create index debit_open on debit (account_id, transfer_id) where open_amount > 0;

create table discrepancy (
  id text not null,
  kind text not null,
  fact text not null,
  payment_id text,
  details jsonb not null,
  status text not null default 'open',
  resolution text,
  reason text,
  operator jsonb,
  created_at timestamptz not null default now(),
  reopened_at timestamptz,
  resolved_at timestamptz,
  constraint discrepancy_pkey primary key (id),
  constraint discrepancy_fact_once unique (kind, fact),
  constraint discrepancy_kind_check check (kind in ('paid_after_end', 'reversal_failed',
    'success_without_reference', 'outcome_unknown', 'amount_differs', 'refund_and_chargeback',
    'refunded_beyond_captured', 'recapture_unconfirmed', 'reversal_amount_unknown',
    'possible_duplicate', 'fraud_reported', 'notification_not_understood', 'settlement_missing',
    'settlement_unmatched', 'settlement_doubled', 'settlement_amount', 'billing_rejected')),
  constraint discrepancy_status_check check (status in ('open', 'resolved')),
  constraint resolved_says_how check ((status = 'resolved') = (resolution is not null
    and resolved_at is not null)),
  constraint discrepancy_payment_id_fkey foreign key (payment_id) references payment(id)
);
create index discrepancy_created on discrepancy (kind, created_at);
create index discrepancy_kind on discrepancy (kind, id);
create index discrepancy_open on discrepancy (id) where status = 'open';
create index discrepancy_payment on discrepancy (payment_id);
create index discrepancy_refunded on discrepancy (id) where status = 'resolved'
  and resolution = 'refund';
create index discrepancy_resolved_kind on discrepancy (resolved_at, kind, created_at)
  where resolved_at is not null;

create table dispute (
  id text not null,
  payment_id text not null,
  reference text not null,
  also_reported_as text[] not null default '{}',
  currency char(3) not null,
  amount bigint not null,
  amount_charged_back bigint not null default 0,
  status text not null,
  stage text not null,
  reason text,
  reason_code text,
  reported text[] not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  defend_by timestamptz,
  closed_at timestamptz,
  constraint dispute_pkey primary key (id),
  constraint dispute_reference_once unique (payment_id, reference),
  constraint charged_back_within_disputed check (amount_charged_back >= 0
    and amount_charged_back <= amount),
  constraint closed_has_time check ((status = 'open') = (closed_at is null)),
  constraint dispute_amount_check check (amount >= 0),
  constraint dispute_stage_check check (stage in ('informationRequest', 'notification',
    'chargeback', 'chargebackReversed', 'secondChargeback', 'preArbitration', 'arbitration')),
  constraint dispute_status_check check (status in ('open', 'won', 'lost')),
  constraint dispute_payment_id_fkey foreign key (payment_id) references payment(id)
);
create index dispute_deadline on dispute (defend_by, id) where defend_by is not null;
create index dispute_reference on dispute (reference);
create index dispute_status on dispute (status, id);
create index dispute_status_deadline on dispute (status, defend_by, id)
  where defend_by is not null;

create table dispute_reminder (
  dispute_id text not null,
  days smallint not null,
  created_at timestamptz not null default now(),
  defend_by timestamptz default 'infinity'::timestamptz,
  constraint dispute_reminder_pkey primary key (dispute_id, days),
  constraint reminder_of_a_kind check (days in (7, 2)),
  constraint dispute_reminder_dispute_id_fkey foreign key (dispute_id) references dispute(id)
);

create table erasure (
  id bigint not null generated always as identity,
  account_id integer not null,
  asked_by text not null,
  begun_at timestamptz not null default now(),
  finished_at timestamptz,
  counts jsonb not null default '{}',
  constraint erasure_pkey primary key (id),
  constraint erasure_asked_by_check check (length(asked_by) >= 1 and length(asked_by) <= 100),
  constraint erasure_account_id_fkey foreign key (account_id) references account(id)
);
create unique index erasure_open_once on erasure (account_id) where finished_at is null;

create table event_feed (
  position bigint not null generated always as identity,
  payment_id text,
  sequence integer,
  event_id text,
  type text not null,
  account_id integer,
  client_id text,
  constraint event_feed_pkey primary key ("position"),
  constraint event_feed_payment_once unique (payment_id, sequence),
  constraint event_of_one check (num_nonnulls(payment_id, event_id) = 1),
  constraint event_feed_event_id_fkey foreign key (event_id) references other_event(id)
);
create index event_feed_client on event_feed (client_id, "position");
create unique index event_feed_other_once on event_feed (event_id) where event_id is not null;

create table event_outbox (
  payment_id text,
  sequence integer,
  event_id text,
  next_attempt_at timestamptz not null default now(),
  attempts integer not null default 0,
  created_at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_threshold=1000, autovacuum_vacuum_scale_factor=0);
create index event_outbox_set_aside on event_outbox (payment_id, sequence) where attempts > 0;

create table idempotency_key (
  client_id text not null,
  key text not null,
  fingerprint bytea not null,
  resource_id text not null,
  reply_status smallint,
  reply_body text,
  next_attempt_at timestamptz,
  attempts integer not null default 0,
  lease uuid,
  leased_until timestamptz,
  created_at timestamptz not null default now(),
  constraint idempotency_key_pkey primary key (client_id, key),
  constraint due_until_answered check (next_attempt_at is null or reply_status is null),
  constraint lease_is_whole check ((lease is null) = (leased_until is null)),
  constraint reply_is_whole check ((reply_status is null) = (reply_body is null))
) with (fillfactor=12);
create index idempotency_key_created on idempotency_key (created_at);
create index idempotency_key_due on idempotency_key (next_attempt_at)
  where next_attempt_at is not null;

create table latest_payment (
  account_id integer not null,
  amount bigint not null,
  payment_id text not null,
  expected_id text,
  created_at timestamptz not null,
  constraint latest_payment_pkey primary key (account_id, amount)
) with (fillfactor=70);

create table ledger_transfer (
  id text not null,
  account_id integer not null,
  payment_id text,
  debit_account text not null,
  credit_account text not null,
  currency char(3) not null,
  amount bigint not null,
  posting text not null,
  fact text not null,
  cause_type text not null,
  cause_id text not null,
  created_at timestamptz not null default now(),
  constraint ledger_transfer_pkey primary key (id),
  constraint ledger_transfer_fact_once unique (posting, fact),
  constraint ledger_transfer_amount_check check (amount > 0),
  constraint two_sides check (debit_account <> credit_account),
  constraint ledger_transfer_account_id_fkey foreign key (account_id) references account(id),
  constraint ledger_transfer_payment_id_fkey foreign key (payment_id) references payment(id)
);
create index ledger_transfer_account on ledger_transfer (account_id, id);
create index ledger_transfer_created on ledger_transfer (created_at);
create index ledger_transfer_payment on ledger_transfer (payment_id);
create trigger ledger_transfer_append_only before delete or update on ledger_transfer
  for each row execute function refuse_change();
create trigger ledger_transfer_no_truncate before truncate on ledger_transfer
  for each statement execute function refuse_change();
create trigger ledger_transfer_reopens after insert on ledger_transfer
  for each row when (new.created_at < (clock_timestamp() - interval '12:00:00'))
  execute function reopen_days('created_at');

create table notification (
  id text not null,
  fingerprint bytea not null,
  event_code text not null,
  success boolean not null,
  psp_reference text not null,
  original_reference text,
  merchant_reference text not null,
  merchant_account text not null,
  currency char(3),
  amount bigint not null,
  live boolean not null,
  item jsonb not null,
  status text not null,
  fault text,
  next_attempt_at timestamptz,
  attempts integer not null default 0,
  lease uuid,
  leased_until timestamptz,
  received_at timestamptz not null default now(),
  applied_at timestamptz,
  constraint notification_pkey primary key (id),
  constraint notification_fingerprint_once unique (fingerprint),
  constraint due_while_open check ((next_attempt_at is not null) = (status in ('received',
    'waiting'))),
  constraint lease_is_whole check ((lease is null) = (leased_until is null)),
  constraint notification_status_check check (status in ('received', 'applied', 'ignored',
    'waiting', 'parked', 'foreign')),
  constraint parked_says_why check (status <> 'parked' or fault is not null)
) with (fillfactor=70);
create index notification_due on notification (next_attempt_at) where next_attempt_at is not null;
create index notification_merchant_reference on notification (merchant_reference);
create index notification_not_applied on notification (status, id)
  where status not in ('received', 'applied');
create index notification_other_code on notification (event_code, id)
  where event_code <> 'AUTHORISATION';

create table operation (
  id text not null,
  kind text not null,
  payment_id text not null,
  authorisation_reference text,
  origin text not null default 'client',
  reason text,
  operator jsonb,
  decision jsonb,
  processor jsonb,
  currency char(3) not null,
  amount bigint not null,
  status text not null,
  failure jsonb,
  provider_key text,
  provider_reference text,
  also_reported_as text[] not null default '{}',
  reported jsonb not null default '[]',
  next_attempt_at timestamptz,
  attempts integer not null default 0,
  lease uuid,
  leased_until timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  first_tried_at timestamptz,
  constraint operation_pkey primary key (id),
  constraint failed_says_why check ((status = 'failed') = (failure is not null)),
  constraint lease_is_whole check ((lease is null) = (leased_until is null)),
  constraint only_refunds_wait_for_approval check (kind = 'refund'
    or (status not in ('awaitingApproval', 'rejected')) and decision is null),
  constraint only_requested_is_due check (next_attempt_at is null or status = 'requested'),
  constraint operation_amount_check check (amount > 0),
  constraint operation_kind_check check (kind in ('capture', 'cancellation', 'refund',
    'reversal')),
  constraint operation_origin_check check (origin in ('client', 'provider')),
  constraint operation_status_check check (status in ('awaitingApproval', 'requested',
    'succeeded', 'failed', 'rejected')),
  constraint rejected_was_decided check (status <> 'rejected' or decision is not null),
  constraint operation_authorisation_reference_fkey foreign key (authorisation_reference)
    references authorisation(reference),
  constraint operation_payment_id_fkey foreign key (payment_id) references payment(id)
);
create unique index operation_cancellation_once on operation (payment_id)
  where kind = 'cancellation' and status = 'requested';
create index operation_due on operation (next_attempt_at) where next_attempt_at is not null;
create index operation_payment on operation (payment_id, kind, id);
create index operation_provider_reference on operation (provider_reference)
  where provider_reference is not null;
create unique index operation_recorded_once on operation ((processor ->> 'name'),
  (processor ->> 'reference')) where processor is not null;
create unique index operation_reversal_once on operation (authorisation_reference)
  where kind = 'reversal' and status <> 'failed';
create index operation_settled on operation (updated_at) where (kind in ('capture', 'refund'))
  and status = 'succeeded';

create table other_event (
  id text not null,
  type text not null,
  account_id integer,
  client_id text,
  data jsonb not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint other_event_pkey primary key (id),
  constraint other_event_account_id_fkey foreign key (account_id) references account(id),
  constraint other_event_client_id_fkey foreign key (client_id) references client(id)
);
create index other_event_created on other_event using brin (created_at) with (autosummarize='on',
  pages_per_range='32');
create trigger other_event_append_only before delete or update on other_event
  for each row execute function refuse_change();
create trigger other_event_no_truncate before truncate on other_event
  for each statement execute function refuse_change();

create table page_return (
  payment_id text not null,
  session_result text not null,
  next_attempt_at timestamptz,
  attempts integer not null default 0,
  lease uuid,
  leased_until timestamptz,
  returned_at timestamptz not null default now(),
  constraint page_return_pkey primary key (payment_id),
  constraint lease_is_whole check ((lease is null) = (leased_until is null)),
  constraint page_return_payment_id_fkey foreign key (payment_id) references payment(id)
);
create index page_return_due on page_return (next_attempt_at) where next_attempt_at is not null;

create table payment (
  id text not null,
  client_id text not null,
  idempotency_key text,
  account_id integer not null,
  channel text not null,
  method text not null,
  reference text,
  description text,
  metadata jsonb,
  customer jsonb,
  operator jsonb,
  capture text not null,
  save_card text not null,
  return_url text,
  registered_card_id text,
  card_token text,
  processor_name text,
  processor_reference text,
  authorisation_code text,
  taken_at timestamptz,
  currency char(3) not null,
  amount bigint not null,
  amount_authorised bigint not null default 0,
  amount_captured bigint not null default 0,
  amount_refunding bigint not null default 0,
  amount_refunded bigint not null default 0,
  amount_charged_back bigint not null default 0,
  allocations jsonb,
  settlement jsonb,
  status text not null,
  cancelled_by text,
  failure jsonb,
  card jsonb,
  authorisation_reference text,
  event_count integer not null default 1,
  provider_key text,
  provider_session text,
  checkout_url text,
  reported_paid_at timestamptz,
  redirect_result text,
  returned_at timestamptz,
  next_attempt_at timestamptz,
  attempts integer not null default 0,
  lease uuid,
  leased_until timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  expires_at timestamptz not null,
  finished_at timestamptz,
  payment_methods jsonb,
  authentication jsonb,
  constraint payment_pkey primary key (id),
  constraint agent_is_named check (channel <> 'agent' or operator is not null),
  constraint cancelled_says_who check ((status = 'cancelled') = (cancelled_by is not null)),
  constraint captured_has_amount check ((status = 'captured') = (amount_captured > 0)),
  constraint captured_within_authorised check (amount_captured >= 0
    and amount_captured <= amount_authorised),
  constraint charge_has_token check ((method = 'registeredCard') = (card_token is not null)),
  constraint ended_says_why check ((status not in ('refused', 'expired', 'failed'))
    or failure is not null),
  constraint finished_has_time check ((status not in ('pending',
    'authorised')) = (finished_at is not null)),
  constraint lease_is_whole check ((lease is null) = (leased_until is null)),
  constraint method_has_its_own check ((method <> 'hostedPage' or return_url is not null)
    and (method = 'registeredCard') = (registered_card_id is not null)
    and (method = 'recorded') = (processor_name is not null)
    and (method = 'recorded') = (processor_reference is not null)
    and (method = 'recorded') = (taken_at is not null)
    and (method <> 'recorded') = (idempotency_key is not null and provider_key is not null)),
  constraint only_pending_is_due check (next_attempt_at is null or status = 'pending'),
  constraint paid_has_authorisation check ((status not in ('authorised', 'captured'))
    or failure is null and (authorisation_reference is not null or method = 'recorded')),
  constraint payment_amount_authorised_check check (amount_authorised >= 0),
  constraint payment_amount_check check (amount > 0),
  constraint payment_cancelled_by_check check (cancelled_by in ('customer', 'client')),
  constraint payment_capture_check check (capture in ('automatic', 'manual')),
  constraint payment_channel_check check (channel in ('selfcare', 'ivr', 'agent', 'service')),
  constraint payment_id_check check (length(id) <= 20),
  constraint payment_method_check check (method in ('hostedPage', 'paymentLink', 'registeredCard',
    'recorded')),
  constraint payment_save_card_check check (save_card in ('never', 'ask', 'always')),
  constraint payment_status_check check (status in ('pending', 'authorised', 'captured',
    'refused', 'cancelled', 'expired', 'failed')),
  constraint refunded_not_negative check (amount_refunded >= 0 and amount_refunding >= 0
    and amount_charged_back >= 0),
  constraint returned_has_time check ((redirect_result is null) = (returned_at is null)),
  constraint payment_account_id_fkey foreign key (account_id) references account(id),
  constraint payment_authorisation_reference_fkey foreign key (authorisation_reference)
    references authorisation(reference),
  constraint payment_client_id_fkey foreign key (client_id) references client(id),
  constraint payment_registered_card_id_fkey foreign key (registered_card_id) references card(id)
) with (fillfactor=45);
create index payment_account on payment (account_id, id);
create index payment_amount on payment (amount, id);
create index payment_authorisation_code on payment (authorisation_code)
  where authorisation_code is not null;
create index payment_brand on payment (lower(card ->> 'brand'), id) where card is not null;
create statistics payment_brand_values on lower(card ->> 'brand') from payment;
create index payment_channel on payment (channel, method, id);
create index payment_client on payment (client_id, id);
create index payment_due on payment (next_attempt_at) where next_attempt_at is not null;
create index payment_last_four on payment ((card ->> 'lastFour'), id) where card is not null;
create statistics payment_last_four_values on (card ->> 'lastFour') from payment;
create index payment_metadata on payment using gin (metadata jsonb_path_ops)
  where metadata is not null;
create index payment_operator
  on payment (replace(upper(lower(regexp_replace(normalize(operator ->> 'id', nfkc), '\s+', ' ',
  'g'))), 'ß', 'SS'), id) where operator is not null;
create index payment_processor_reference on payment (processor_reference)
  where processor_reference is not null;
create index payment_recorded_late on payment (taken_at)
  where (created_at - taken_at) > interval '1 day';
create unique index payment_recorded_once on payment (processor_name, processor_reference)
  where processor_name is not null;
create index payment_reference on payment (reference, id) where reference is not null;
create index payment_status on payment (status, id) where status <> 'captured';
create index payment_unsettled on payment (finished_at) where settlement is null
  and status = 'captured' and capture = 'automatic';

create table payment_event (
  payment_id text not null,
  sequence integer not null,
  type text not null,
  data jsonb not null,
  payment jsonb,
  created_at timestamptz not null default now(),
  constraint payment_event_pkey primary key (payment_id, sequence),
  constraint first_event_needs_no_payment check ((sequence = 1) = (payment is null)),
  constraint payment_event_sequence_check check (sequence > 0)
);
create index payment_event_created on payment_event using brin (created_at)
  with (autosummarize='on', pages_per_range='32');
create trigger payment_event_append_only before delete or update on payment_event
  for each row execute function refuse_change();
create trigger payment_event_no_truncate before truncate on payment_event
  for each statement execute function refuse_change();

create table posting_outbox (
  transfer_id text not null,
  next_attempt_at timestamptz not null default now(),
  attempts integer not null default 0,
  created_at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_threshold=1000, autovacuum_vacuum_scale_factor=0);

create table settlement_content (
  report_id text not null,
  number integer not null,
  piece bytea not null,
  constraint settlement_content_pkey primary key (report_id, number),
  constraint settlement_content_report_id_fkey foreign key (report_id)
    references settlement_report(id) on delete cascade
);

create table settlement_line (
  id bigint not null generated always as identity,
  report_id text not null,
  line integer not null,
  fact bytea not null,
  occurrence integer not null,
  merchant_account text not null,
  batch text not null,
  type text not null,
  meaning text not null,
  psp_reference text,
  merchant_reference text,
  modification_reference text,
  modification_merchant_reference text,
  booked_as text not null,
  zone text not null,
  booked_at timestamptz,
  gross_currency char(3) not null,
  gross bigint not null,
  net_currency char(3) not null,
  net bigint not null,
  fees bigint not null,
  payment_id text,
  record_type text,
  record_id text,
  our_currency char(3),
  ours bigint,
  created_at timestamptz not null default now(),
  matched_at timestamptz,
  settled_at timestamptz,
  other_fees bigint not null default 0,
  fees_named boolean not null default true,
  constraint settlement_line_pkey primary key (id),
  constraint settlement_line_fact_once unique (fact, occurrence),
  constraint matched_has_time check ((record_id is null) = (matched_at is null)),
  constraint record_is_whole check ((record_type is null) = (record_id is null)
    and (record_id is null) = (ours is null) and (ours is null) = (our_currency is null)),
  constraint settlement_line_payment_id_fkey foreign key (payment_id) references payment(id),
  constraint settlement_line_report_id_fkey foreign key (report_id)
    references settlement_report(id)
);
create index settlement_line_created on settlement_line (created_at);
create index settlement_line_matched on settlement_line (matched_at) where matched_at is not null;
create index settlement_line_payment on settlement_line (payment_id) where payment_id is not null;
create index settlement_line_record on settlement_line (record_id) where record_id is not null;
create trigger settlement_line_append_only before delete or update on settlement_line
  for each row execute function keep_settlement_line();
create trigger settlement_line_match_reopens after update on settlement_line
  for each row when (new.matched_at < (clock_timestamp() - interval '12:00:00'))
  execute function reopen_days('matched_at');
create trigger settlement_line_no_truncate before truncate on settlement_line
  for each statement execute function refuse_change();
create trigger settlement_line_reopens after insert on settlement_line
  for each row when (least(new.created_at,
  new.matched_at) < (clock_timestamp() - interval '12:00:00'))
  execute function reopen_days('created_at', 'matched_at');

create table settlement_report (
  id text not null,
  origin text not null,
  kind text,
  file_name text,
  url text,
  notification_id text,
  content_hash bytea,
  size bigint not null default 0,
  lines integer not null default 0,
  applied integer not null default 0,
  matched integer not null default 0,
  discrepancies integer not null default 0,
  unknown_types text[] not null default '{}',
  unchecked_batches text[] not null default '{}',
  status text not null,
  fault text,
  next_attempt_at timestamptz,
  attempts integer not null default 0,
  lease uuid,
  leased_until timestamptz,
  created_at timestamptz not null default now(),
  staged_at timestamptz,
  booked_until timestamptz,
  finished_at timestamptz,
  unknown_zones text[] not null default '{}',
  payouts jsonb not null default '{}',
  read_at timestamptz,
  constraint settlement_report_pkey primary key (id),
  constraint finished_has_time check ((status in ('done', 'refused')) = (finished_at is not null)),
  constraint finished_is_not_due check (next_attempt_at is null or finished_at is null),
  constraint lease_is_whole check ((lease is null) = (leased_until is null)),
  constraint refused_says_why check (status <> 'refused' or fault is not null),
  constraint settlement_report_kind_check check (kind in ('settlementDetails',
    'paymentAccounting')),
  constraint settlement_report_origin_check check (origin in ('upload', 'provider')),
  constraint settlement_report_status_check check (status in ('uploading', 'awaitingUpload',
    'received', 'processing', 'done', 'refused')),
  constraint settlement_report_notification_id_fkey foreign key (notification_id)
    references notification(id)
);
create unique index settlement_report_content_once on settlement_report (content_hash)
  where content_hash is not null and status <> 'refused';
create index settlement_report_due on settlement_report (next_attempt_at)
  where next_attempt_at is not null;
create unique index settlement_report_file_once on settlement_report (file_name)
  where origin = 'provider';

create table settlement_staged (
  report_id text not null,
  line integer not null,
  fact bytea not null,
  content jsonb,
  is_ours boolean,
  is_repeated boolean,
  merchant_account text,
  batch text,
  type text,
  meaning text,
  psp_reference text,
  merchant_reference text,
  modification_reference text,
  modification_merchant_reference text,
  booked_as text,
  zone text,
  booked_at timestamptz,
  booked_from timestamptz,
  settled_at timestamptz,
  gross_currency text,
  gross bigint,
  net_currency text,
  net bigint,
  fees bigint,
  other_fees bigint,
  fees_named boolean,
  constraint settlement_staged_pkey primary key (report_id, line),
  constraint settlement_staged_report_id_fkey foreign key (report_id)
    references settlement_report(id)
);
create index settlement_staged_fact on settlement_staged (report_id, fact, line);

create table tmf_post (
  resource_id text not null,
  kind text not null,
  client_id text not null,
  correlator_id text,
  fingerprint bytea not null,
  body text not null,
  created_at timestamptz not null default now(),
  constraint tmf_post_pkey primary key (resource_id),
  constraint tmf_post_kind_check check (kind in ('payment', 'refund')),
  constraint tmf_post_client_id_fkey foreign key (client_id) references client(id)
);
create unique index tmf_post_once on tmf_post (correlator_id, kind, client_id)
  where correlator_id is not null;

create table webhook_attempt (
  delivery_id text not null,
  number integer not null,
  started_at timestamptz not null,
  duration_ms integer not null,
  http_status smallint,
  error text,
  response text,
  constraint webhook_attempt_pkey primary key (delivery_id, number),
  constraint answered_or_not check (num_nonnulls(http_status, error) = 1),
  constraint webhook_attempt_delivery_id_fkey foreign key (delivery_id)
    references webhook_delivery(id) on delete cascade
);

create table webhook_delivery (
  id text not null default 'whd_' || lpad(nextval('webhook_delivery_number'::regclass)::text, 16,
    '0'),
  endpoint_id text not null,
  term integer not null default 0,
  position bigint,
  event_id text not null,
  type text not null,
  payment_id text,
  sequence integer,
  status text not null default 'pending',
  attempts_made integer not null default 0,
  next_attempt_at timestamptz default now(),
  attempts integer not null default 0,
  lease uuid,
  leased_until timestamptz,
  created_at timestamptz not null default now(),
  started_at timestamptz not null default now(),
  delivered_at timestamptz,
  constraint webhook_delivery_pkey primary key (id),
  constraint webhook_delivery_position_once unique (endpoint_id, "position"),
  constraint delivered_has_time check ((status = 'delivered') = (delivered_at is not null)),
  constraint lease_is_whole check ((lease is null) = (leased_until is null)),
  constraint only_pending_is_due check ((status = 'pending') = (next_attempt_at is not null)),
  constraint only_pending_is_leased check (status = 'pending' or lease is null),
  constraint webhook_delivery_status_check check (status in ('pending', 'delivered', 'failed')),
  constraint webhook_delivery_endpoint_id_fkey foreign key (endpoint_id)
    references webhook_endpoint(id),
  constraint webhook_delivery_position_fkey foreign key ("position")
    references event_feed("position")
) with (fillfactor=80);
create index webhook_delivery_due on webhook_delivery (endpoint_id, term, next_attempt_at,
  "position") where next_attempt_at is not null;
create index webhook_delivery_endpoint on webhook_delivery (endpoint_id, id);
create index webhook_delivery_leased on webhook_delivery (endpoint_id) where lease is not null;
create index webhook_delivery_order on webhook_delivery (endpoint_id, payment_id, sequence)
  where next_attempt_at is not null;
create index webhook_delivery_status on webhook_delivery (endpoint_id, status, id)
  where status <> 'delivered';

create table webhook_endpoint (
  id text not null,
  client_id text not null,
  url text not null,
  events text[] not null,
  description text,
  secret text,
  old_secret text,
  old_secret_until timestamptz,
  status text not null default 'enabled',
  disabled_reason text,
  term integer not null default 0,
  failing_since timestamptz,
  stopped_at timestamptz,
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  format text not null default 'standard',
  query text,
  constraint webhook_endpoint_pkey primary key (id),
  constraint deleted_has_no_secret check ((deleted_at is null) = (secret is not null)
    and (deleted_at is null or old_secret is null)),
  constraint deleted_is_disabled check (deleted_at is null or status = 'disabled'),
  constraint disabled_says_why check ((status = 'disabled') = (disabled_reason is not null)),
  constraint format_is_known check (format in ('standard', 'cloudevents', 'tmf676')),
  constraint query_is_of_a_hub check (query is null or format = 'tmf676'),
  constraint webhook_endpoint_disabled_reason_check check (disabled_reason in ('client',
    'failing', 'gone')),
  constraint webhook_endpoint_events_check check (cardinality(events) > 0),
  constraint webhook_endpoint_status_check check (status in ('enabled', 'disabled')),
  constraint webhook_endpoint_client_id_fkey foreign key (client_id) references client(id)
);
create index webhook_endpoint_client on webhook_endpoint (client_id, id) where deleted_at is null;
create index webhook_endpoint_stopped on webhook_endpoint (id) where stopped_at is not null;

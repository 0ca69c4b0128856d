-- Payments, all that happened to them, and what was asked of the provider.

create table payment (
  id text primary key check (length(id) <= 20), -- CMP's TransactionReference holds 20.
  client_id text not null,
  idempotency_key text not null,
  account_id integer not null references account,
  currency char(3) not null,
  amount bigint not null check (amount > 0),
  channel text not null check (channel in ('selfcare', 'ivr', 'agent', 'service')),
  method text not null check (method in ('hostedPage')),
  capture text not null check (capture in ('automatic', 'manual')),
  save_card text not null check (save_card in ('never', 'ask', 'always')),
  return_url text not null,
  reference text,
  description text,
  metadata jsonb,
  customer jsonb,
  operator jsonb,
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),

  status text not null check (
    status in ('pending', 'authorised', 'captured', 'refused', 'cancelled', 'expired', 'failed')
  ),
  -- Who ended it, where that decides over a late success: the customer on the page, or our client.
  cancelled_by text check (cancelled_by in ('customer', 'client')),
  failure jsonb,
  card jsonb,
  -- The authorisation whose money was kept.
  authorisation text,
  amount_captured bigint not null default 0,
  amount_refunded bigint not null default 0,
  amount_charged_back bigint not null default 0,
  event_count integer not null default 1,
  updated_at timestamptz not null default now(),
  finished_at timestamptz,

  -- The idempotency key under which the page is asked for: stored before the call.
  provider_key text not null,
  provider_session text,
  checkout_url text,
  -- When to end the payment if its page ended without an outcome.
  due_at timestamptz,

  constraint agent_is_named check (channel <> 'agent' or operator is not null),
  constraint captured_within_authorised check (amount_captured between 0 and amount),
  constraint refunded_within_captured check (amount_refunded between 0 and amount_captured),
  constraint paid_has_authorisation check (
    (status in ('authorised', 'captured')) <= (authorisation is not null and failure is null)
  ),
  constraint captured_has_amount check ((status = 'captured') = (amount_captured > 0)),
  constraint ended_says_why check (
    status not in ('refused', 'expired', 'failed') or failure is not null
  ),
  constraint cancelled_says_who check ((status = 'cancelled') = (cancelled_by is not null)),
  constraint finished_has_time check (
    (status not in ('pending', 'authorised')) = (finished_at is not null)
  ),
  constraint only_pending_is_due check (due_at is null or status = 'pending')
) with (fillfactor = 70); -- The page is written into the same page.
-- Ids are sortable by time, so lists go by id.
create index payment_account on payment (account_id, id);
create index payment_client on payment (client_id, id);
create index payment_reference on payment (reference, id) where reference is not null;
create index payment_metadata on payment using gin (metadata jsonb_path_ops)
  where metadata is not null;
-- Most payments are captured, and those that are pending are due: the others are few.
create index payment_ended on payment (status, id) where status not in ('pending', 'captured');
create index payment_due on payment (due_at) where due_at is not null;

-- All that happened to a payment, numbered without holes. Never changed.
create table payment_event (
  payment_id text not null references payment,
  sequence integer not null check (sequence > 0),
  type text not null,
  -- What the event adds to the payment: the attempt, the reversal, the discrepancy.
  data jsonb not null,
  -- The payment as it was then; null for the first event, which the payment's own columns tell.
  payment jsonb,
  created_at timestamptz not null default now(),
  primary key (payment_id, sequence),
  constraint first_event_needs_no_payment check ((sequence = 1) = (payment is null))
);
create trigger payment_event_kept before update or delete or truncate on payment_event
  execute function refuse_change();

-- An attempt to pay, by the provider's reference of it: the identity of money.
create table authorisation (
  provider_reference text primary key,
  payment_id text not null references payment,
  outcome text not null check (outcome in ('refused', 'authorised')),
  -- kept: the payment's own money. released: was kept, and lapsed before its capture. reversing:
  -- sent back. differs: held, since it is not what we asked for. Null while refused.
  disposition text check (disposition in ('kept', 'released', 'reversing', 'differs')),
  currency char(3) not null,
  amount bigint not null check (amount >= 0),
  created_at timestamptz not null default now(),
  constraint authorised_has_disposition check ((outcome = 'authorised') = (disposition is not null))
);
create index authorisation_payment on authorisation (payment_id);
-- A payment is paid once.
create unique index one_authorisation_kept on authorisation (payment_id) where disposition = 'kept';

-- What we ask of the provider about an authorisation; a row each, written before the call.
create table modification (
  id text primary key,
  kind text not null check (kind in ('reversal')),
  payment_id text not null references payment,
  authorisation text not null references authorisation,
  currency char(3) not null,
  amount bigint not null check (amount > 0),
  status text not null check (status in ('requested', 'succeeded', 'failed')),
  failure jsonb,
  -- The idempotency key of the call, and the provider's reference of what it accepted.
  provider_key text not null,
  provider_reference text,
  -- A request that moves money is sent again only within 24 h of its first attempt.
  first_tried_at timestamptz,
  due_at timestamptz,
  tries smallint not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint failed_says_why check ((status = 'failed') = (failure is not null)),
  constraint only_requested_is_due check (due_at is null or status = 'requested')
);
create index modification_payment on modification (payment_id);
create index modification_due on modification (due_at) where due_at is not null;
create unique index one_reversal_at_a_time on modification (authorisation)
  where kind = 'reversal' and status <> 'failed';

-- Where two truths do not agree, for a person to resolve.
create table discrepancy (
  id text primary key,
  kind text not null check (kind in (
    'paid_after_end', 'reversal_failed', 'success_without_reference', 'outcome_unknown',
    'amount_differs', 'refund_and_chargeback', 'possible_duplicate', 'settlement_missing',
    'settlement_unmatched', 'settlement_doubled', 'settlement_amount', 'billing_rejected'
  )),
  -- What it is about, so that the same finding is opened once.
  fact text not null,
  payment_id text references payment,
  details jsonb not null,
  status text not null default 'open' check (status in ('open', 'resolved')),
  created_at timestamptz not null default now(),
  constraint discrepancy_once unique (kind, fact)
);
create index discrepancy_payment on discrepancy (payment_id);
create index discrepancy_open on discrepancy (id) where status = 'open';

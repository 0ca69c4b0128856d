-- What the provider reports of a payment's money, and what is asked about it: authorisations,
-- captures, cancellations, refunds, reversals, disputes; and where two truths do not agree.

-- An attempt to pay, by the provider's reference of it: the identity of money.
create table authorisation (
  reference text primary key,
  payment_id text not null references payment,
  currency char(3) not null,
  amount bigint not null check (amount >= 0),
  outcome text not null check (outcome in ('refused', 'authorised')),
  -- kept: the payment's own money. released: nobody holds it any more: it lapsed, was replaced, or
  -- went back. reversing: sent back. differs: held, since it is not what we asked for. applied,
  -- writtenOff: it was held, and a person has put it on the account, or given it up. Null while
  -- refused.
  disposition text check (
    disposition in ('kept', 'released', 'reversing', 'differs', 'applied', 'writtenOff')
  ),
  -- The set of what the provider reported about it: an array of { what, reference, … }.
  reported jsonb not null default '[]',
  created_at timestamptz not null default now(),
  constraint authorised_has_disposition check ((outcome = 'authorised') = (disposition is not null))
);
create index authorisation_payment on authorisation (payment_id);
-- A payment is paid once.
create unique index authorisation_kept_once on authorisation (payment_id)
  where disposition = 'kept';
alter table payment add constraint payment_authorisation_reference_fkey
  foreign key (authorisation_reference) references authorisation;

-- What is asked of the provider about an authorisation, or was asked there by somebody else. What
-- we ask is written before the call.
create table operation (
  id text primary key,
  kind text not null check (kind in ('capture', 'cancellation', 'refund', 'reversal')),
  payment_id text not null references payment,
  -- Null where a payment is cancelled before any authorisation is known.
  authorisation_reference text references authorisation,
  origin text not null default 'client' check (origin in ('client', 'provider')),
  reason text,
  -- Who asked for it, and who decided: { id, reason? }, and with a decision its time.
  operator jsonb,
  decision jsonb,
  -- Who gave back a recorded payment, and by what reference of its own: { name, reference }.
  processor jsonb,

  currency char(3) not null,
  amount bigint not null check (amount > 0),

  status text not null check (
    status in ('awaitingApproval', 'requested', 'succeeded', 'failed', 'rejected')
  ),
  failure jsonb,
  -- The idempotency key of the call, null where nothing is asked of the provider; and its reference
  -- of what it accepted, or of what somebody asked there.
  provider_key text,
  provider_reference text,
  -- Other references under which the provider reported it.
  also_reported_as text[] not null default '{}',
  -- The set of what it reported about it: an array of { outcome, reference, … }.
  reported jsonb not null default '[]',

  next_attempt_at timestamptz,
  attempts integer not null default 0,
  lease uuid,
  leased_until timestamptz,

  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- A request that moves money is sent again only within 24 h of its first attempt.
  first_tried_at timestamptz,

  constraint failed_says_why check ((status = 'failed') = (failure is not null)),
  constraint only_refunds_wait_for_approval check (
    kind = 'refund' or (status not in ('awaitingApproval', 'rejected') and decision is null)
  ),
  constraint rejected_was_decided check (status <> 'rejected' or decision is not null),
  constraint only_requested_is_due check (next_attempt_at is null or status = 'requested'),
  constraint lease_is_whole check ((lease is null) = (leased_until is null))
);
create index operation_payment on operation (payment_id, kind, id);
-- One reversal and one cancellation at a time.
create unique index operation_reversal_once on operation (authorisation_reference)
  where kind = 'reversal' and status <> 'failed';
create unique index operation_cancellation_once on operation (payment_id)
  where kind = 'cancellation' and status = 'requested';
create unique index operation_recorded_once
  on operation ((processor->>'name'), (processor->>'reference')) where processor is not null;
-- What was taken or given back, for finding what no report has.
create index operation_settled on operation (updated_at)
  where kind in ('capture', 'refund') and status = 'succeeded';
create index operation_due on operation (next_attempt_at) where next_attempt_at is not null;

-- A customer, by the bank of the card, questions a payment. The money that it takes meanwhile is
-- the dispute's; what happens is reported in any order, and each thing changes it once.
create table dispute (
  id text primary key,
  payment_id text not null references payment,
  reference text not null,
  -- References under which it was announced, before its money was taken under another: what is
  -- reported under them again is no other dispute.
  also_reported_as text[] not null default '{}',
  currency char(3) not null,
  amount bigint not null check (amount >= 0),
  -- What the bank has taken and not given back.
  amount_charged_back bigint not null default 0,
  status text not null check (status in ('open', 'won', 'lost')),
  stage text not null check (stage in (
    'informationRequest', 'notification', 'chargeback', 'chargebackReversed', 'secondChargeback',
    'preArbitration', 'arbitration'
  )),
  reason text,
  reason_code text,
  -- The kinds of events that were applied.
  reported text[] not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  -- Until when it can be defended.
  defend_by timestamptz,
  closed_at timestamptz,
  constraint dispute_reference_once unique (payment_id, reference),
  constraint charged_back_within_disputed check (amount_charged_back between 0 and amount),
  constraint closed_has_time check ((status = 'open') = (closed_at is null))
);

-- Where two truths do not agree, for a person to resolve. The decision stands beside what was
-- found, which is never changed.
create table discrepancy (
  id text primary key,
  kind text not null check (kind in (
    'paid_after_end', 'reversal_failed', 'success_without_reference', 'outcome_unknown',
    'amount_differs', 'refund_and_chargeback', 'refunded_beyond_captured',
    'recapture_unconfirmed', 'reversal_amount_unknown', 'possible_duplicate', 'fraud_reported',
    'notification_not_understood', 'settlement_missing', 'settlement_unmatched',
    'settlement_doubled', 'settlement_amount', 'billing_rejected'
  )),
  -- What it is about, so that the same finding is opened once.
  fact text not null,
  payment_id text references payment,
  details jsonb not null,
  status text not null default 'open' check (status in ('open', 'resolved')),
  resolution text,
  reason text,
  operator jsonb,
  created_at timestamptz not null default now(),
  -- When it was found again after it had been resolved.
  reopened_at timestamptz,
  resolved_at timestamptz,
  constraint discrepancy_fact_once unique (kind, fact),
  constraint resolved_says_how check (
    (status = 'resolved') = (resolution is not null and resolved_at is not null)
  )
);
create index discrepancy_payment on discrepancy (payment_id);
create index discrepancy_kind on discrepancy (kind, id);
create index discrepancy_open on discrepancy (id) where status = 'open';
-- A refund that resolved one may come to nothing: then it is open again.
create index discrepancy_refunded on discrepancy (id)
  where status = 'resolved' and resolution = 'refund';

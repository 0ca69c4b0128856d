-- All that may happen to a payment after its page: captures, cancellations, refunds, disputes; and
-- payments by link, by registered card, and recorded.

alter table payment
  drop constraint payment_method_check,
  add constraint payment_method_check
    check (method in ('hostedPage', 'paymentLink', 'registeredCard', 'recorded')),
  alter return_url drop not null,
  alter idempotency_key drop not null,
  alter provider_key drop not null,
  -- Charges that the payment names: an array of { chargeId, amount }.
  add allocations jsonb,
  add registered_card text,
  -- Refunds that are asked for and not yet done: they reserve.
  add amount_refunding bigint not null default 0,
  -- When the provider first said, without a reference of money, that a link was paid.
  add told_paid_at timestamptz,
  -- Who took a recorded payment, and by what reference of its own.
  add processor_name text,
  add processor_reference text,
  add authorisation_code text,
  add taken_at timestamptz,
  drop constraint paid_has_authorisation,
  add constraint paid_has_authorisation check (
    (status in ('authorised', 'captured')) <=
      ((authorisation is not null or method = 'recorded') and failure is null)
  ),
  drop constraint refunded_within_captured,
  add constraint refunded_within_captured check (
    amount_refunded >= 0 and amount_refunding >= 0 and amount_charged_back >= 0
      and amount_refunded <= amount_captured
  ),
  add constraint method_has_its_own check (
    (method = 'hostedPage') <= (return_url is not null)
      and (method = 'registeredCard') = (registered_card is not null)
      and (method = 'recorded') = (processor_name is not null)
      and (method = 'recorded') = (processor_reference is not null)
      and (method = 'recorded') = (taken_at is not null)
      and (method <> 'recorded') = (idempotency_key is not null and provider_key is not null)
  );
-- A payment that was taken elsewhere is recorded once, whoever records it.
create unique index payment_recorded_once on payment (processor_name, processor_reference)
  where processor_name is not null;

-- The last payment of an account and amount. Two creates at the same moment don't see each other's
-- payments; here the second one waits for the first.
create table latest_payment (
  account_id integer not null,
  amount bigint not null,
  payment_id text not null,
  created_at timestamptz not null,
  primary key (account_id, amount)
) with (fillfactor = 70);
create index latest_payment_created on latest_payment (created_at);

alter table modification
  drop constraint modification_kind_check,
  add constraint modification_kind_check
    check (kind in ('capture', 'cancellation', 'refund', 'reversal')),
  drop constraint modification_status_check,
  add constraint modification_status_check
    check (status in ('awaitingApproval', 'requested', 'succeeded', 'failed', 'rejected')),
  -- Null where a payment is cancelled before any authorisation is known.
  alter authorisation drop not null,
  -- Null where nothing is asked of the provider, or somebody asked it there.
  alter provider_key drop not null,
  add origin text not null default 'client' check (origin in ('client', 'provider')),
  add reason text,
  -- Who asked for it, and who decided: { id, reason? }, and with a decision its time.
  add operator jsonb,
  add decision jsonb,
  -- Who gave back a recorded payment, and by what reference of its own: { name, reference }.
  add processor jsonb,
  -- How often the provider told that it went well, and that it came to nothing after all: a capture
  -- may fail and be taken again, and the news may come in any order.
  add successes smallint not null default 0,
  add failures smallint not null default 0,
  add constraint only_refunds_wait_for_approval check (
    kind = 'refund' or (status not in ('awaitingApproval', 'rejected') and decision is null)
  ),
  add constraint rejected_was_decided check ((status = 'rejected') <= (decision is not null));
create unique index one_cancellation_at_a_time on modification (payment_id)
  where kind = 'cancellation' and status = 'requested';
create unique index refund_recorded_once
  on modification ((processor->>'name'), (processor->>'reference')) where processor is not null;
create index modification_list on modification (payment_id, kind, id);
drop index modification_payment;

-- A customer, by the bank of the card, questions a payment. The money that it takes meanwhile is
-- the dispute's; the news are told in any order, each changes it once.
create table dispute (
  id text primary key,
  payment_id text not null references payment,
  provider_reference text not null,
  status text not null check (status in ('open', 'won', 'lost')),
  stage text not null check (stage in (
    'informationRequest', 'notification', 'chargeback', 'chargebackReversed', 'secondChargeback',
    'preArbitration', 'arbitration'
  )),
  currency char(3) not null,
  amount bigint not null check (amount >= 0),
  -- What the bank has taken and not given back.
  amount_charged_back bigint not null default 0,
  reason text,
  reason_code text,
  -- Until when it can be defended.
  defend_by timestamptz,
  -- The kinds of news that were applied.
  told text[] not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  closed_at timestamptz,
  constraint dispute_once unique (payment_id, provider_reference),
  constraint charged_back_within_disputed check (amount_charged_back between 0 and amount),
  constraint closed_has_time check ((status = 'open') = (closed_at is null))
);

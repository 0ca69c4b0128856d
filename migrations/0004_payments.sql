-- Payments, and all that happened to them.

create table payment (
  id text primary key check (length(id) <= 20), -- CMP's TransactionReference holds 20.
  client_id text not null references client,
  -- Null for a recorded payment, whose processor's reference is its key.
  idempotency_key text,
  account_id integer not null references account,
  channel text not null check (channel in ('selfcare', 'ivr', 'agent', 'service')),
  method text not null
    check (method in ('hostedPage', 'paymentLink', 'registeredCard', 'recorded')),
  reference text,
  description text,
  metadata jsonb,
  customer jsonb,
  -- The person who acts for the customer.
  operator jsonb,

  capture text not null check (capture in ('automatic', 'manual')),
  save_card text not null check (save_card in ('never', 'ask', 'always')),
  return_url text,
  registered_card_id text references card,
  -- The provider's name of the card that is charged, so that it is asked for again as it was asked
  -- for first, whatever has become of the card.
  card_token text,
  -- Who took a recorded payment, and by what reference of its own.
  processor_name text,
  processor_reference text,
  authorisation_code text,
  taken_at timestamptz,

  -- All amounts are minor units of the currency.
  currency char(3) not null,
  amount bigint not null check (amount > 0),
  -- The most that the provider reserved or took for it, adjustments included.
  amount_authorised bigint not null default 0 check (amount_authorised >= 0),
  amount_captured bigint not null default 0,
  -- Of refunds that are asked for and not yet done: they reserve.
  amount_refunding bigint not null default 0,
  amount_refunded bigint not null default 0,
  amount_charged_back bigint not null default 0,
  -- Charges that the payment names: an array of { chargeId, amount }.
  allocations jsonb,
  -- What the provider settled of it: { settledAt, batch, gross, fees, net, currency }.
  settlement jsonb,

  status text not null check (
    status in ('pending', 'authorised', 'captured', 'refused', 'cancelled', 'expired', 'failed')
  ),
  -- Who ended it, where that decides over a late success: the customer on the page, or our client.
  cancelled_by text check (cancelled_by in ('customer', 'client')),
  failure jsonb,
  card jsonb,
  -- The authorisation whose money was kept.
  authorisation_reference text,
  event_count integer not null default 1,

  -- The idempotency key under which the page is asked for: stored before the call.
  provider_key text,
  provider_session text,
  checkout_url text,
  -- When the provider first said, without a reference of money, that a link was paid.
  reported_paid_at timestamptz,
  -- What the customer brought back from 3-D Secure, and when: stored before the provider is told.
  redirect_result text,
  returned_at timestamptz,

  -- When to look after a payment whose page, link or card has no outcome yet.
  next_attempt_at timestamptz,
  attempts integer not null default 0,
  lease uuid,
  leased_until timestamptz,

  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  expires_at timestamptz not null,
  finished_at timestamptz,

  constraint agent_is_named check (channel <> 'agent' or operator is not null),
  constraint method_has_its_own check (
    (method <> 'hostedPage' or return_url is not null)
    and (method = 'registeredCard') = (registered_card_id is not null)
    and (method = 'recorded') = (processor_name is not null)
    and (method = 'recorded') = (processor_reference is not null)
    and (method = 'recorded') = (taken_at is not null)
    and (method <> 'recorded') = (idempotency_key is not null and provider_key is not null)
  ),
  constraint charge_has_token check ((method = 'registeredCard') = (card_token is not null)),
  constraint returned_has_time check ((redirect_result is null) = (returned_at is null)),

  constraint paid_has_authorisation check (
    status not in ('authorised', 'captured')
    or failure is null and (authorisation_reference is not null or method = 'recorded')
  ),
  constraint captured_has_amount check ((status = 'captured') = (amount_captured > 0)),
  constraint ended_says_why check (
    status not in ('refused', 'expired', 'failed') or failure is not null
  ),
  constraint cancelled_says_who check ((status = 'cancelled') = (cancelled_by is not null)),
  constraint finished_has_time check (
    (status not in ('pending', 'authorised')) = (finished_at is not null)
  ),

  constraint captured_within_authorised check (amount_captured between 0 and amount_authorised),
  -- A capture that fails after its refund leaves more refunded than captured: a discrepancy.
  constraint refunded_not_negative check (
    amount_refunded >= 0 and amount_refunding >= 0 and amount_charged_back >= 0
  ),

  constraint only_pending_is_due check (next_attempt_at is null or status = 'pending'),
  constraint lease_is_whole check ((lease is null) = (leased_until is null))
) with (fillfactor = 70); -- The page is written into the same page.
-- Ids are sortable by time, so lists go by id.
create index payment_account on payment (account_id, id);
create index payment_client on payment (client_id, id);
create index payment_reference on payment (reference, id) where reference is not null;
create index payment_metadata on payment using gin (metadata jsonb_path_ops)
  where metadata is not null;
-- Most payments are captured: the others are few. A list of one channel has no index of its own: a
-- channel that is in use is met soon on the way through the newest.
create index payment_status on payment (status, id) where status <> 'captured';
-- A payment that was taken elsewhere is recorded once, whoever records it.
create unique index payment_recorded_once on payment (processor_name, processor_reference)
  where processor_name is not null;
-- What was captured and is in no report yet, for finding what is missing.
create index payment_unsettled on payment (finished_at)
  where settlement is null and status = 'captured' and capture = 'automatic';
create index payment_due on payment (next_attempt_at) where next_attempt_at is not null;

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
-- A range of time is replayed. Events are written in the order of their times, so that the summary
-- of each stretch is all the index that they need.
create index payment_event_created on payment_event using brin (created_at)
  with (autosummarize = on, pages_per_range = 32);
create trigger payment_event_append_only before update or delete on payment_event
  for each row execute function refuse_change();
create trigger payment_event_no_truncate before truncate on payment_event
  for each statement execute function refuse_change();

-- The last payment of an account and amount. Two creates at the same moment don't see each other's
-- payments; here the second one waits for the first. It has no other index: a second payment of the
-- same account and amount changes its row in place.
create table latest_payment (
  account_id integer not null,
  amount bigint not null,
  -- One whose key was taken at the same moment was never made.
  payment_id text not null,
  -- Which payment the create saw here when it began; null where it may be any. Another create was
  -- faster where the row that is there has another one.
  expected_id text,
  created_at timestamptz not null,
  primary key (account_id, amount)
) with (fillfactor = 70);

-- A browser came back from a card page with a result that the provider could not be asked about
-- then. It is asked again until the page ends.
create table page_return (
  payment_id text primary key references payment,
  session_result text not null,
  next_attempt_at timestamptz,
  attempts integer not null default 0,
  lease uuid,
  leased_until timestamptz,
  returned_at timestamptz not null default now(),
  constraint lease_is_whole check ((lease is null) = (leased_until is null))
);
create index page_return_due on page_return (next_attempt_at) where next_attempt_at is not null;

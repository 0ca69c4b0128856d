-- Endpoints of clients that want to hear of events, and what is delivered to them.

create table webhook_endpoint (
  id text primary key,
  client_id text not null references client,
  url text not null,
  -- Types of events, or * alone for all.
  events text[] not null check (cardinality(events) > 0),
  description text,
  -- `whsec_` and base64: it signs what we send, so a hash of it would not do. None once deleted.
  secret text,
  -- The secret before the last rotation signs beside it for a while.
  old_secret text,
  old_secret_until timestamptz,
  status text not null default 'enabled' check (status in ('enabled', 'disabled')),
  disabled_reason text check (disabled_reason in ('client', 'failing', 'gone')),
  -- How often it was disabled. Only deliveries of the present term are sent, so that disabling
  -- changes this row alone, and a claim finds what is due by its index, whatever is left of earlier
  -- terms.
  term integer not null default 0,
  -- The first failure since the last success.
  failing_since timestamptz,
  -- When it was last disabled; null once all that was pending then has failed.
  stopped_at timestamptz,
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint disabled_says_why check ((status = 'disabled') = (disabled_reason is not null)),
  constraint deleted_is_disabled check (deleted_at is null or status = 'disabled'),
  constraint deleted_has_no_secret check (
    (deleted_at is null) = (secret is not null) and (deleted_at is null or old_secret is null)
  )
);
create index webhook_endpoint_client on webhook_endpoint (client_id, id) where deleted_at is null;
create index webhook_endpoint_stopped on webhook_endpoint (id) where stopped_at is not null;

create sequence webhook_delivery_number;

-- An event on its way to an endpoint. What is needed of the event to deliver it in order and to
-- list it stands here too; the event itself is in the feed.
create table webhook_delivery (
  id text primary key default 'whd_' || lpad(nextval('webhook_delivery_number')::text, 16, '0'),
  endpoint_id text not null references webhook_endpoint,
  -- The endpoint's when this became due: in a later one it has failed.
  term integer not null default 0,
  -- Null for a test, which is in nobody's feed.
  position bigint references event_feed,
  event_id text not null,
  type text not null,
  payment_id text,
  sequence integer,
  status text not null default 'pending' check (status in ('pending', 'delivered', 'failed')),
  -- All attempts that were ever made: each has its number.
  attempts_made integer not null default 0,
  -- The attempts of its schedule; a replay begins anew.
  next_attempt_at timestamptz default now(),
  attempts integer not null default 0,
  lease uuid,
  leased_until timestamptz,
  created_at timestamptz not null default now(),
  -- Its retries are counted from here; a replay begins anew.
  started_at timestamptz not null default now(),
  delivered_at timestamptz,
  constraint webhook_delivery_position_once unique (endpoint_id, position),
  constraint only_pending_is_due check ((status = 'pending') = (next_attempt_at is not null)),
  constraint only_pending_is_leased check (status = 'pending' or lease is null),
  constraint lease_is_whole check ((lease is null) = (leased_until is null)),
  constraint delivered_has_time check ((status = 'delivered') = (delivered_at is not null))
) with (fillfactor = 80);
create index webhook_delivery_endpoint on webhook_delivery (endpoint_id, id);
-- Most are delivered: the others are few.
create index webhook_delivery_status on webhook_delivery (endpoint_id, status, id)
  where status <> 'delivered';
create index webhook_delivery_due
  on webhook_delivery (endpoint_id, term, next_attempt_at, position)
  where next_attempt_at is not null;
create index webhook_delivery_order on webhook_delivery (endpoint_id, payment_id, sequence)
  where next_attempt_at is not null;
create index webhook_delivery_leased on webhook_delivery (endpoint_id) where lease is not null;
create index webhook_delivery_created on webhook_delivery using brin (created_at);

-- What came of each attempt: the answer's status, or why there was none.
create table webhook_attempt (
  delivery_id text not null references webhook_delivery on delete cascade,
  number integer not null,
  started_at timestamptz not null,
  duration_ms integer not null,
  http_status smallint,
  error text,
  -- The beginning of the answer, without card numbers.
  response text,
  primary key (delivery_id, number),
  constraint answered_or_not check (num_nonnulls(http_status, error) = 1)
);

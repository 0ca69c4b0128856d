-- Whoever wants to be told: endpoints of clients, and what is delivered to them.

create table webhook_endpoint (
  id text primary key,
  client_id text not null references client,
  url text not null,
  -- Types of events, or * alone for all.
  events text[] not null check (cardinality(events) > 0),
  description text,
  status text not null default 'enabled' check (status in ('enabled', 'disabled')),
  disabled_reason text check (disabled_reason in ('client', 'failing', 'gone')),
  -- `whsec_` and base64: it signs what we send, so a hash of it would not do. None once deleted.
  secret text,
  -- The secret before the last rotation signs beside it for a while.
  old_secret text,
  old_secret_until timestamptz,
  -- The first failure since the last success.
  failing_since timestamptz,
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint disabled_says_why check ((status = 'disabled') = (disabled_reason is not null)),
  constraint deleted_is_disabled check (deleted_at is null or status = 'disabled'),
  constraint deleted_has_no_secret check (
    (deleted_at is null) = (secret is not null) and (deleted_at is null or old_secret is null)
  )
);
create index webhook_endpoint_client on webhook_endpoint (client_id, id) where deleted_at is null;

create sequence webhook_delivery_number;

-- An event on its way to an endpoint. What is needed of the event to deliver it in order and to
-- list it stands here too; the event itself is in the feed.
create table webhook_delivery (
  id text primary key default 'whd_' || lpad(nextval('webhook_delivery_number')::text, 16, '0'),
  endpoint_id text not null references webhook_endpoint,
  -- Null for a test, which is in nobody's feed.
  position bigint references event_feed,
  event_id text not null,
  type text not null,
  payment_id text,
  sequence integer,
  status text not null default 'pending' check (status in ('pending', 'delivered', 'failed')),
  -- When to try it; while it is held, until when nobody else does.
  due_at timestamptz default now(),
  held boolean not null default false,
  -- Its retries are counted from here; a replay begins anew.
  started_at timestamptz not null default now(),
  tries integer not null default 0,
  -- All that were ever made: each has its number.
  attempts integer not null default 0,
  delivered_at timestamptz,
  created_at timestamptz not null default now(),
  constraint delivered_once unique (endpoint_id, position),
  constraint only_pending_is_due check ((status = 'pending') = (due_at is not null)),
  constraint only_pending_is_held check (status = 'pending' or not held),
  constraint delivered_has_time check ((status = 'delivered') = (delivered_at is not null))
) with (fillfactor = 80);
create index webhook_delivery_list on webhook_delivery (endpoint_id, id);
-- Most are delivered: the others are few.
create index webhook_delivery_status on webhook_delivery (endpoint_id, status, id)
  where status <> 'delivered';
create index webhook_delivery_due on webhook_delivery (endpoint_id, due_at, position)
  where due_at is not null;
create index webhook_delivery_order on webhook_delivery (endpoint_id, payment_id, sequence)
  where due_at is not null;
create index webhook_delivery_held on webhook_delivery (endpoint_id) where held;
create index webhook_delivery_age on webhook_delivery using brin (created_at);

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

-- A range of time is replayed. Events are written in the order of their times, so that the summary
-- of each stretch is all the index that they need.
create index payment_event_time on payment_event using brin (created_at)
  with (autosummarize = on, pages_per_range = 32);
create index other_event_time on other_event using brin (created_at)
  with (autosummarize = on, pages_per_range = 32);

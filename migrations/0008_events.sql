-- Everything that happened, in one order for everybody who listens.

-- What happened to no payment: a card was registered, a webhook endpoint given up. Never changed.
create table other_event (
  id text primary key,
  type text not null,
  account_id integer references account,
  -- Whose it is, where it is one client's own; null where it is everybody's.
  client_id text references client,
  data jsonb not null,
  created_at timestamptz not null default clock_timestamp()
);
create index other_event_created on other_event using brin (created_at)
  with (autosummarize = on, pages_per_range = 32);
create trigger other_event_append_only before update or delete on other_event
  for each row execute function refuse_change();
create trigger other_event_no_truncate before truncate on other_event
  for each statement execute function refuse_change();

-- Events that have no place in the feed yet, written with them. One announcer at a time gives them
-- their place after they are committed, so that no later one is ever shown before an earlier one
-- that is still committing. Without an index of all: it is empty almost always.
create table event_outbox (
  payment_id text,
  sequence integer,
  event_id text,
  -- What cannot be announced is set aside, so that the rest goes on.
  next_attempt_at timestamptz not null default now(),
  attempts integer not null default 0,
  created_at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

create index event_outbox_set_aside on event_outbox (payment_id, sequence) where attempts > 0;

-- The feed: every event once, in the order in which it was announced.
create table event_feed (
  position bigint generated always as identity primary key,
  payment_id text references payment,
  sequence integer,
  event_id text references other_event,
  type text not null,
  account_id integer,
  -- Of a payment's event the payment's client: a third party sees only its own.
  client_id text references client,
  constraint event_feed_payment_once unique (payment_id, sequence),
  constraint event_feed_event_once unique (event_id),
  constraint event_of_one check (num_nonnulls(payment_id, event_id) = 1)
);
create index event_feed_client on event_feed (client_id, position);

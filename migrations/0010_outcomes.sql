-- Everything that happened, in one order for everybody who listens.

-- What happened to no payment: a card was registered, a webhook endpoint given up. Never changed.
create table other_event (
  id text primary key,
  type text not null,
  account_id integer references account,
  -- Whose it is, where it is one client's own; null where it is everybody's.
  client_id text,
  data jsonb not null,
  created_at timestamptz not null default clock_timestamp()
);
create trigger other_event_kept before update or delete or truncate on other_event
  execute function refuse_change();

-- Events that have no place in the feed yet, written with them. One announcer at a time gives them
-- their place after they are committed, so that no later one is ever shown before an earlier one
-- that is still committing. Without an index: it is empty almost always.
create table event_outbox (
  payment_id text,
  sequence integer,
  event_id text,
  created_at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

-- The feed: every event once, in the order in which it was announced.
create table event_feed (
  position bigint generated always as identity primary key,
  payment_id text references payment,
  sequence integer,
  event_id text references other_event,
  type text not null,
  account_id integer,
  -- Of a payment's event the payment's client: a third party sees only its own.
  client_id text,
  constraint announced_once unique (payment_id, sequence),
  constraint other_announced_once unique (event_id),
  constraint event_of_one check (num_nonnulls(payment_id, event_id) = 1)
);
create index event_feed_client on event_feed (client_id, position);

-- What happened before there was a feed stands at its beginning.
insert into event_feed (payment_id, sequence, type, account_id, client_id)
select e.payment_id, e.sequence, e.type, p.account_id, p.client_id
from payment_event e join payment p on p.id = e.payment_id
order by e.created_at, e.payment_id, e.sequence;

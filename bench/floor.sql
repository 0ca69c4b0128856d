-- The floor's own tables: what the promise needs, and what a payment shows. No foreign keys, no
-- checks, no index beyond the primary keys and the ones that keep a key and a notification single.

create table payment (
  id uuid primary key default uuidv7(),
  client_id text not null,
  idempotency_key text not null,
  account_id integer not null,
  currency text not null,
  amount integer not null,
  channel text not null,
  method text not null default 'hostedPage',
  capture text not null default 'automatic',
  return_url text not null,
  reference text,
  description text,
  metadata jsonb,
  operator jsonb,
  status text not null default 'creating',
  failure jsonb,
  card jsonb,
  authorisation text,
  amount_captured integer not null default 0,
  amount_refunded integer not null default 0,
  amount_charged_back integer not null default 0,
  provider_session text,
  checkout_url text,
  expires_at timestamptz not null default now() + interval '1 hour',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  finished_at timestamptz
);
create unique index payment_key on payment (client_id, idempotency_key);

create table payment_event (
  id uuid primary key default uuidv7(),
  payment_id uuid not null,
  type text not null,
  data jsonb not null,
  created_at timestamptz not null default now()
);

create table outbox (
  event_id uuid primary key,
  next_at timestamptz not null default now()
);

create table inbox (
  id uuid primary key default uuidv7(),
  fact text not null unique,
  item jsonb not null,
  received_at timestamptz not null default now()
);

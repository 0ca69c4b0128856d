-- What the billing system is told of, and what it made of it.

-- A file in the shape of CMP's "Non Recurring Payments"; its id is its name there, of at most 20
-- characters. Kept as it was made, so that it can be fetched again byte for byte.
create table billing_file (
  id text primary key check (length(id) <= 20),
  transaction_type text not null check (transaction_type in ('payment', 'refund')),
  currency char(3) not null,
  total_amount bigint not null check (total_amount >= 0),
  record_count integer not null check (record_count >= 0),
  content text not null,
  created_at timestamptz not null
);
create trigger billing_file_append_only before update or delete on billing_file
  for each row execute function refuse_change();
create trigger billing_file_no_truncate before truncate on billing_file
  for each statement execute function refuse_change();

-- Transfers that have no place in the feed of postings yet, written with them; see event_outbox.
create table posting_outbox (
  transfer_id text not null,
  next_attempt_at timestamptz not null default now(),
  attempts integer not null default 0,
  created_at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

-- The feed of postings: every transfer that moves a customer's account because of a payment, once,
-- in the order in which it got its place; and what the billing system made of it.
create table billing_posting (
  position bigint generated always as identity primary key,
  id text not null references ledger_transfer,
  file_id text references billing_file,
  -- Its detail in the file, from 1.
  file_sequence integer check (file_sequence > 0),
  status text not null default 'open' check (status in ('open', 'posted', 'rejected')),
  reason text,
  acknowledged_at timestamptz,
  constraint billing_posting_id_once unique (id),
  constraint acknowledged_has_time check ((status = 'open') = (acknowledged_at is null)),
  constraint rejected_says_why check (status <> 'rejected' or reason is not null),
  constraint in_file_has_place check ((file_id is null) = (file_sequence is null))
) with (fillfactor = 80);
-- Most postings are posted: the others are few.
create index billing_posting_status on billing_posting (status, position)
  where status <> 'posted';
create unique index billing_posting_place_once on billing_posting (file_id, file_sequence)
  where file_id is not null;

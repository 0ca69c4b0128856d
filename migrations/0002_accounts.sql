-- The customers' accounts, what they owe, and what is settled elsewhere. CMP owns all three and
-- pushes them here.

create table account (
  -- CMP's account number.
  id integer primary key check (id between 1 and 99999999),
  name text,
  currency char(3) not null,
  status text not null check (status in ('open', 'closed')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- An invoice: what is owed. Its open amount is what no money has been matched to yet.
create table charge (
  id text primary key,
  account_id integer not null references account,
  -- CMP's own reference of the invoice: a second push of it is the same charge.
  reference text not null,
  amount bigint not null check (amount > 0),
  open_amount bigint not null,
  in_query boolean not null default false,
  due_at timestamptz not null,
  created_at timestamptz not null default now(),
  constraint charge_reference_once unique (account_id, reference),
  constraint open_within_amount check (open_amount between 0 and amount)
);
create index charge_account on charge (account_id, id);
create index charge_open on charge (account_id, due_at, id) where open_amount > 0;

-- What the billing system settled elsewhere. Never changed: a correction is the opposite one.
create table adjustment (
  id text primary key,
  account_id integer not null references account,
  charge_id text references charge,
  -- CMP's own reference of it: a second push of it is the same adjustment.
  reference text not null,
  direction text not null check (direction in ('credit', 'debit')),
  amount bigint not null check (amount > 0),
  reason text not null,
  created_at timestamptz not null default now(),
  constraint adjustment_reference_once unique (account_id, reference)
);
create index adjustment_account on adjustment (account_id, id);
create trigger adjustment_append_only before update or delete on adjustment
  for each row execute function refuse_change();
create trigger adjustment_no_truncate before truncate on adjustment
  for each statement execute function refuse_change();

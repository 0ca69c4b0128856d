-- The customers' accounts and what they owe. CMP owns both and pushes them here.

create table account (
  -- CMP's account number.
  id integer primary key check (id between 1 and 99999999),
  currency char(3) not null,
  name text,
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
  constraint charge_open_within_amount check (open_amount between 0 and amount)
);
create index charge_list on charge (account_id, id);
create index charge_open on charge (account_id, due_at, id) where open_amount > 0;

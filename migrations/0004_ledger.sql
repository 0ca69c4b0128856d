-- The books. A transfer moves an amount from one ledger account to another in one row, so the
-- ledger balances by construction. Never changed: a correction is the opposite transfer.

create table ledger_transfer (
  id text primary key,
  account_id integer not null references account,
  debit_account text not null,
  credit_account text not null,
  currency char(3) not null,
  amount bigint not null check (amount > 0),
  -- Why it was posted, and the one fact that it stands for: a fact is posted once.
  posting text not null,
  fact text not null,
  cause_type text not null,
  cause_id text not null,
  payment_id text references payment,
  created_at timestamptz not null default now(),
  constraint two_sides check (debit_account <> credit_account),
  constraint fact_posted_once unique (posting, fact)
);
create index ledger_transfer_account on ledger_transfer (account_id, id);
create index ledger_transfer_payment on ledger_transfer (payment_id);
create trigger ledger_transfer_kept before update or delete or truncate on ledger_transfer
  execute function refuse_change();

-- Money on an account, by the transfer that brought it; open until it is matched to charges.
create table credit (
  transfer_id text primary key references ledger_transfer,
  account_id integer not null references account,
  amount bigint not null check (amount > 0),
  open_amount bigint not null,
  constraint credit_open_within_amount check (open_amount between 0 and amount)
);
create index credit_open on credit (account_id, transfer_id) where open_amount > 0;

-- Which money paid which charge, in order. Never changed: a reopened charge is a negative row.
create table allocation (
  id bigint generated always as identity primary key,
  account_id integer not null references account,
  transfer_id text not null references credit,
  charge_id text not null references charge,
  amount bigint not null check (amount <> 0),
  created_at timestamptz not null default now()
);
create index allocation_charge on allocation (charge_id);
create index allocation_transfer on allocation (transfer_id);
create trigger allocation_kept before update or delete or truncate on allocation
  execute function refuse_change();

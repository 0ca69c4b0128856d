-- The books. A transfer moves an amount from one ledger account to another in one row, so the
-- ledger balances by construction. Never changed: a correction is the opposite transfer.

create table ledger_transfer (
  id text primary key,
  account_id integer not null references account,
  payment_id text references payment,
  debit_account text not null,
  credit_account text not null,
  currency char(3) not null,
  amount bigint not null check (amount > 0),
  -- Why it was posted, and the one fact that it stands for: a fact is posted once.
  posting text not null,
  fact text not null,
  cause_type text not null,
  cause_id text not null,
  created_at timestamptz not null default now(),
  constraint ledger_transfer_fact_once unique (posting, fact),
  constraint two_sides check (debit_account <> credit_account)
);
create index ledger_transfer_account on ledger_transfer (account_id, id);
create index ledger_transfer_payment on ledger_transfer (payment_id);
create index ledger_transfer_created on ledger_transfer (created_at);
create trigger ledger_transfer_append_only before update or delete on ledger_transfer
  for each row execute function refuse_change();
create trigger ledger_transfer_no_truncate before truncate on ledger_transfer
  for each statement execute function refuse_change();

-- Money on an account, by the transfer that brought it; open until it is matched to charges.
create table credit (
  transfer_id text primary key references ledger_transfer,
  account_id integer not null references account,
  amount bigint not null check (amount > 0),
  open_amount bigint not null,
  constraint open_within_amount check (open_amount between 0 and amount)
);
create index credit_open on credit (account_id, transfer_id) where open_amount > 0;

-- Money that was taken from an account, by the transfer that took it; open by what it did not find
-- there: that is owed like a charge, and paid by money that comes later.
create table debit (
  transfer_id text primary key references ledger_transfer,
  account_id integer not null references account,
  amount bigint not null check (amount > 0),
  open_amount bigint not null,
  constraint open_within_amount check (open_amount between 0 and amount)
);
create index debit_open on debit (account_id, transfer_id) where open_amount > 0;

-- Which money paid which charge or debit, in order. Never changed: a reopened charge is a negative
-- row.
create table allocation (
  id bigint generated always as identity primary key,
  account_id integer not null references account,
  transfer_id text not null references credit,
  charge_id text references charge,
  debit_transfer_id text references debit,
  amount bigint not null check (amount <> 0),
  created_at timestamptz not null default now(),
  constraint pays_one check (num_nonnulls(charge_id, debit_transfer_id) = 1),
  constraint only_charges_reopen check (amount > 0 or charge_id is not null)
);
create index allocation_charge on allocation (charge_id);
-- What the money of a payment paid, and what an account's money paid last: for taking it back.
create index allocation_transfer on allocation (transfer_id);
create index allocation_account on allocation (account_id, id) where charge_id is not null;
create trigger allocation_append_only before update or delete on allocation
  for each row execute function refuse_change();
create trigger allocation_no_truncate before truncate on allocation
  for each statement execute function refuse_change();

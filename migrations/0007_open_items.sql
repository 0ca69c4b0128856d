-- Money that is taken back, charges in query, and what the billing system settles elsewhere.

-- Money that was taken from an account, by the transfer that took it; open by what it did not find
-- there: that is owed like a charge, and paid by money that comes later.
create table debit (
  transfer_id text primary key references ledger_transfer,
  account_id integer not null references account,
  amount bigint not null check (amount > 0),
  open_amount bigint not null,
  constraint debit_open_within_amount check (open_amount between 0 and amount)
);
create index debit_open on debit (account_id, transfer_id) where open_amount > 0;

-- Money pays a charge or a debit.
alter table allocation
  alter charge_id drop not null,
  add debit_transfer_id text references debit,
  add constraint allocation_pays_one check (num_nonnulls(charge_id, debit_transfer_id) = 1),
  add constraint only_charges_reopen check (amount > 0 or charge_id is not null);
create index allocation_debit on allocation (debit_transfer_id)
  where debit_transfer_id is not null;

-- What the billing system settled elsewhere. Never changed: a correction is the opposite one.
create table adjustment (
  id text primary key,
  account_id integer not null references account,
  direction text not null check (direction in ('credit', 'debit')),
  amount bigint not null check (amount > 0),
  -- CMP's own reference of it: a second push of it is the same adjustment.
  reference text not null,
  reason text not null,
  charge_id text references charge,
  created_at timestamptz not null default now(),
  constraint adjustment_reference_once unique (account_id, reference)
);
create index adjustment_list on adjustment (account_id, id);
create trigger adjustment_kept before update or delete or truncate on adjustment
  execute function refuse_change();

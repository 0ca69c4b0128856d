-- What an account's money paid last, and what the money of a payment paid: for taking it back.
create index allocation_account on allocation (account_id, id) where charge_id is not null;

-- What billing has said lately.
create index concurrently if not exists billing_posting_acknowledged
  on billing_posting (acknowledged_at) where acknowledged_at is not null;

-- Discrepancies that were resolved since a day are counted by kind.
create index concurrently if not exists discrepancy_resolved_kind
  on discrepancy (resolved_at, kind, created_at) where resolved_at is not null;
drop index concurrently if exists discrepancy_resolved;

-- The currency of a payment is that of its account: a rare one is found by its accounts.
create index concurrently if not exists account_currency on account (currency, id);

-- Its ranges never shrink where rows are removed and others take their places. Deliveries are
-- removed in the order of their ids.
drop index concurrently if exists webhook_delivery_created;

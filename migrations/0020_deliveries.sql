-- Disabling an endpoint changes its row alone, however much is pending.

alter table webhook_endpoint
  -- How often it was disabled: only what became due since the last time is sent.
  add column term integer not null default 0,
  -- When it was last disabled; null once all that was pending then is settled.
  add column stopped_at timestamptz;
create index webhook_endpoint_stopped on webhook_endpoint (id) where stopped_at is not null;

alter table webhook_delivery
  -- The endpoint's when this became due: in a later one it has failed.
  add column term integer not null default 0;
drop index webhook_delivery_due;
create index webhook_delivery_due on webhook_delivery (endpoint_id, term, due_at, position)
  where due_at is not null;

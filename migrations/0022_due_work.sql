-- Due work stands in the same four columns of every table. What begins a payment follows.
alter table card rename due_at to next_attempt_at;
alter table card rename tries to attempts;
alter table card alter attempts type integer;
alter table card add lease uuid, add leased_until timestamptz,
  add constraint lease_is_whole check ((lease is null) = (leased_until is null));

alter table card_sync rename due_at to next_attempt_at;
alter table card_sync rename tries to attempts;
alter table card_sync alter attempts type integer, alter next_attempt_at drop not null;
update card_sync set lease = null;
alter table card_sync add leased_until timestamptz,
  add constraint lease_is_whole check ((lease is null) = (leased_until is null));

alter table modification rename due_at to next_attempt_at;
alter table modification rename tries to attempts;
alter table modification alter attempts type integer;
alter table modification add lease uuid, add leased_until timestamptz,
  add constraint lease_is_whole check ((lease is null) = (leased_until is null));

alter table notification rename due_at to next_attempt_at;
alter table notification rename tries to attempts;
alter table notification alter attempts type integer;

alter table settlement_report rename due_at to next_attempt_at;
alter table settlement_report rename tries to attempts;
alter table settlement_report alter attempts type integer;
update settlement_report set lease = null;
alter table settlement_report add leased_until timestamptz,
  add constraint lease_is_whole check ((lease is null) = (leased_until is null));

alter table webhook_delivery rename due_at to next_attempt_at;
alter table webhook_delivery rename attempts to attempts_made;
alter table webhook_delivery rename tries to attempts;
alter table webhook_delivery add lease uuid, add leased_until timestamptz,
  drop constraint only_pending_is_held,
  add constraint only_pending_is_leased check (status = 'pending' or lease is null),
  add constraint lease_is_whole check ((lease is null) = (leased_until is null));
drop index webhook_delivery_held;
alter table webhook_delivery drop held;
create index webhook_delivery_leased on webhook_delivery (endpoint_id) where lease is not null;

alter table payment add attempts integer not null default 0;

-- What can't be given its place is set aside, so that the rest goes on.
alter table event_outbox add next_attempt_at timestamptz not null default now(),
  add attempts integer not null default 0;
create index event_outbox_set_aside on event_outbox (payment_id, sequence) where attempts > 0;
alter table posting_outbox add next_attempt_at timestamptz not null default now(),
  add attempts integer not null default 0;

-- The inbox: every signed item that the provider sent us, stored before it is acknowledged.

create table notification (
  id text primary key,
  -- SHA-256 of the signed text, eventDate and reason: a redelivery has the same, a capture that
  -- fails and is taken again does not.
  fingerprint bytea not null,
  event_code text not null,
  success boolean not null,
  psp_reference text not null,
  original_reference text,
  merchant_reference text not null,
  merchant_account text not null,
  -- Null where no money is concerned.
  currency char(3),
  amount bigint not null,
  live boolean not null,
  -- The item as it came. Only the signed fields decide anything.
  item jsonb not null,
  -- received: to be applied. applied: it changed something, or had changed it already.
  -- ignored: kept without effect. waiting: what it rests on is not known here yet.
  -- parked: it could not be applied; a person must look. foreign: not for this merchant account.
  status text not null check (
    status in ('received', 'applied', 'ignored', 'waiting', 'parked', 'foreign')
  ),
  fault text,
  next_attempt_at timestamptz,
  attempts integer not null default 0,
  lease uuid,
  leased_until timestamptz,
  received_at timestamptz not null default now(),
  applied_at timestamptz,
  constraint notification_fingerprint_once unique (fingerprint),
  constraint parked_says_why check (status <> 'parked' or fault is not null),
  constraint due_while_open check (
    (next_attempt_at is not null) = (status in ('received', 'waiting'))
  ),
  constraint lease_is_whole check ((lease is null) = (leased_until is null))
) with (fillfactor = 70);
create index notification_status on notification (status, id);
create index notification_event_code on notification (event_code, id);
create index notification_merchant_reference on notification (merchant_reference);
create index notification_due on notification (next_attempt_at) where next_attempt_at is not null;

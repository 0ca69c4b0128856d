-- The inbox: every signed item that the provider sent us, stored before it is acknowledged.

create table notification (
  id text primary key,
  -- SHA-256 of the signed text, eventDate and reason: a redelivery has the same, a capture that
  -- fails and is taken again does not.
  fingerprint bytea not null constraint notification_once unique,
  event_code text not null,
  success boolean not null,
  psp_reference text not null,
  original_reference text,
  merchant_reference text not null,
  merchant_account text not null,
  currency text not null,
  amount bigint not null,
  live boolean not null,
  -- The item as it came. Only the signed fields decide anything.
  item jsonb not null,
  -- received: to be applied. applied: it changed something, or had changed it already.
  -- ignored: kept without effect. waiting: its payment is not known here yet.
  -- parked: it could not be applied; a person must look. foreign: not for this merchant account.
  status text not null check (
    status in ('received', 'applied', 'ignored', 'waiting', 'parked', 'foreign')
  ),
  fault text,
  due_at timestamptz,
  tries smallint not null default 0,
  received_at timestamptz not null default now(),
  applied_at timestamptz,
  constraint parked_says_why check ((status = 'parked') <= (fault is not null)),
  constraint due_while_open check ((due_at is null) = (status in ('applied', 'ignored', 'parked', 'foreign')))
) with (fillfactor = 70);
create index notification_due on notification (due_at) where due_at is not null;
create index notification_list on notification (status, id);
create index notification_code on notification (event_code, id);
create index notification_reference on notification (merchant_reference);

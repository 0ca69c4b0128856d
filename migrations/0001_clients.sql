-- The systems that call this API, their keys, and what was answered under their idempotency keys.

create table client (
  id text primary key,
  name text not null unique,
  scopes text[] not null,
  -- A third party sees only what it created itself.
  third_party boolean not null default false,
  -- Origins that a returnUrl of this client may have, as `new URL(…).origin` spells them.
  return_origins text[] not null default '{}',
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  constraint third_party_scopes check (
    not third_party or not scopes && array[
      'accounts:write', 'refunds:approve', 'reconciliation:read', 'reconciliation:write'
    ]
  )
);

create table api_key (
  -- SHA-256 of a key of 256 random bits: a slow hash protects what people choose, not this.
  hash bytea primary key check (length(hash) = 32),
  client_id text not null references client,
  created_at timestamptz not null default now(),
  -- Set by a rotation: the old key works until then.
  expires_at timestamptz
);
create index api_key_client on api_key (client_id);

-- Every instance caches clients for some seconds; a change by whoever it may be drops the cache.
create function notify_client_changed() returns trigger language plpgsql as $$
begin
  notify client_changed;
  return null;
end $$;
create trigger client_changed after insert or update or delete on client
  for each statement execute function notify_client_changed();
create trigger api_key_changed after insert or update or delete on api_key
  for each statement execute function notify_client_changed();

-- A key is claimed by the statement that writes the resource, so both exist or neither does.
create table idempotency_key (
  client_id text not null,
  key text not null,
  -- SHA-256 of method, path and the parsed JSON with its members sorted.
  fingerprint bytea not null,
  resource_id text not null,
  -- Null while the work is under way; then the answer, byte for byte.
  reply_status smallint,
  reply_body text,
  created_at timestamptz not null default now(),
  -- Until when somebody is at it, after whom it is to be finished; null once it is answered. It
  -- stands here and not beside the payment, whose row can then take its page in place.
  due_at timestamptz,
  tries smallint not null default 0,
  primary key (client_id, key),
  constraint due_until_answered check (due_at is null or reply_status is null),
  constraint reply_is_whole check ((reply_status is null) = (reply_body is null))
) with (fillfactor = 60); -- The reply is written into the same page.
create index idempotency_key_due on idempotency_key (due_at) where due_at is not null;
create index idempotency_key_created on idempotency_key (created_at);

-- Refuses to rewrite history; the tables that hold facts use it.
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
end $$;

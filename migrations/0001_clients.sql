-- The systems that call this API, their keys, and what was answered under their idempotency keys.
--
-- Names, here and in all that follows: indexes, unique and foreign keys, and triggers are named
-- <table>_<columns or purpose>, with _once at the end of what keeps a fact from being there twice.
-- A check on one column is <table>_<column>_check; one on several is named for the rule that it
-- holds, so that an error says which was broken.
--
-- Work that is due stands in the row that it concerns, in the same four columns everywhere:
-- next_attempt_at (null: nothing is due), attempts (made since the work began), lease and
-- leased_until (who is at it, and until when nobody else is).
--
-- The rules for SQL that a test holds (test/database/statements.test.ts) are those of Citus and
-- PgBouncer: one command in a statement, one subcommand in an alter table, no trigger for each
-- statement but against truncate, no notify in a trigger.

create table client (
  id text primary key,
  name text not null,
  scopes text[] not null,
  -- A third party sees only what it created itself.
  third_party boolean not null default false,
  -- Origins that a returnUrl of this client may have, as `new URL(…).origin` spells them.
  return_origins text[] not null default '{}',
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  constraint client_name_once unique (name),
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

-- A key is claimed by the statement that writes the resource, so both exist or neither does.
create table idempotency_key (
  client_id text not null references client,
  key text not null,
  -- SHA-256 of method, path and the parsed JSON with its members sorted.
  fingerprint bytea not null,
  resource_id text not null,
  -- Null while the work is under way; then the answer, byte for byte.
  reply_status smallint,
  reply_body text,
  -- When the work is to be finished by somebody else; null once it is answered. It stands here and
  -- not beside the payment, whose row can then take its page in place.
  next_attempt_at timestamptz,
  attempts integer not null default 0,
  lease uuid,
  leased_until timestamptz,
  created_at timestamptz not null default now(),
  primary key (client_id, key),
  constraint due_until_answered check (next_attempt_at is null or reply_status is null),
  constraint lease_is_whole check ((lease is null) = (leased_until is null)),
  constraint reply_is_whole check ((reply_status is null) = (reply_body is null))
) with (fillfactor = 60); -- The reply is written into the same page.
create index idempotency_key_due on idempotency_key (next_attempt_at)
  where next_attempt_at is not null;
create index idempotency_key_created on idempotency_key (created_at);

-- Refuses to rewrite history. Tables of facts have two triggers with it: for each row that is
-- updated or deleted, and for truncate, which knows no rows.
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name
    using errcode = 'integrity_constraint_violation';
end
$$;

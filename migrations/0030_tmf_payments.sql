-- What was posted to TM Forum's façades, as it was sent: what our own tables have no place for comes
-- back from here. Text and not jsonb, which would write its numbers anew. It is there before the
-- payment or refund of its id, and goes where none came of it.
create table tmf_post (
  resource_id text primary key,
  kind text not null check (kind in ('payment', 'refund')),
  client_id text not null references client,
  -- The sender's own id of it, which stands for it for ever.
  correlator_id text,
  fingerprint bytea not null,
  body text not null,
  created_at timestamptz not null default now()
);
create unique index tmf_post_once on tmf_post (correlator_id, kind, client_id)
  where correlator_id is not null;

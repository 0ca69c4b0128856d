-- What people need to know of keys, to end one: how it begins, and when it was last used. And a
-- revoked client keeps its name, which another may then be given.

-- The first characters; null for a key that was made before this was kept.
alter table api_key add column prefix text;

-- Apart from the key, since the service may write here and not there.
create table api_key_use (
  hash bytea primary key references api_key,
  -- To the minute: a busy key does not write with each request.
  last_used_at timestamptz not null
);

alter table client drop constraint client_name_once;

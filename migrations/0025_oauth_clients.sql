-- A client may come with tokens of the operator's issuer in place of keys, or beside them, to change
-- from one to the other.

-- What the issuer calls it: the client_id of its tokens. Null: it comes with keys alone.
alter table client add column oauth_subject text;
alter table client add constraint client_oauth_subject_check
  check (oauth_subject ~ '^[!-~]{1,255}$') not valid;

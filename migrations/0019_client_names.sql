-- Of clients that are not revoked, each has a name of its own. It takes the place of a rule for all
-- of them, which goes in the next file.
create unique index concurrently if not exists client_name_in_use_once on client (name)
  where revoked_at is null;

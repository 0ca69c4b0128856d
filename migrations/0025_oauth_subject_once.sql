-- Of clients that are not revoked, each is another one to the issuer.
create unique index concurrently if not exists client_oauth_subject_once on client (oauth_subject)
  where revoked_at is null and oauth_subject is not null;
alter table client validate constraint client_oauth_subject_check;

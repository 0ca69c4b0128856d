-- References under which a dispute was announced, before its money was taken under another: told
-- again, that is no other dispute.
alter table dispute add told_as text[] not null default '{}';

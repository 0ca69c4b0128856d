-- Disputes of a status, newest first; by their deadlines; and those of a status by their deadlines,
-- among which are the open ones whose deadline is near. Disputes are few, and seldom written.
create index concurrently if not exists dispute_status on dispute (status, id);
create index concurrently if not exists dispute_deadline on dispute (defend_by, id)
  where defend_by is not null;
create index concurrently if not exists dispute_status_deadline on dispute (status, defend_by, id)
  where defend_by is not null;

-- Which deadline was announced: a dispute may get a later one, as by pre-arbitration, and that is
-- announced again.
alter table dispute_reminder add column defend_by timestamptz default 'infinity';

-- Which payment a create saw as the last one when it began; null where it expects nothing. Only
-- compared with the row that is there.
alter table latest_payment add column expected_id text;

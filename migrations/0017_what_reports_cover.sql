-- Up to when the lines of a report go that are our own: what came after is in a later one.
alter table settlement_report add booked_until timestamptz;
update settlement_report r set booked_until = own.until
from (
  select report_id, max(booked_at) as until from settlement_line
  where payment_id is not null group by report_id
) own
where own.report_id = r.id;

-- What was given back and is in no report yet, for finding what is missing.
drop index modification_captured;
create index modification_settled on modification (updated_at)
  where kind in ('capture', 'refund') and status = 'succeeded';

-- Up to when the lines of a report go that are our own: what came after is in a later one.
alter table settlement_report add booked_until timestamptz;
update settlement_report r set booked_until = (
  select max(booked_at) from settlement_line l
  where l.report_id = r.id and l.payment_id is not null
);

-- What was given back and is in no report yet, for finding what is missing.
drop index modification_captured;
create index modification_settled on modification (updated_at)
  where kind in ('capture', 'refund') and status = 'succeeded';

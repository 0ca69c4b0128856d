-- Once, as the owner, after a restore to an earlier time and before the first instance starts.
--
-- Places in the feed and among postings were given out after that time, and readers keep the last one
-- that they saw. Given out again, they would be events that those readers take for known. So the next
-- ones begin far above all that anybody can have seen: a hole in the places is allowed, two events in
-- one place are not.
do $$
declare
  jump constant bigint := 10000000;
  kept record;
begin
  for kept in select * from (values ('event_feed'), ('billing_posting')) as t (name) loop
    perform setval(
      pg_get_serial_sequence(kept.name, 'position'),
      nextval(pg_get_serial_sequence(kept.name, 'position')) + jump
    );
  end loop;
  -- Deliveries of webhooks are numbered as well; receivers may have noted a number.
  perform setval('webhook_delivery_number', nextval('webhook_delivery_number') + jump);
end $$;

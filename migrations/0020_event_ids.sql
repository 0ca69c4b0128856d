-- An event of no payment is in the feed once; those of payments, which are nearly all, have no entry
-- here. It takes the place of a rule for all, which goes in the next file.
create unique index concurrently if not exists event_feed_other_once on event_feed (event_id)
  where event_id is not null;

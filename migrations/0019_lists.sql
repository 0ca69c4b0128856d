-- What is pending is a few of many payments. A list of one channel has no index of its own: a channel
-- that is in use is met soon on the way through the newest, and each payment would be written into
-- that index twice.
create index payment_pending on payment (status, id) where status = 'pending';

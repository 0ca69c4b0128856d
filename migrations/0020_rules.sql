-- Foreign keys that cost each create a look-up and a lock, and whose promise holds without them: the
-- service's role deletes neither clients nor payments, and these rows take the id from the very row
-- that they are about, in the same statement or under its lock. Money keeps its own.
alter table idempotency_key drop constraint idempotency_key_client_id_fkey;
alter table payment_event drop constraint payment_event_payment_id_fkey;
alter table event_feed drop constraint event_feed_payment_id_fkey;
alter table event_feed drop constraint event_feed_client_id_fkey;

-- Held by event_feed_other_once.
alter table event_feed drop constraint event_feed_event_once;

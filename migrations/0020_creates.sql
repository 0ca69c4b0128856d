-- What a create writes, so that it is little. test/database/entries.test.ts has the statements that
-- need each index.

-- The payments that one statement wrote down, and when their creates are to be answered; later than
-- that somebody else finishes those that are not. One row for all of them, whose answers need not
-- touch it: the due time of a key stands in its row only once its create was put off, or was left.
create table create_batch (
  payment_ids text[] not null,
  due_at timestamptz not null
) with (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
create index create_batch_due on create_batch (due_at);

-- The answer is several times as long as what stands there before it, and the page a third: so much
-- of each page is left that both are written beside it, without new index entries.
alter table idempotency_key set (fillfactor = 12);
alter table payment set (fillfactor = 45);

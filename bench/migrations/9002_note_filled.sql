-- And for what is done about the rows that are there.
update payment set bench_note = 'old' where id in (
  select id from payment where bench_note is null limit 1000
);
alter table payment validate constraint bench_note_short;
create index concurrently if not exists bench_note on payment (bench_note, account_id);

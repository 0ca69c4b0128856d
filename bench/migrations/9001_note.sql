-- Stands for a column that a later version reads, with a rule.
alter table payment add column bench_note text;
alter table payment add constraint bench_note_short check (length(bench_note) < 100) not valid;

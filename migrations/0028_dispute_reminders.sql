-- That a deadline was announced so many days before it: once for each dispute. Disputes are found by
-- their deadlines, whichever release has written them.
create table dispute_reminder (
  dispute_id text not null references dispute,
  days smallint not null constraint reminder_of_a_kind check (days in (7, 2)),
  created_at timestamptz not null default now(),
  primary key (dispute_id, days)
);

-- Days are closed, and taken up again, by each brand for itself: the lock is that of the schema, as
-- src/database/brand.ts has it.
create or replace function reopen_days() returns trigger language plpgsql
  security definer set search_path from current as $$
declare
  at timestamptz;
  brand bigint;
begin
  select min((to_jsonb(new)->>name)::timestamptz) into at from unnest(tg_argv) as name;
  select case tg_table_schema when 'public' then 0 else relnamespace::bigint end
    into brand from pg_class where oid = tg_relid;
  -- Whoever closes days has it too, until its end.
  perform pg_advisory_xact_lock(7240016 # (brand << 32));
  delete from daily_closing where day >= (at at time zone 'UTC')::date;
  delete from daily_comparison where day >= (at at time zone 'UTC')::date;
  return null;
end $$;

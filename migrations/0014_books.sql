-- What a settlement report says of times and fees beside its first columns.

-- Time zones that are not known here, as the report names them.
alter table settlement_report add unknown_zones text[] not null default '{}';
-- When each batch was paid out, by merchant account and batch: its lines may not say when.
alter table settlement_report add payouts jsonb not null default '{}';

-- When it was booked to its batch, else when that was paid out; null where neither is sure.
alter table settlement_line add settled_at timestamptz;
-- What net lacks of gross beside the fees; and whether the report says what that is.
alter table settlement_line add other_fees bigint not null default 0;
alter table settlement_line add fees_named boolean not null default true;

-- What the books came to at the end of a day (UTC), so that no summary adds up all that was before:
-- of each posting and of what reports have of our facts, since the beginning. Written once the day
-- is long over.
create table daily_closing (
  day date primary key,
  -- [{ currency, posting, debitAccount, creditAccount, amount }], minor units.
  postings jsonb not null,
  -- [{ currency, ours }], minor units.
  settled jsonb not null,
  closed_at timestamptz not null default now()
);

-- What is booked on a day that was closed takes its closing away, and those after it: they are
-- written anew. Arguments: the columns that say when.
create function reopen_days() returns trigger language plpgsql
  -- As its owner: the service itself may take no closing away.
  security definer set search_path from current as $$
declare
  at timestamptz;
begin
  select min((to_jsonb(new)->>name)::timestamptz) into at from unnest(tg_argv) as name;
  -- Whoever closes days has it too, until its end.
  perform pg_advisory_xact_lock(7240016);
  delete from daily_closing where day >= (at at time zone 'UTC')::date;
  return null;
end $$;
create trigger ledger_transfer_reopens after insert on ledger_transfer
  for each row when (new.created_at < clock_timestamp() - interval '12 hours')
  execute function reopen_days('created_at');
create trigger settlement_line_reopens after insert on settlement_line
  for each row
  when (least(new.created_at, new.matched_at) < clock_timestamp() - interval '12 hours')
  execute function reopen_days('created_at', 'matched_at');
create trigger settlement_line_match_reopens after update on settlement_line
  for each row when (new.matched_at < clock_timestamp() - interval '12 hours')
  execute function reopen_days('matched_at');

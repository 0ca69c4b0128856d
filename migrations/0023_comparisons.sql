-- What the provider, the ledger and billing said of a day (UTC) when it was last compared: periods
-- add up days. What any of them says later of a record takes the days of that record away.
create table daily_comparison (
  day date primary key,
  -- [{ currency, what, count, amount }], minor units.
  sums jsonb not null
);

-- Until when what was said is in the comparisons, or has taken them away: one row.
create table comparison_mark (
  id boolean primary key default true constraint one_mark check (id),
  until timestamptz not null
);

-- What is written long after its own time takes comparisons away as it does closings.
create or replace function reopen_days() returns trigger language plpgsql
  security definer set search_path from current as $$
declare
  at timestamptz;
begin
  select min((to_jsonb(new)->>name)::timestamptz) into at from unnest(tg_argv) as name;
  -- Whoever closes days has it too, until its end.
  perform pg_advisory_xact_lock(7240016);
  delete from daily_closing where day >= (at at time zone 'UTC')::date;
  delete from daily_comparison where day >= (at at time zone 'UTC')::date;
  return null;
end $$;

-- The planner knows nothing of an expression by a partial index: a frequent brand was taken for a
-- rare one.
create statistics payment_brand_values on (lower(card->>'brand')) from payment;
create statistics payment_last_four_values on (card->>'lastFour') from payment;

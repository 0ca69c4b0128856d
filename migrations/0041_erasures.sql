-- Erasing what is personal of an account, and the record of it. What goes and what stays stands in
-- src/erasure/personal-data.ts; here is what the database itself must know, to let nothing else
-- change what is only added to.
create table erasure (
  id bigint generated always as identity primary key,
  account_id integer not null references account,
  -- The person who answers for it, not the one whose data it is.
  asked_by text not null check (length(asked_by) between 1 and 100),
  begun_at timestamptz not null default now(),
  finished_at timestamptz,
  -- Rows that were changed, by table.
  counts jsonb not null default '{}'
);
create unique index erasure_open_once on erasure (account_id) where finished_at is null;

-- JSON of ours without what is personal, by the names of its members: what people wrote is
-- 'erased', and what has a form of its own is null. The same again changes nothing.
create function without_personal(value jsonb) returns jsonb language plpgsql immutable as $$
declare
  written constant text[] := '{description,reason,message,providerMessage,detail,fault}';
  formed constant text[] := '{metadata,customer,lastFour,expiryMonth,expiryYear,checkout,
    returnUrl,additionalData}';
begin
  case jsonb_typeof(value)
    when 'object' then return (
      select coalesce(jsonb_object_agg(name, case
        when name = any(formed) then 'null'::jsonb
        when name = any(written) and jsonb_typeof(one) = 'string' then '"erased"'::jsonb
        else without_personal(one) end), '{}')
      from jsonb_each(value) as x(name, one));
    when 'array' then return (
      select coalesce(jsonb_agg(without_personal(one) order by place), '[]')
      from jsonb_array_elements(value) with ordinality as x(one, place));
    else return value;
  end case;
end $$;

-- The same of a saved answer, byte for byte as it was where it holds nothing of the kind.
create function without_personal(value text) returns text language sql immutable as $$
  select case
    when value not like '{%' then value
    when without_personal(value::jsonb) = value::jsonb then value
    else without_personal(value::jsonb)::text
  end
$$;

-- Of an item of the provider's: what it signs, and what tells of when and how; nothing that it has
-- no name for here.
create function signed_part(item jsonb) returns jsonb language sql immutable as $$
  select coalesce(jsonb_object_agg(name, one), '{}') from jsonb_each(item) as x(name, one)
  where name in ('amount', 'eventCode', 'eventDate', 'merchantAccountCode', 'merchantReference',
    'originalReference', 'paymentMethod', 'pspReference', 'success', 'createdAt', 'environment',
    'eventId', 'type')
$$;

-- Whether the change of a row is an erasure: while one of its account is under way, and by what
-- stood there alone, so that it can be nothing else.
create function is_erasure(name text, was jsonb, becomes jsonb) returns boolean
language sql stable as $$
  select becomes = was || case name
      when 'payment_event' then jsonb_build_object(
        'data', without_personal(was->'data'), 'payment', without_personal(was->'payment'))
      when 'other_event' then jsonb_build_object('data', without_personal(was->'data'))
      when 'adjustment' then '{"reason": "erased"}'
    end
    and exists (
      select from erasure
      where finished_at is null and account_id = coalesce((was->>'account_id')::integer,
        (select account_id from payment where id = was->>'payment_id')))
$$;

create or replace function refuse_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    if is_erasure(tg_table_name, to_jsonb(old), to_jsonb(new)) then return new; end if;
  end if;
  raise exception '% is append-only', tg_table_name
    using errcode = 'integrity_constraint_violation';
end
$$;

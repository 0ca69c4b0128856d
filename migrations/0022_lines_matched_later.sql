-- What a line of a report says is never changed. The record of ours that explains it may come later
-- than the line: it is then filled in once.
drop trigger settlement_line_kept on settlement_line;
alter table settlement_line add matched_at timestamptz;
update settlement_line set matched_at = created_at where record_id is not null;
alter table settlement_line add constraint matched_has_time check (
  (record_id is null) = (matched_at is null)
);
create function keep_settlement_line() returns trigger language plpgsql as $$
declare
  match constant text[] := '{payment_id,record_type,record_id,our_currency,ours,matched_at}';
begin
  if tg_op = 'UPDATE' and old.record_id is null
    and to_jsonb(new) - match = to_jsonb(old) - match
  then
    return new;
  end if;
  raise exception 'settlement_line is append-only' using errcode = 'integrity_constraint_violation';
end $$;
create trigger settlement_line_kept before update or delete on settlement_line
  for each row execute function keep_settlement_line();
create trigger settlement_line_no_truncate before truncate on settlement_line
  for each statement execute function refuse_change();

-- Batches that carry a balance and do not add up to 0 without it: nothing shows that they are whole.
alter table settlement_report add unchecked_batches text[] not null default '{}';

-- A refund that resolved a discrepancy may come to nothing: the discrepancy is open again.
alter table discrepancy add reopened_at timestamptz;
create index discrepancy_refunded on discrepancy (id)
  where status = 'resolved' and resolution = 'refund';

-- Settlement: what the payment provider says in its reports that it settled, and which facts of
-- ours each line stands for.

create table settlement_report (
  id text primary key,
  origin text not null check (origin in ('upload', 'provider')),
  kind text check (kind in ('settlementDetails', 'paymentAccounting')),
  file_name text,
  -- Where the provider has it; and the notification that said so.
  url text,
  notification_id text references notification,
  -- SHA-256 of the content; null while there is none.
  content_hash bytea,
  size bigint not null default 0,
  -- So far: lines that were read, those that were applied, and what came of them.
  lines integer not null default 0,
  applied integer not null default 0,
  matched integer not null default 0,
  discrepancies integer not null default 0,
  -- Types of lines that are not known here.
  unknown_types text[] not null default '{}',
  -- Those that carry a balance and do not add up to 0: nothing shows whether they are whole.
  unchecked_batches text[] not null default '{}',
  -- uploading: not whole yet, and shown to nobody. awaitingUpload: the provider has it and does not
  -- give it to us. received: to be read. processing: being read, then applied. refused: nothing of
  -- it is kept.
  status text not null check (
    status in ('uploading', 'awaitingUpload', 'received', 'processing', 'done', 'refused')
  ),
  fault text,
  next_attempt_at timestamptz,
  attempts integer not null default 0,
  -- Who is at it; whoever finds another one here has lost it.
  lease uuid,
  leased_until timestamptz,
  created_at timestamptz not null default now(),
  -- When it was found to be whole: from here on its lines are applied.
  staged_at timestamptz,
  -- Up to when the lines go that are our own: what came after is in a later one.
  booked_until timestamptz,
  finished_at timestamptz,
  constraint refused_says_why check (status <> 'refused' or fault is not null),
  constraint finished_has_time check ((status in ('done', 'refused')) = (finished_at is not null)),
  constraint finished_is_not_due check (next_attempt_at is null or finished_at is null),
  constraint lease_is_whole check ((lease is null) = (leased_until is null))
);
-- The same file twice is one report; what was refused may be sent again.
create unique index settlement_report_content_once on settlement_report (content_hash)
  where content_hash is not null and status <> 'refused';
create unique index settlement_report_file_once on settlement_report (file_name)
  where origin = 'provider';
create index settlement_report_due on settlement_report (next_attempt_at)
  where next_attempt_at is not null;

-- The content until it is applied, in pieces, so that whatever was accepted outlives a crash.
create table settlement_content (
  report_id text not null references settlement_report on delete cascade,
  number integer not null,
  piece bytea not null,
  primary key (report_id, number)
);

-- Lines until their report is found to be whole and they are applied.
create table settlement_staged (
  report_id text not null references settlement_report,
  line integer not null,
  fact bytea not null,
  content jsonb not null,
  primary key (report_id, line)
);
create index settlement_staged_fact on settlement_staged (report_id, fact, line);

-- Every line of every settlement details report, once: the same batch in another file has the same
-- lines. What it says is never changed; the record that explains it is filled in once.
create table settlement_line (
  id bigint generated always as identity primary key,
  report_id text not null references settlement_report,
  line integer not null,
  -- What makes it the same as another, as a hash; and its number among the same of its report.
  fact bytea not null,
  occurrence integer not null,
  merchant_account text not null,
  batch text not null,
  type text not null,
  -- What the type means to us.
  meaning text not null,
  psp_reference text,
  merchant_reference text,
  modification_reference text,
  modification_merchant_reference text,
  -- Date and time zone as the report has them; the time where they leave no doubt.
  booked_as text not null,
  zone text not null,
  booked_at timestamptz,
  -- Minor units; what comes to us is positive, what is taken negative. Fees are positive.
  gross_currency char(3) not null,
  gross bigint not null,
  net_currency char(3) not null,
  net bigint not null,
  fees bigint not null,
  payment_id text references payment,
  -- The fact of ours that it stands for, and the amount that we have of it, signed like gross.
  record_type text,
  record_id text,
  our_currency char(3),
  ours bigint,
  created_at timestamptz not null default now(),
  -- When the record was found: at once, or when it came.
  matched_at timestamptz,
  constraint settlement_line_fact_once unique (fact, occurrence),
  constraint matched_has_time check ((record_id is null) = (matched_at is null)),
  constraint record_is_whole check (
    (record_type is null) = (record_id is null) and (record_id is null) = (ours is null)
    and (ours is null) = (our_currency is null)
  )
);
create index settlement_line_record on settlement_line (record_id) where record_id is not null;
create index settlement_line_payment on settlement_line (payment_id) where payment_id is not null;
create index settlement_line_created on settlement_line (created_at);
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
create trigger settlement_line_append_only before update or delete on settlement_line
  for each row execute function keep_settlement_line();
create trigger settlement_line_no_truncate before truncate on settlement_line
  for each statement execute function refuse_change();

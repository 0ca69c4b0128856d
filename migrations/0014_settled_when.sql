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

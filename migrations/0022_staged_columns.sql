-- The lines of a report that is read stand aside as what they say, column by column: they come by
-- COPY, and what no rule is needed for goes into settlement_line without leaving the database. The
-- last release keeps them as JSON, and begins a report anew that has no staged_at: until all of a
-- report is applied, that it is staged in columns stands in read_at.
alter table settlement_staged alter column content drop not null;
-- Whether it may be about a payment of our merchant account.
alter table settlement_staged add column is_ours boolean;
-- Whether a line before it may be the same: only then its occurrence is counted.
alter table settlement_staged add column is_repeated boolean;
alter table settlement_staged add column merchant_account text;
alter table settlement_staged add column batch text;
alter table settlement_staged add column type text;
alter table settlement_staged add column meaning text;
alter table settlement_staged add column psp_reference text;
alter table settlement_staged add column merchant_reference text;
alter table settlement_staged add column modification_reference text;
alter table settlement_staged add column modification_merchant_reference text;
alter table settlement_staged add column booked_as text;
alter table settlement_staged add column zone text;
alter table settlement_staged add column booked_at timestamptz;
alter table settlement_staged add column booked_from timestamptz;
alter table settlement_staged add column settled_at timestamptz;
alter table settlement_staged add column gross_currency text;
alter table settlement_staged add column gross bigint;
alter table settlement_staged add column net_currency text;
alter table settlement_staged add column net bigint;
alter table settlement_staged add column fees bigint;
alter table settlement_staged add column other_fees bigint;
alter table settlement_staged add column fees_named boolean;

alter table settlement_report add column read_at timestamptz;

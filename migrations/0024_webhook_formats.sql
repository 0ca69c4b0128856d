-- How an endpoint takes its events. The last release sends them in the standard format alone.
alter table webhook_endpoint add column format text not null default 'standard';
alter table webhook_endpoint add constraint format_is_known
  check (format in ('standard', 'cloudevents', 'tmf676')) not valid;

-- Which notifications a subscriber to TMF676's hub wants, as it said so; `events` holds what that
-- means. Null: all, or no such subscriber.
alter table webhook_endpoint add column query text;
alter table webhook_endpoint add constraint query_is_of_a_hub
  check (query is null or format = 'tmf676') not valid;

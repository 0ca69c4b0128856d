alter table webhook_endpoint validate constraint format_is_known;
alter table webhook_endpoint validate constraint query_is_of_a_hub;

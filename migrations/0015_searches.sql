-- What the day's summary and lists find by: each is used by a statement of the service.

create index concurrently if not exists settlement_line_matched
  on settlement_line (matched_at) where matched_at is not null;
create index concurrently if not exists discrepancy_created on discrepancy (kind, created_at);
create index concurrently if not exists discrepancy_resolved
  on discrepancy (resolved_at) where resolved_at is not null;

-- What the next billing file takes.
create index concurrently if not exists billing_posting_unfiled
  on billing_posting (position) where status = 'open' and file_id is null;

-- Payments, newest first, by what people know of them. Few values stand in the first columns, so
-- that new rows go to the same few pages.
create index concurrently if not exists payment_channel on payment (channel, method, id);
create index concurrently if not exists payment_amount on payment (amount, id);
create index concurrently if not exists payment_last_four
  on payment ((card->>'lastFour'), id) where card is not null;
create index concurrently if not exists payment_brand
  on payment (lower(card->>'brand'), id) where card is not null;
create index concurrently if not exists payment_operator
  on payment (
    replace(upper(lower(regexp_replace(normalize(operator->>'id', nfkc), '\s+', ' ', 'g'))),
      'ß', 'SS'), id
  ) where operator is not null;

-- References of the money, as the provider's own pages show them.
create index concurrently if not exists payment_processor_reference
  on payment (processor_reference) where processor_reference is not null;
create index concurrently if not exists operation_provider_reference
  on operation (provider_reference) where provider_reference is not null;
create index concurrently if not exists dispute_reference on dispute (reference);

-- TMF676 asks for payments by when they were taken: those that were recorded much later stand far
-- from it by their ids. No other payment has an entry.
create index concurrently if not exists payment_recorded_late
  on payment (taken_at) where created_at - taken_at > interval '1 day';

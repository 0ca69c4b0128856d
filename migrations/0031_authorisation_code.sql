-- TMF676 asks for payments by the code of the bank; only recorded payments have one.
create index concurrently if not exists payment_authorisation_code
  on payment (authorisation_code) where authorisation_code is not null;

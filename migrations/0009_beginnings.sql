-- How payments by link and by registered card begin, and how two of the same are told apart.

alter table payment
  -- The provider's name of the card that is charged, so that a charge is asked for again as it was
  -- asked for first, whatever has become of the card.
  add card_token text,
  -- What the customer brought back from 3-D Secure, and when: stored before the provider is told.
  add redirect_result text,
  add returned_at timestamptz,
  add constraint returned_has_time check ((redirect_result is null) = (returned_at is null)),
  add constraint charge_has_token check ((method = 'registeredCard') = (card_token is not null));

-- A second payment of the same account and amount changes its row in place, which an index on what
-- it changes would prevent; what is old is found by reading the few rows that there are.
drop index latest_payment_created;

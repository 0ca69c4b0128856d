-- The registrations of an account: those whose page is open, and the one that a card came from.
create index concurrently if not exists card_registration_account
  on card_registration (account_id, id);

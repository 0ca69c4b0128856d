-- Registered cards. Adyen keeps them and is the truth about which cards an account has; here is
-- what it said last, and what is still to be asked of it.

create table card (
  id text primary key check (length(id) <= 30), -- CMP's CardReference holds 30.
  account_id integer not null references account,
  -- Adyen's name of the card: good for charging it, together with the account.
  token text not null,
  -- The face, for display; what Adyen does not say is null.
  brand text,
  last_four text,
  expiry_month smallint,
  expiry_year smallint,
  funding text,
  -- When to ask Adyen to remove it; null where it has, or told us itself.
  next_attempt_at timestamptz,
  attempts integer not null default 0,
  lease uuid,
  leased_until timestamptz,
  created_at timestamptz not null default now(),
  -- A removed card is never shown or charged again: one that is registered anew is another card.
  removed_at timestamptz,
  constraint only_removed_is_due check (next_attempt_at is null or removed_at is not null),
  constraint lease_is_whole check ((lease is null) = (leased_until is null))
);
create unique index card_token_once on card (account_id, token) where removed_at is null;
create index card_account on card (account_id, id);
create index card_due on card (next_attempt_at) where next_attempt_at is not null;

-- Accounts whose cards may have changed at Adyen. A row lives until its cards were asked for. There
-- is no foreign key: a hint must wait for nobody who holds the account.
create table card_sync (
  account_id integer primary key,
  next_attempt_at timestamptz,
  -- How often Adyen did not answer, and how often its list had nothing new.
  attempts integer not null default 0,
  looks integer not null default 0,
  -- Whose list is under way. A new hint, or a removal, takes it away, and with it the list.
  lease uuid,
  leased_until timestamptz,
  constraint lease_is_whole check ((lease is null) = (leased_until is null))
);
create index card_sync_due on card_sync (next_attempt_at) where next_attempt_at is not null;

-- A page where a customer registers a card and pays nothing.
create table card_registration (
  id text primary key,
  client_id text not null references client,
  idempotency_key text not null,
  account_id integer not null references account,
  currency char(3) not null,
  return_url text not null,
  customer jsonb,
  -- failed: Adyen refused to open the page.
  status text not null default 'pending'
    check (status in ('pending', 'completed', 'refused', 'failed')),
  -- The idempotency key under which the page is asked for: stored before the call.
  provider_key text not null,
  provider_session text,
  checkout_url text,
  -- When the page is to be asked for again, while there is none.
  next_attempt_at timestamptz,
  attempts integer not null default 0,
  lease uuid,
  leased_until timestamptz,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  -- When the customer came back for the first time: only that is worth asking Adyen.
  returned_at timestamptz,
  finished_at timestamptz,
  constraint page_is_whole check ((provider_session is null) = (checkout_url is null)),
  constraint finished_has_time check ((status = 'pending') = (finished_at is null)),
  constraint only_without_page_is_due check (
    next_attempt_at is null or provider_session is null and status <> 'failed'
  ),
  constraint lease_is_whole check ((lease is null) = (leased_until is null))
);
create index card_registration_due on card_registration (next_attempt_at)
  where next_attempt_at is not null;

-- Registered cards. Adyen keeps them and is the truth about which cards an account has; here is
-- what it said last, and what is still to be asked of it.

create table card (
  id text primary key check (length(id) <= 30), -- CMP's CardReference holds 30.
  account_id integer not null references account,
  -- Adyen's name of the card: good for charging it, together with the account.
  token text not null,
  -- The face, for display; what Adyen does not tell is null.
  brand text,
  last_four text,
  expiry_month smallint,
  expiry_year smallint,
  funding text,
  created_at timestamptz not null default now(),
  -- A removed card is never shown or charged again: one that is registered anew is another card.
  removed_at timestamptz,
  -- When to ask Adyen to remove it; null where it has, or told us itself.
  due_at timestamptz,
  tries smallint not null default 0,
  constraint only_removed_is_due check (due_at is null or removed_at is not null)
);
create unique index card_token_once on card (account_id, token) where removed_at is null;
create index card_due on card (due_at) where due_at is not null;
create index card_account on card (account_id, id);

-- Accounts whose cards may have changed at Adyen. A row lives until its cards were asked for. There
-- is no foreign key: a hint must wait for nobody who holds the account.
create table card_sync (
  account_id integer primary key,
  due_at timestamptz not null,
  -- How often Adyen did not answer, and how often its list had nothing new.
  tries smallint not null default 0,
  looks smallint not null default 0,
  -- Whose list is under way. A new hint, or a removal, takes it away, and with it the list.
  lease uuid
);
create index card_sync_due on card_sync (due_at);

-- A page where a customer registers a card and pays nothing.
create table card_registration (
  id text primary key,
  client_id text not null,
  idempotency_key text not null,
  account_id integer not null references account,
  currency char(3) not null,
  return_url text not null,
  customer jsonb,
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  -- failed: Adyen refused to open the page.
  status text not null default 'pending'
    check (status in ('pending', 'completed', 'refused', 'failed')),
  finished_at timestamptz,
  -- When the customer came back for the first time: only that is worth asking Adyen.
  returned_at timestamptz,
  -- The idempotency key under which the page is asked for: stored before the call.
  provider_key text not null,
  provider_session text,
  checkout_url text,
  -- Until when somebody is asking for the page, while there is none.
  leased_until timestamptz not null,
  tries smallint not null default 0,
  constraint page_is_whole check ((provider_session is null) = (checkout_url is null)),
  constraint finished_has_time check ((status = 'pending') = (finished_at is null))
);

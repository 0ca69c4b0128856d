-- Which card a registration brought, by Adyen's name of it; null where Adyen did not say. It is not
-- signed: good for naming a card that Adyen lists for the account, and for nothing else.
alter table card_registration add column card_token text;

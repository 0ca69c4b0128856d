-- What the system that registers a card calls it, and then its card: payment methods of TM Forum have
-- a name that their maker gives them.
alter table card_registration add column name text;
alter table card_registration add column description text;

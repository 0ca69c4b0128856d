-- What a page may offer to pay with, where a create asked for less than is enabled, and what the
-- provider said of the customer's authentication. Both are written only where there is something to
-- say: a create that asks for nothing, and what was paid before, have neither.
alter table payment add column payment_methods jsonb;
alter table payment add column authentication jsonb;

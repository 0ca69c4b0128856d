-- Whether a refund stands for the reversal of all that was left, which somebody asked for at the
-- provider: news of the reversal tell the whole amount, whatever had been given back before.
alter table modification add is_rest boolean not null default false;

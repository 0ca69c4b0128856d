-- How the provider tells of what somebody asked, otherwise than it was asked for.
alter table modification
  -- Other references under which it was told: an array of texts.
  add told_as jsonb not null default '[]',
  -- Whether a refund stands for the reversal of all that was left, which somebody asked for at the
  -- provider: news of the reversal tell the whole amount, whatever had been given back before.
  add is_rest boolean not null default false;

-- The rules of a payment, which were declared as checks, held by a trigger. PostgreSQL reads each
-- declared check of a table anew for every statement that writes to it: for the twenty of a payment
-- that was a fifth of PostgreSQL's time for a create. A function is read once in a session, and not
-- called where nothing is written that a rule is about. The one about `due_at` stays declared: much
-- that changes nothing else changes that.

alter table payment
  drop constraint payment_id_check,
  drop constraint payment_amount_check,
  drop constraint payment_channel_check,
  drop constraint payment_method_check,
  drop constraint payment_capture_check,
  drop constraint payment_save_card_check,
  drop constraint payment_status_check,
  drop constraint payment_cancelled_by_check,
  drop constraint agent_is_named,
  drop constraint captured_within_authorised,
  drop constraint refunded_within_captured,
  drop constraint paid_has_authorisation,
  drop constraint captured_has_amount,
  drop constraint ended_says_why,
  drop constraint cancelled_says_who,
  drop constraint finished_has_time,
  drop constraint method_has_its_own,
  drop constraint returned_has_time,
  drop constraint charge_has_token;

-- A rule that is unknown for a null holds, as a check would.
create function check_payment() returns trigger language plpgsql as $$
declare
  broken text := case
    -- CMP's TransactionReference holds 20.
    when length(new.id) > 20 then 'payment_id_check'
    when new.amount <= 0 then 'payment_amount_check'
    when new.channel not in ('selfcare', 'ivr', 'agent', 'service') then 'payment_channel_check'
    when new.method not in ('hostedPage', 'paymentLink', 'registeredCard', 'recorded')
      then 'payment_method_check'
    when new.capture not in ('automatic', 'manual') then 'payment_capture_check'
    when new.save_card not in ('never', 'ask', 'always') then 'payment_save_card_check'
    when new.status not in
      ('pending', 'authorised', 'captured', 'refused', 'cancelled', 'expired', 'failed')
      then 'payment_status_check'
    when new.cancelled_by not in ('customer', 'client') then 'payment_cancelled_by_check'

    when new.channel = 'agent' and new.operator is null then 'agent_is_named'
    when (new.method = 'hostedPage' and new.return_url is null)
      or (new.method = 'registeredCard') <> (new.registered_card is not null)
      or (new.method = 'recorded') <> (new.processor_name is not null)
      or (new.method = 'recorded') <> (new.processor_reference is not null)
      or (new.method = 'recorded') <> (new.taken_at is not null)
      or (new.method <> 'recorded')
        <> (new.idempotency_key is not null and new.provider_key is not null)
      then 'method_has_its_own'
    when (new.method = 'registeredCard') <> (new.card_token is not null) then 'charge_has_token'
    when (new.redirect_result is null) <> (new.returned_at is null) then 'returned_has_time'

    when new.status in ('authorised', 'captured')
      and (new.failure is not null or (new.authorisation is null and new.method <> 'recorded'))
      then 'paid_has_authorisation'
    when (new.status = 'captured') <> (new.amount_captured > 0) then 'captured_has_amount'
    when new.status in ('refused', 'expired', 'failed') and new.failure is null
      then 'ended_says_why'
    when (new.status = 'cancelled') <> (new.cancelled_by is not null) then 'cancelled_says_who'
    when (new.status not in ('pending', 'authorised')) <> (new.finished_at is not null)
      then 'finished_has_time'

    when new.amount_captured not between 0 and new.amount then 'captured_within_authorised'
    when least(new.amount_refunded, new.amount_refunding, new.amount_charged_back) < 0
      or new.amount_refunded > new.amount_captured
      then 'refunded_within_captured'
  end;
begin
  if broken is not null then
    raise exception 'payment % breaks the rule "%"', new.id, broken
      using errcode = 'check_violation', table = 'payment', constraint = broken;
  end if;
  return new;
end
$$;
create trigger payment_is_sound
  before insert or update of id, amount, channel, method, capture, save_card, status, cancelled_by,
    operator, return_url, registered_card, processor_name, processor_reference, taken_at,
    idempotency_key, provider_key, card_token, redirect_result, returned_at, failure, authorisation,
    amount_captured, amount_refunded, amount_refunding, amount_charged_back, finished_at
  on payment for each row execute function check_payment();

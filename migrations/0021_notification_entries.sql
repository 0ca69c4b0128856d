-- Being applied is written to fewer indexes. Each of the two that go away is one that a notification
-- was entered into when it came, and again when it was applied; what they found of what is applied,
-- and of the code that most have, the primary key finds as soon.

-- What came to something else than to be applied, by what that was. What is received is due.
create index concurrently if not exists notification_not_applied
  on notification (status, id) where status not in ('received', 'applied');
create index concurrently if not exists notification_other_code
  on notification (event_code, id) where event_code <> 'AUTHORISATION';

drop index concurrently if exists notification_status;
drop index concurrently if exists notification_event_code;

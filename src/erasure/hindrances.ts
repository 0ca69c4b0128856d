/** What is still under way and needs what an erasure would take away. */
import { ofNotifications } from './personal-data.ts'

/** By its name, how much of it there is, and some of its ids. */
export type Hindrance = { name: string; count: number; ids: string[] }

const ofPayments = 'payment_id in (select id from payment where account_id = $1)'

/** SQL: the ids of what hinders the erasure of the account $1. */
export const hindrances: Readonly<Record<string, string>> = {
  'the account, which is open and gathers more of it: close it first': `
    select id from account where id = $1 and status <> 'closed'`,
  'payments that are pending or authorised': `
    select id from payment where account_id = $1 and status in ('pending', 'authorised')`,
  'captures, cancellations, refunds and reversals without an outcome': `
    select id from operation where ${ofPayments} and status in ('awaitingApproval', 'requested')`,
  'open disputes': `select id from dispute where ${ofPayments} and status = 'open'`,
  'open discrepancies': `select id from discrepancy where ${ofPayments} and status = 'open'`,
  'pages that register a card and have not ended': `
    select id from card_registration
    where account_id = $1 and status = 'pending' and expires_at > now()`,
  'registered cards, which the provider is about to be asked for': `
    select account_id as id from card_sync
    where account_id = $1 and next_attempt_at is not null and looks = 0`,
  'notifications that are not applied yet, or parked': `
    select id from notification
    where (next_attempt_at is not null or status = 'parked') and ${ofNotifications}`
}

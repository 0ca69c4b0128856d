import { sql } from 'kysely'
import type { Test } from 'tap'
import type { Db } from '../src/database.ts'

/** Each finds rows that break an invariant of the money; all must find none. */
const invariants: Record<string, string> = {
  'captured within authorised, refunded within captured': `
    select id from payment where amount_captured > amount or amount_refunded > amount_captured`,
  'the events of a payment are numbered without holes, and as many as it counts': `
    select id from payment left join payment_event e on e.payment_id = payment.id
    group by id having count(*) <> max(event_count) or max(sequence) <> count(*)`,
  'a payment is posted exactly when it is captured, and once': `
    select p.id from payment p
    left join ledger_transfer t on t.payment_id = p.id and t.posting = 'payment'
    group by p.id having count(t.id) <> (case when max(p.status) = 'captured' then 1 else 0 end)
      or coalesce(sum(t.amount), 0) <> max(p.amount_captured)`,
  'what stands in clearing is money under reversal or in doubt': `
    select payment_id from (
      select payment_id, sum(case when credit_account = 'clearing' then amount
        when debit_account = 'clearing' then -amount else 0 end) as held
      from ledger_transfer where payment_id is not null group by 1) books
    join payment on payment.id = payment_id
    where held <> (
      select coalesce(sum(a.amount), 0) from authorisation a
      where a.payment_id = books.payment_id and payment.capture = 'automatic'
        and (a.disposition = 'differs' or a.disposition = 'reversing' and not exists (
          select from modification m
          where m.authorisation = a.provider_reference and m.status = 'succeeded')))`,
  'the open amount of a charge is what no money has paid': `
    select c.id from charge c left join allocation a on a.charge_id = c.id
    group by c.id having c.open_amount <> c.amount - coalesce(sum(a.amount), 0)`,
  'the open amount of a credit is what has paid no charge': `
    select c.transfer_id from credit c left join allocation a on a.transfer_id = c.transfer_id
    group by c.transfer_id having c.open_amount <> c.amount - coalesce(sum(a.amount), 0)`,
  "an account's ledger is what it owes less its credit": `
    select account.id from account
    where (select coalesce(sum(case when debit_account = 'customer' then amount
        when credit_account = 'customer' then -amount else 0 end), 0)
        from ledger_transfer where account_id = account.id)
      <> (select coalesce(sum(open_amount), 0) from charge where account_id = account.id)
      - (select coalesce(sum(open_amount), 0) from credit where account_id = account.id)`,
  'credit and an open charge that is not in query do not stand side by side': `
    select account_id from credit where open_amount > 0 and exists (
      select from charge where charge.account_id = credit.account_id and charge.open_amount > 0
        and not in_query)`
}

/** Holds every invariant of the money over the whole database. */
export async function checkMoney(t: Test, db: Db): Promise<void> {
  for (const [name, query] of Object.entries(invariants)) {
    const { rows } = await sql.raw(query).execute(db)
    t.same(rows, [], name)
  }
}

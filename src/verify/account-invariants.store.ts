/** What always holds of accounts: what is owed, what pays it, and the ledger behind both. */
import { postings } from '../ledger/ledger.ts'

/** Between which ledger accounts each kind of posting moves money, as rows. */
const sides = Object.entries(postings)
  .map(([posting, { debit, credit }]) => `('${posting}', '${debit}', '${credit}')`)
  .join(', ')

export const accountInvariants: Readonly<Record<string, string>> = {
  'the open amount of a charge is what no money has paid': `
    select c.id from charge c left join allocation a on a.charge_id = c.id
    group by c.id, c.amount, c.open_amount
    having c.open_amount <> c.amount - coalesce(sum(a.amount), 0)`,
  'the open amount of a credit is what has paid nothing': `
    select c.transfer_id from credit c left join allocation a on a.transfer_id = c.transfer_id
    group by c.transfer_id, c.amount, c.open_amount
    having c.open_amount <> c.amount - coalesce(sum(a.amount), 0)`,
  'the open amount of a debit is what it has not found': `
    select d.transfer_id from debit d left join allocation a on a.debit_transfer_id = d.transfer_id
    group by d.transfer_id, d.amount, d.open_amount
    having d.open_amount <> d.amount - coalesce(sum(a.amount), 0)`,
  'no money has been taken back from a charge that it had not paid': `
    select charge_id from allocation where charge_id is not null
    group by transfer_id, charge_id having sum(amount) < 0`,
  'money that comes is a credit, money that is taken back is a debit': `
    select t.id from ledger_transfer t
    left join credit c on (c.transfer_id, c.account_id, c.amount) = (t.id, t.account_id, t.amount)
    left join debit d on (d.transfer_id, d.account_id, d.amount) = (t.id, t.account_id, t.amount)
    where (t.credit_account = 'customer') <> (c.transfer_id is not null)
      or (t.debit_account = 'customer' and t.posting <> 'charge') <> (d.transfer_id is not null)`,
  'a charge and an adjustment are posted once, as they are': `
    select coalesce(t.id, c.id) from (
      select id, account_id, amount, 'charge' as posting from charge
      union all
      select id, account_id, amount, case direction when 'credit' then 'adjustmentCredit'
        else 'adjustmentDebit' end from adjustment) c
    full join (select * from ledger_transfer where cause_type in ('charge', 'adjustment')) t
      on (t.fact, t.cause_id, t.account_id, t.amount, t.posting)
        = (c.id, c.id, c.account_id, c.amount, c.posting)
    where t.id is null or c.id is null`,
  'what is posted moves between the ledger accounts of its kind': `
    select id from ledger_transfer
    where (posting, debit_account, credit_account) not in (values ${sides})`,
  'what is posted on the account of a customer is in its currency': `
    select t.id from ledger_transfer t join account a on a.id = t.account_id
    where t.currency <> a.currency and 'customer' in (t.debit_account, t.credit_account)`,
  'what was moved for no payment is a charge or an adjustment': `
    select id from ledger_transfer
    where payment_id is null and cause_type not in ('charge', 'adjustment')`,
  'money pays what is owed on its own account': `
    select a.id from allocation a join credit c using (transfer_id)
    left join charge on charge.id = charge_id
    left join debit d on d.transfer_id = debit_transfer_id
    where c.account_id <> a.account_id
      -- Of a charge or debit that is not read with it, the account is another one.
      or coalesce(charge.account_id, d.account_id) is distinct from a.account_id`,
  "an account's ledger is what it owes less its credit": `
    select account_id from (
      select account_id, case when debit_account = 'customer' then amount
        when credit_account = 'customer' then -amount else 0 end as amount from ledger_transfer
      union all select account_id, -open_amount from charge
      union all select account_id, -open_amount from debit
      union all select account_id, open_amount from credit) side
    group by account_id having sum(amount) <> 0`,
  'credit and what it could pay do not stand side by side': `
    select account_id from credit where open_amount > 0 and (
      exists (select from charge where charge.account_id = credit.account_id
        and charge.open_amount > 0 and not in_query)
      or exists (select from debit where debit.account_id = credit.account_id
        and debit.open_amount > 0))`
}

import { sql } from 'kysely'
import type { Test } from 'tap'
import { type Db, statement } from '../src/database/database.ts'
import { checkEvents } from './events.ts'

/**
 * Each finds rows that break an invariant of payments and of what belongs to them; all must find
 * none.
 */
const invariants: Record<string, string> = {
  'captured within authorised, refunded within captured or shown to a person': `
    select id from payment where amount_captured not between 0 and amount_authorised
      or least(amount_refunded, amount_refunding, amount_charged_back) < 0
      or (amount_refunded > amount_captured) <> exists (select from discrepancy d
        where d.kind = 'refunded_beyond_captured' and d.fact = payment.id and d.status = 'open')`,
  'the events of a payment are numbered without holes, and as many as it counts': `
    select id from payment left join payment_event e on e.payment_id = payment.id
    group by id, event_count
    having count(*) <> event_count or min(sequence) <> 1 or max(sequence) <> event_count`,
  'the status of a payment is what its last event of one says': `
    select id from payment cross join lateral (
      select type from payment_event e where e.payment_id = payment.id
        and type like 'payment.%'
        and type not in ('payment.attemptRefused', 'payment.amountAdjusted',
          'payment.fraudReported', 'payment.settled')
      order by sequence desc limit 1) last
    where replace(last.type, 'created', 'pending') <> 'payment.' || status`,
  'the last event shows the payment as it is': `
    select id from payment
    join payment_event e on e.payment_id = payment.id and e.sequence = event_count
    where e.sequence > 1 and (e.payment->>'status', (e.payment->>'amountCaptured')::bigint,
        (e.payment->>'amountRefunded')::bigint, (e.payment->>'amountChargedBack')::bigint,
        nullif(e.payment->'settlement', 'null'))
      is distinct from (status, amount_captured, amount_refunded, amount_charged_back, settlement)`,
  'what a payment took and gave back is what was posted for it': `
    select p.id from payment p left join ledger_transfer t on t.payment_id = p.id
    group by p.id, p.amount_captured, p.amount_refunded, p.amount_charged_back
    having amount_captured <> coalesce(sum(t.amount * case
        when posting in ('payment', 'recordedPayment') then 1
        when posting = 'captureFailed' then -1 end), 0)
      or amount_refunded <> coalesce(sum(t.amount * case
        when posting in ('refund', 'recordedRefund') then 1
        when posting = 'refundFailed' then -1 end), 0)
      or amount_charged_back <> coalesce(sum(t.amount * case posting
        when 'chargeback' then 1 when 'chargebackReversed' then -1 end), 0)`,
  'what a payment posts is on its own account, and what is not held in its currency': `
    select t.id from ledger_transfer t join payment p on p.id = t.payment_id
    where t.account_id <> p.account_id or t.currency <> p.currency
      and t.posting not in ('held', 'reversal', 'reversalFailed', 'heldWrittenOff')`,
  'an account is credited once for each authorisation that was kept, and for no other': `
    select a.reference from authorisation a join payment p on p.id = a.payment_id
    left join ledger_transfer t on t.posting = 'payment' and t.fact = a.reference
      and t.payment_id = p.id and t.amount = a.amount and t.currency = a.currency
    group by a.reference, a.disposition, p.capture
    having count(t.id) <> case when p.capture = 'automatic' and (a.disposition = 'kept'
      -- What it took was taken back, and other money paid.
      or a.disposition = 'released' and exists (select from operation m
        where m.authorisation_reference = a.reference and m.kind = 'capture'
          and m.status = 'failed')) then 1 else 0 end`,
  'what a payment captured is what its captures have taken': `
    select p.id from payment p
    cross join lateral (
      select coalesce(sum(amount) filter (where status = 'succeeded'), 0) as taken,
        coalesce(bool_or(status = 'failed'), false) as failed
      from operation m where m.payment_id = p.id and m.kind = 'capture'
        and m.authorisation_reference = p.authorisation_reference) captures
    where p.amount_captured <> case
      when p.method = 'recorded' then case p.status when 'captured' then p.amount else 0 end
      when p.capture = 'manual' then captures.taken
      when captures.failed or not exists (select from authorisation a
        where a.payment_id = p.id and a.disposition = 'kept') then 0
      else p.amount end`,
  'what a payment gave back, and what it reserves, is what its refunds say': `
    select p.id from payment p
    left join operation m on m.payment_id = p.id and m.kind = 'refund'
    group by p.id, p.amount_refunded, p.amount_refunding
    having amount_refunded <> coalesce(sum(m.amount) filter (where m.status = 'succeeded'), 0)
      or amount_refunding <> coalesce(
        sum(m.amount) filter (where m.status in ('requested', 'awaitingApproval')), 0)`,
  'each refund that stands is posted once more than it came back': `
    select m.id from operation m
    left join ledger_transfer t on t.cause_type = 'refund' and t.cause_id = m.id
      -- What was a part of it was refunded for itself.
      and t.fact not like '%.part.%'
    where m.kind = 'refund' group by m.id, m.status
    having coalesce(sum(case when posting = 'refundFailed' then -1
        when t.id is not null then 1 end),
      0) <> case m.status when 'succeeded' then 1 else 0 end`,
  'what the bank has taken is what was posted for its disputes': `
    select d.id from dispute d
    left join ledger_transfer t on t.cause_type = 'dispute' and t.cause_id = d.id
    group by d.id, d.amount_charged_back
    having d.amount_charged_back <> coalesce(sum(t.amount * case posting
      when 'chargeback' then 1 when 'chargebackReversed' then -1 end), 0)`,
  'what a payment was charged back is what its disputes say': `
    select p.id from payment p left join dispute d on d.payment_id = p.id
    group by p.id, p.amount_charged_back
    having p.amount_charged_back <> coalesce(sum(d.amount_charged_back), 0)`,
  'what stands in clearing is money under reversal or in doubt': `
    select payment.id from payment left join (
      select payment_id, sum(case when credit_account = 'clearing' then amount
        when debit_account = 'clearing' then -amount else 0 end) as held
      from ledger_transfer where payment_id is not null group by 1) books
      on books.payment_id = payment.id
    where coalesce(held, 0) <> (
      select coalesce(sum(a.amount), 0) from authorisation a
      where a.payment_id = payment.id and payment.capture = 'automatic'
        and (a.disposition = 'differs' or a.disposition = 'reversing' and not exists (
          select from operation m where m.kind = 'reversal'
            and m.authorisation_reference = a.reference and m.status = 'succeeded')))`,
  'each authorisation that goes back has its reversal, and no other has one': `
    select a.reference from authorisation a
    left join operation m on m.kind = 'reversal' and m.authorisation_reference = a.reference
      and m.payment_id = a.payment_id and m.amount = a.amount and m.currency = a.currency
    where case a.disposition when 'reversing' then m.id is null
      when 'applied' then false when 'writtenOff' then false else m.id is not null end`,
  'held money that a person decided about was posted once, by that decision': `
    select a.reference from authorisation a join payment p on p.id = a.payment_id
    left join discrepancy d on d.payment_id = p.id and d.status = 'resolved'
      and d.details->>'authorisation' = a.reference
      and d.resolution in ('applyToAccount', 'writtenOff')
    left join ledger_transfer t on t.cause_type = 'discrepancy' and t.cause_id = d.id
      and t.amount = a.amount and t.currency = a.currency
      and t.posting = case a.disposition when 'applied' then 'heldApplied' else 'heldWrittenOff' end
    where a.disposition in ('applied', 'writtenOff')
    group by a.reference, p.capture
    having count(t.id) <> case p.capture when 'automatic' then 1 else 0 end`,
  'a payment has an event for each time a discrepancy was opened or resolved': `
    select d.id from discrepancy d
    join payment p on p.id = d.payment_id
    left join payment_event e on e.payment_id = p.id and e.type like 'discrepancy.%'
      and e.data->'discrepancy'->>'id' = d.id
    group by d.id, d.status
    having count(*) filter (where e.type = 'discrepancy.opened')
      - count(*) filter (where e.type = 'discrepancy.resolved')
      <> case d.status when 'open' then 1 else 0 end`,
  'a payment has an event for each reversal, and for each refused attempt': `
    select p.id from payment p
    where (select count(*) from payment_event
        where payment_id = p.id and type = 'reversal.requested')
      <> (select count(*) from operation where payment_id = p.id and kind = 'reversal')
      or (select count(*) from payment_event where payment_id = p.id
          and type = 'payment.attemptRefused')
        < (select count(*) from authorisation where payment_id = p.id and outcome = 'refused')`
}

/** Those of accounts alone: what is owed, what pays it, and the ledger behind both. */
const ledgerInvariants: Record<string, string> = {
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
    select transfer_id, charge_id from allocation where charge_id is not null
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
  'money pays what is owed on its own account': `
    select a.id from allocation a join credit c using (transfer_id)
    left join charge on charge.id = charge_id
    left join debit d on d.transfer_id = debit_transfer_id
    where c.account_id <> a.account_id
      or coalesce(charge.account_id, d.account_id) <> a.account_id`,
  "an account's ledger is what it owes less its credit": `
    select account.id from account
    where (select coalesce(sum(case when debit_account = 'customer' then amount
        when credit_account = 'customer' then -amount else 0 end), 0)
        from ledger_transfer where account_id = account.id)
      <> (select coalesce(sum(open_amount), 0) from charge where account_id = account.id)
      + (select coalesce(sum(open_amount), 0) from debit where account_id = account.id)
      - (select coalesce(sum(open_amount), 0) from credit where account_id = account.id)`,
  'credit and what it could pay do not stand side by side': `
    select account_id from credit where open_amount > 0 and (
      exists (select from charge where charge.account_id = credit.account_id
        and charge.open_amount > 0 and not in_query)
      or exists (select from debit where debit.account_id = credit.account_id
        and debit.open_amount > 0))`
}

/** Holds every invariant of the money over the whole database. */
export async function checkMoney(t: Test, db: Db): Promise<void> {
  for (const [name, query] of Object.entries({ ...invariants, ...ledgerInvariants })) {
    const { rows } = await sql.raw(query).execute(db)
    t.same(rows, [], name)
  }
  await checkEvents(t, db)
}

/** The rows of these accounts that break an invariant of accounts, each with its name. */
export async function findLedgerFaults(db: Db, accountIds: readonly number[]): Promise<unknown[]> {
  const ids = `'{${accountIds.join()}}'`
  // Within the query, these are the tables: the same invariants, of some accounts only.
  const tables = ['charge', 'adjustment', 'credit', 'debit', 'allocation', 'ledger_transfer']
  const own = tables.map(
    (table) => `${table} as (select * from ${table} where account_id = any(${ids}))`
  )
  const queries = Object.entries(ledgerInvariants).map(
    ([name, query]) =>
      `select '${name.replaceAll("'", "''")}' as name, to_jsonb(x) as row from (${query}) x`
  )
  const { rows } = await sql
    .raw(`with account as (select * from account where id = any(${ids})), ${own.join(', ')}
      ${queries.join(' union all ')}`)
    .execute(db)
  return rows
}

const tablesOfAccounts = ['payment', 'charge', 'adjustment', 'credit', 'debit', 'allocation']
const tablesOfPayments = ['payment_event', 'authorisation', 'operation', 'dispute', 'discrepancy']

/** All invariants, of the accounts $1 alone: within the query, the tables hold what is theirs. */
const faultsOfAccounts = statement<{ name: string; row: unknown }>(`
  with account as (select * from account where id = any($1::integer[])),
    ${tablesOfAccounts
      .concat('ledger_transfer')
      .map((name) => `${name} as (select * from ${name} where account_id = any($1::integer[]))`)
      .join(', ')},
    ${tablesOfPayments
      .map(
        (name) => `${name} as (select * from ${name} where payment_id in (
        select id from payment))`
      )
      .join(', ')}
  ${Object.entries({ ...invariants, ...ledgerInvariants })
    .map(([name, query]) => {
      const text = name.replaceAll("'", "''")
      return `select '${text}' as name, to_jsonb(x) as row from (${query}) x`
    })
    .join(' union all ')}`)

/** The rows of these accounts that break an invariant of the money, each with its name. */
export async function findMoneyFaults(
  db: Db,
  accountIds: readonly number[]
): Promise<Array<{ name: string; row: unknown }>> {
  return (await db.executeQuery(faultsOfAccounts(accountIds))).rows
}

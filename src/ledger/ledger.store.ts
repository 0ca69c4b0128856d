import { type Generated, sql } from 'kysely'
import type { Db, Tx } from '../database.ts'
import { newId } from '../id.ts'
import { isCustomerCredit, type LedgerAccount, type Posting, postings } from './ledger.ts'
import { match, type OpenCharge, type OpenCredit } from './matching.ts'

export type LedgerTables = {
  ledger_transfer: {
    id: string
    account_id: number
    debit_account: LedgerAccount
    credit_account: LedgerAccount
    currency: string
    amount: number
    posting: string
    fact: string
    cause_type: string
    cause_id: string
    payment_id: string | null
    created_at: Generated<Date>
  }
  credit: { transfer_id: string; account_id: number; amount: number; open_amount: number }
  allocation: {
    id: Generated<number>
    account_id: number
    transfer_id: string
    charge_id: string
    amount: number
    created_at: Generated<Date>
  }
}

/**
 * Writes the postings, in the transaction of the facts that caused them, and matches what they
 * bring to the charges of their accounts. A fact that was posted already violates
 * `fact_posted_once`.
 */
export async function post(tx: Tx, all: readonly Posting[]): Promise<void> {
  if (all.length === 0) return
  const accountIds = await lockAccounts(tx, all)
  const transfers = all.map((posting) => ({ id: newId('txn'), ...posting, ...sidesOf(posting) }))
  await sql`
    insert into ledger_transfer (id, account_id, debit_account, credit_account, currency, amount,
      posting, fact, cause_type, cause_id, payment_id)
    select id, "accountId", debit, credit, amount->>'currency', (amount->>'value')::bigint,
      kind, fact, cause->>'type', cause->>'id', "paymentId"
    from jsonb_to_recordset(${JSON.stringify(transfers)}::jsonb) as x(
      id text, "accountId" integer, debit text, credit text, amount jsonb, kind text, fact text,
      cause jsonb, "paymentId" text)`.execute(tx)
  const credits = transfers.filter(({ kind }) => isCustomerCredit(kind))
  if (credits.length > 0) {
    await sql`
      insert into credit (transfer_id, account_id, amount, open_amount)
      select id, "accountId", (amount->>'value')::bigint, (amount->>'value')::bigint
      from jsonb_to_recordset(${JSON.stringify(credits)}::jsonb)
        as x(id text, "accountId" integer, amount jsonb)`.execute(tx)
  }
  await matchAccounts(tx, accountIds)
}

function sidesOf({ kind }: Posting): { debit: LedgerAccount; credit: LedgerAccount } {
  return postings[kind]
}

/**
 * One at a time moves the money of an account; always in the same order, so that none wait in a
 * ring.
 */
async function lockAccounts(tx: Tx, all: readonly Posting[]): Promise<number[]> {
  const ids = [...new Set(all.map(({ accountId }) => accountId))]
  await sql`select id from account where id = any(${ids}) order by id for no key update`.execute(tx)
  return ids
}

/**
 * Matches the open credits of accounts, which the caller has locked, to their open charges. Credits
 * are read only where a charge is open: an account may have had credit for years.
 */
async function matchAccounts(tx: Tx, accountIds: readonly number[]): Promise<void> {
  const charges = await sql<OpenCharge & { accountId: number }>`
    select account_id as "accountId", id, open_amount as "openAmount", due_at as "dueAt",
      in_query as "inQuery"
    from charge where account_id = any(${accountIds}) and open_amount > 0 and not in_query
    `.execute(tx)
  const owing = [...new Set(charges.rows.map(({ accountId }) => accountId))]
  if (owing.length === 0) return
  const credits = await sql<OpenCredit & { accountId: number }>`
    select account_id as "accountId", transfer_id as "transferId", open_amount as "openAmount"
    from credit where account_id = any(${owing}) and open_amount > 0 order by transfer_id
    `.execute(tx)
  const ownBy = (accountId: number) => (item: { accountId: number }) => item.accountId === accountId
  const matches = owing.flatMap((accountId) =>
    match(credits.rows.filter(ownBy(accountId)), charges.rows.filter(ownBy(accountId))).map(
      (one) => ({ accountId, ...one })
    )
  )
  if (matches.length === 0) return
  await sql`
    with x as (
      select * from jsonb_to_recordset(${JSON.stringify(matches)}::jsonb)
        as x("accountId" integer, "transferId" text, "chargeId" text, amount bigint)
    ), allocated as (
      insert into allocation (account_id, transfer_id, charge_id, amount)
      select "accountId", "transferId", "chargeId", amount from x
    ), paid as (
      update charge set open_amount = open_amount - s.amount
      from (select "chargeId", sum(amount) as amount from x group by 1) s where id = "chargeId"
    )
    update credit set open_amount = open_amount - s.amount
    from (select "transferId", sum(amount) as amount from x group by 1) s
    where transfer_id = "transferId"`.execute(tx)
}

export type Entry = {
  transferId: string
  direction: 'debit' | 'credit'
  account: LedgerAccount
  currency: string
  amount: number
  causeType: string
  causeId: string
  paymentId: string | null
  createdAt: Date
}

export type EntryPosition = { transferId: string; direction: string }

/**
 * The entries of a customer's account, newest first: each transfer as its two sides.
 * `clientId`: only what belongs to payments of that client.
 */
export async function listEntries(
  db: Db,
  accountId: number,
  clientId: string | null,
  after: EntryPosition | null,
  limit: number
): Promise<Entry[]> {
  const { rows } = await sql<Entry>`
    select t.id as "transferId", direction, side.account, t.currency, t.amount,
      cause_type as "causeType", cause_id as "causeId", payment_id as "paymentId",
      t.created_at as "createdAt"
    from ledger_transfer t
    cross join lateral (values ('debit', debit_account), ('credit', credit_account))
      as side(direction, account)
    where t.account_id = ${accountId}
      and (${after?.transferId ?? null}::text is null
        or (t.id <= ${after?.transferId ?? null} and (t.id, direction)
          < (${after?.transferId ?? null}, ${after?.direction ?? null})))
      and (${clientId}::text is null or exists (
        select from payment where payment.id = t.payment_id and client_id = ${clientId}))
    order by t.id desc, direction desc
    limit ${limit}`.execute(db)
  return rows
}

import { sql } from 'kysely'
import { type Db, statement, type Tx } from '../database/database.ts'
import { newId } from '../id.ts'
import { allocate, type Change, type Items } from './allocating.ts'
import {
  type Allocated,
  type CreditPart,
  isCustomerCredit,
  isCustomerDebit,
  type LedgerAccount,
  type Posting,
  postings,
  toAllocated
} from './ledger.ts'
import type { Allocation, OpenCredit, Owed } from './matching.ts'
import type { Paid } from './taking-back.ts'

/** A posting as it is written: with the open item that it makes, if any. */
type Transfer = Posting & {
  id: string
  debit: LedgerAccount
  credit: LedgerAccount
  opens: 'credit' | 'debit' | null
}
type OfAccount<T> = T & { accountId: number }

/**
 * What money of a payment that has just come in stands for; undefined where none has. Of a payment
 * that had brought none before that is all.
 */
export type AllocatedOf = (paymentId: string) => Allocated | undefined

/**
 * Writes the postings, in the transaction of the facts that caused them, as if one after the other:
 * what they bring is matched to what is owed, what they take is taken back. A fact that was posted
 * already violates `ledger_transfer_fact_once`. The charge of a `charge` posting is there already,
 * and is its cause.
 */
export async function post(tx: Tx, all: readonly Posting[]): Promise<AllocatedOf> {
  if (all.length === 0) return () => undefined
  const accountIds = [...new Set(all.map(({ accountId }) => accountId))]
  await tx.executeQuery(lockStatement(accountIds))
  const transfers = all.map((posting) => ({
    id: newId('txn'),
    ...posting,
    ...postings[posting.kind],
    opens: opensOf(posting)
  }))
  const allocations = await allocateAll(tx, changesOf(transfers))
  const references = await write(tx, transfers, allocations)
  return (paymentId) => allocatedTo(paymentId, transfers, allocations, references)
}

/** Undefined where no money of the payment is among the transfers. */
function allocatedTo(
  paymentId: string,
  transfers: readonly Transfer[],
  allocations: readonly Allocation[],
  references: ReadonlyMap<string, string>
): Allocated | undefined {
  const credits = transfers.filter(
    (one) => one.paymentId === paymentId && one.opens === 'credit' && one.kind !== 'heldApplied'
  )
  if (credits.length === 0) return undefined
  const parts = credits.flatMap(({ id: transferId, amount: { value } }): CreditPart[] => {
    const own = allocations.filter((one) => one.transferId === transferId)
    const open = own.reduce((left, { amount }) => left - amount, value)
    const none = { position: null, chargeId: null, reference: null, amount: null }
    const spent = own.map(({ kind, id, amount }, position): CreditPart => {
      const chargeId = kind === 'charge' ? id : null
      return { transferId, open, position, chargeId, reference: references.get(id) ?? null, amount }
    })
    return [{ transferId, open, ...none }, ...spent]
  })
  return toAllocated(parts)
}

function opensOf({ kind }: Posting): Transfer['opens'] {
  return isCustomerCredit(kind) ? 'credit' : isCustomerDebit(kind) ? 'debit' : null
}

/** Matches credit to a charge that is no longer in query; the caller has locked the account. */
export async function allocateCharge(tx: Tx, accountId: number, id: string): Promise<void> {
  const changes = [{ accountId, kind: 'charge', id } as const]
  const allocations = await allocateAll(tx, changes)
  if (allocations.length > 0) await write(tx, [], allocations)
}

/**
 * One at a time moves the money of an account; always in the same order, so that none wait in a
 * ring.
 */
const lockStatement = statement(
  'select id from account where id = any($1) order by id for no key update'
)

function changesOf(transfers: readonly Transfer[]): Array<OfAccount<Change>> {
  return transfers.flatMap((transfer): Array<OfAccount<Change>> => {
    const { accountId, kind, opens, paymentId, amount, allocations = [] } = transfer
    if (kind === 'charge') return [{ accountId, kind, id: transfer.cause.id }]
    if (opens === null) return []
    const movement = { transferId: transfer.id, paymentId, amount: amount.value, allocations }
    return [{ accountId, kind: opens, ...movement }]
  })
}

/** What to allocate for the changes of accounts, which are locked. */
async function allocateAll(
  tx: Tx,
  changes: ReadonlyArray<OfAccount<Change>>
): Promise<Array<OfAccount<Allocation>>> {
  if (changes.length === 0) return []
  const byAccount = Map.groupBy(changes, ({ accountId }) => accountId)
  const itemsOf = await readItems(tx, changes)
  return [...byAccount].flatMap(([accountId, own]) =>
    allocate(itemsOf(accountId), own).map((one) => ({ accountId, ...one }))
  )
}

/** Reads no more than the changes need: an account may have had credit, or paid, for years. */
async function readItems(
  tx: Tx,
  changes: ReadonlyArray<OfAccount<Change>>
): Promise<(accountId: number) => Items> {
  const movements = changes.filter((change) => change.kind !== 'charge')
  const debits = movements.filter(({ kind }) => kind === 'debit')
  const spending = changes.filter(({ kind }) => kind !== 'credit').map(accountOf)
  const none = { rows: [] }
  const paid =
    debits.length > 0 ? await tx.executeQuery(paidStatement(JSON.stringify(debits))) : none
  const charges = [...movements.flatMap(({ allocations }) => allocations), ...paid.rows].map(
    ({ chargeId }) => chargeId
  )
  const owed = await tx.executeQuery(owedStatement(changes.map(accountOf), charges))
  const credits = spending.length > 0 ? await tx.executeQuery(creditStatement(spending)) : none
  return (id) => {
    const ownOf = <T extends { accountId: number }>(all: readonly T[]) =>
      all.filter(({ accountId }) => accountId === id)
    return { owed: ownOf(owed.rows), credits: ownOf(credits.rows), paid: ownOf(paid.rows) }
  }
}

const accountOf = ({ accountId }: OfAccount<unknown>) => accountId

/** $1: accounts. $2: charges that are read also where they are in query or paid. */
const owedStatement = statement<OfAccount<Owed>>(`
  select account_id as "accountId", 'charge' as kind, id, open_amount as "openAmount",
    due_at as "dueAt", in_query as "inQuery"
  from charge
  where account_id = any($1::integer[])
    and (id = any($2::text[]) or (open_amount > 0 and not in_query))
  union all
  select account_id, 'debit', transfer_id, open_amount, null, false
  from debit where account_id = any($1::integer[]) and open_amount > 0`)

const creditStatement = statement<OfAccount<OpenCredit>>(`
  select c.account_id as "accountId", transfer_id as "transferId", open_amount as "openAmount",
    payment_id as "paymentId"
  from credit c join ledger_transfer t on t.id = transfer_id
  where c.account_id = any($1) and open_amount > 0
  order by transfer_id`)

/**
 * $1: debits. Of what paid charges of the account, in the order in which it was written: all that
 * the money of the debits' payments paid, and that paid the charges that they name; and of the rest
 * the last rows, back to where they add up to what the debits take. No earlier row is reached.
 */
const paidStatement = statement<OfAccount<Paid>>(`
  with recursive debit as (
    select * from jsonb_to_recordset($1::jsonb)
      as x("accountId" integer, "paymentId" text, amount bigint, allocations jsonb)
  ), last as (
    select "accountId", 9223372036854775807 as id, 0::bigint as sum, sum(amount)::bigint as taken
    from debit group by "accountId"
    union all
    select "accountId", a.id, sum + a.amount, taken
    from last cross join lateral (
      select id, amount from allocation
      where account_id = "accountId" and charge_id is not null and allocation.id < last.id
      order by id desc limit 1
    ) a
    where sum < taken
  ), needed as (
    select id from last
    union
    select a.id from debit
    join ledger_transfer t on t.payment_id = "paymentId"
    join allocation a on a.transfer_id = t.id
    union
    select a.id from debit cross join jsonb_to_recordset(allocations) as named("chargeId" text)
    join allocation a on a.charge_id = "chargeId"
  )
  select a.account_id as "accountId", a.transfer_id as "transferId", a.charge_id as "chargeId",
    t.payment_id as "paymentId", a.amount
  from needed join allocation a using (id) join ledger_transfer t on t.id = a.transfer_id
  where a.charge_id is not null
  order by a.id`)

/**
 * The open amount of an item is its amount less its allocations. Answers the references of charges
 * whose open amount has changed, by their ids.
 */
async function write(
  tx: Tx,
  transfers: readonly Transfer[],
  allocations: ReadonlyArray<OfAccount<Allocation>>
): Promise<Map<string, string>> {
  const moved = new Map<string, number>()
  for (const { transferId, id: paidId, amount } of allocations) {
    for (const id of [transferId, paidId]) moved.set(id, (moved.get(id) ?? 0) + amount)
  }
  const added = transfers.map((transfer) => {
    const openAmount = transfer.amount.value - (moved.get(transfer.id) ?? 0)
    moved.delete(transfer.id)
    const { id, accountId, debit, credit, amount, kind, fact, cause, paymentId, opens } = transfer
    return {
      ...{ id, accountId, debit, credit, ...amount, kind, fact, paymentId, opens, openAmount },
      ...{ causeType: cause.type, causeId: cause.id }
    }
  })
  const known = [...moved].flatMap(([id, amount]) => (amount === 0 ? [] : { id, amount }))
  const { rows } = await tx.executeQuery(
    writeStatement(JSON.stringify(added), JSON.stringify(allocations), JSON.stringify(known))
  )
  // Money that comes is matched to charges: mostly there is no other item to bring up to date.
  const charges = new Set(allocations.map(({ kind, id }) => (kind === 'charge' ? id : null)))
  const others = known.filter(({ id }) => !charges.has(id))
  if (others.length > 0) await tx.executeQuery(moveStatement(JSON.stringify(others)))
  return new Map(rows.map(({ id, reference }) => [id, reference]))
}

/**
 * $1: transfers. $2: allocations. $3: by how much less is open of items that were there before.
 * What a payment moves on a customer's account is to be posted by the billing system.
 */
const writeStatement = statement<{ id: string; reference: string }>(`
  with transfer as (
    select * from jsonb_to_recordset($1::jsonb) as x(
      id text, "accountId" integer, debit text, credit text, currency text, value bigint, kind text,
      fact text, "causeType" text, "causeId" text, "paymentId" text, opens text,
      "openAmount" bigint)
  ), transfers as (
    insert into ledger_transfer (id, account_id, debit_account, credit_account, currency, amount,
      posting, fact, cause_type, cause_id, payment_id)
    select id, "accountId", debit, credit, currency, value, kind, fact, "causeType", "causeId",
      "paymentId"
    from transfer
  ), credits as (
    insert into credit (transfer_id, account_id, amount, open_amount)
    select id, "accountId", value, "openAmount" from transfer where opens = 'credit'
  ), debits as (
    insert into debit (transfer_id, account_id, amount, open_amount)
    select id, "accountId", value, "openAmount" from transfer where opens = 'debit'
  ), allocations as (
    insert into allocation (account_id, transfer_id, charge_id, debit_transfer_id, amount)
    select "accountId", "transferId", case kind when 'charge' then id end,
      case kind when 'debit' then id end, amount
    from jsonb_to_recordset($2::jsonb) as x(
      "accountId" integer, "transferId" text, kind text, id text, amount bigint)
  ), outbox as (
    insert into posting_outbox (transfer_id)
    select id from transfer where "paymentId" is not null and 'customer' in (debit, credit)
  )
  update charge set open_amount = open_amount - x.amount
  from jsonb_to_recordset($3::jsonb) as x(id text, amount bigint) where charge.id = x.id
  returning charge.id, charge.reference`)

/**
 * `CreditPart`s of the payment of the row, as JSON; null while it has no money, and then nothing is
 * looked for. Without what a person applied to the account: that is no money of the payment. For a
 * statement whose plan is kept, since planning it takes longer than to run it.
 */
export const creditPartsColumn = `case when amount_captured > 0 then (
    select json_agg(json_build_object('transferId', t.id, 'open', c.open_amount, 'position', a.id,
      'chargeId', a.charge_id, 'reference', charge.reference, 'amount', a.amount))
    from ledger_transfer t join credit c on c.transfer_id = t.id
    left join allocation a on a.transfer_id = t.id left join charge on charge.id = a.charge_id
    where t.payment_id = payment.id and t.posting <> 'heldApplied'
  ) end as "creditParts"`

/** $1: by how much less is open of credits and debits. */
const moveStatement = statement(`
  with moved as (
    select * from jsonb_to_recordset($1::jsonb) as x(id text, amount bigint)
  ), debits as (
    update debit set open_amount = open_amount - moved.amount from moved where transfer_id = id
  )
  update credit set open_amount = open_amount - moved.amount from moved where transfer_id = id`)

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

type EntryPosition = { transferId: string; direction: string }

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

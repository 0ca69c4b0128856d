import { type RawBuilder, sql } from 'kysely'
import { lockUntilEnd } from '../database/brand.ts'
import { type Db, plannedEachTime, type Tx } from '../database/database.ts'
import { attemptsMax } from '../due/due.store.ts'
import type { BillingPosting, PostingStatus } from './posting.ts'

/** Any number: one at a time gives postings their places, over all instances. */
const placingLock = 7_240_013

/** A transfer that is committed and has no place in the feed of postings yet. */
export type UnplacedTransfer = { id: string; attempts: number }

/**
 * Takes up to `limit` committed transfers, in the order in which they were made. Another one waits
 * for the end of `tx`: what it then finds comes after. So none is ever shown before an earlier one
 * that is still committing. `only`: this one, where it has no place still.
 */
export async function takeTransfers(
  tx: Tx,
  limit: number,
  only?: UnplacedTransfer
): Promise<UnplacedTransfer[]> {
  await lockUntilEnd(tx, placingLock)
  const { rows } = await sql<UnplacedTransfer>`
    with taken as (
      delete from posting_outbox where ctid = any(array(
        select ctid from posting_outbox where next_attempt_at <= statement_timestamp()
          ${only === undefined ? sql`` : sql`and transfer_id = ${only.id}`}
        order by created_at, transfer_id limit ${limit}
      )) returning transfer_id, attempts, created_at
    )
    select transfer_id as id, attempts from taken order by created_at, transfer_id`.execute(tx)
  return rows
}

/** Gives transfers that were taken their places in the feed of postings, in their order. */
export async function placePostings(tx: Tx, transfers: readonly UnplacedTransfer[]): Promise<void> {
  const ids = transfers.map(({ id }) => id)
  await sql`
    insert into billing_posting (id)
    select id from unnest(${ids}::text[]) with ordinality as taken (id, number)
    order by number`.execute(tx)
}

/** Leaves a transfer that could not be given its place for `delayS` seconds. */
export async function setTransferAside(
  tx: Tx,
  { id }: UnplacedTransfer,
  delayS: number
): Promise<void> {
  await sql`
    update posting_outbox set attempts = least(attempts + 1, ${attemptsMax}::integer),
      next_attempt_at = now() + make_interval(secs => ${delayS})
    where transfer_id = ${id}`.execute(tx)
}

/**
 * The money is named by what moved it: a capture or refund, and money that was held, by its own
 * authorisation, since a payment may have been paid by another one later.
 */
const selectPostings = sql`
  select b.position, b.id, t.account_id as "accountId",
    jsonb_build_object('currency', t.currency, 'value', t.amount) as amount,
    case t.credit_account when 'customer' then 'credit' else 'debit' end as direction,
    t.posting as kind, jsonb_build_object('type', t.cause_type, 'id', t.cause_id) as cause,
    t.payment_id as "paymentId", p.reference as "externalReference",
    coalesce(m.processor->>'reference', m.authorisation_reference, held.details->>'authorisation',
      case when held.kind = 'amount_differs' then held.fact end,
      case when t.posting = 'payment' and t.cause_type = 'payment' then t.fact end,
      p.processor_reference, p.authorisation_reference) as "paymentReference",
    coalesce(p.registered_card_id, p.card->>'registeredCardId') as "cardReference",
    p.channel, t.created_at as "occurredAt", b.status, b.reason,
    b.acknowledged_at as "acknowledgedAt",
    case when b.file_id is not null
      then jsonb_build_object('id', b.file_id, 'sequence', b.file_sequence) end as file
  from billing_posting b
  join ledger_transfer t on t.id = b.id
  join payment p on p.id = t.payment_id
  left join operation m on m.id = t.cause_id
  left join discrepancy held on held.id = t.cause_id`

/** `rest`: what follows the tables, which are b, t (its transfer) and p (its payment). */
export async function readPostings(
  db: Db,
  rest: RawBuilder<unknown>,
  start = sql``
): Promise<BillingPosting[]> {
  return (await sql<BillingPosting>`${start}${selectPostings} ${rest}`.execute(db)).rows
}

/** Oldest first, after the position. */
export async function listPostings(
  db: Db,
  filter: { status: PostingStatus | undefined; after: number; limit: number }
): Promise<BillingPosting[]> {
  const { status, after, limit } = filter
  // As a literal, so that the planner finds the index of what is not posted.
  const ofStatus = status === undefined ? sql`` : sql`and b.status = ${sql.lit(status)}`
  return await readPostings(
    db,
    sql`where b.position > ${after} ${ofStatus} order by b.position limit ${limit}`,
    plannedEachTime
  )
}

export async function findPosting(db: Db, id: string): Promise<BillingPosting | undefined> {
  return (await readPostings(db, sql`where b.id = ${id}`))[0]
}

/** Locked, always in the order of the feed, so that none wait in a ring. */
export async function lockPostings(tx: Tx, ids: readonly string[]): Promise<BillingPosting[]> {
  return await readPostings(
    tx,
    sql`where b.id = any(${ids}) order by b.position for no key update of b`
  )
}

/** Writes what the billing system said of postings that are locked. */
export async function saveAcknowledgements(
  tx: Tx,
  postings: readonly BillingPosting[]
): Promise<void> {
  if (postings.length === 0) return
  await sql`
    update billing_posting set status = x.status, reason = x.reason,
      acknowledged_at = x."acknowledgedAt"
    from jsonb_to_recordset(${JSON.stringify(postings)}::jsonb)
      as x(id text, status text, reason text, "acknowledgedAt" timestamptz)
    where billing_posting.id = x.id`.execute(tx)
}

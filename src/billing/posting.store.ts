import { type Generated, type RawBuilder, sql } from 'kysely'
import type { Db, Tx } from '../database/database.ts'
import type { PostingKind } from '../ledger/ledger.ts'
import type { Channel } from '../payments/payment.ts'
import type { BillingPosting, PostingStatus } from './posting.ts'

export type PostingTables = {
  posting_outbox: { transfer_id: string; created_at: Generated<Date> }
  billing_posting: {
    position: Generated<number>
    id: string
    status: Generated<PostingStatus>
    reason: string | null
    acknowledged_at: Date | null
    file_id: string | null
    file_sequence: number | null
  }
}

/** Any number: one at a time gives postings their places, over all instances. */
const placingLock = 7_240_013

/**
 * Gives up to `limit` committed transfers their places in the feed of postings, in the order in
 * which they were made, and answers how many. Another one waits for the end of `tx`: what it then
 * finds comes after. So none is ever shown before an earlier one that is still committing.
 */
export async function placePostings(tx: Tx, limit: number): Promise<number> {
  await sql`select pg_advisory_xact_lock(${placingLock})`.execute(tx)
  const result = await sql`
    with taken as (
      delete from posting_outbox where ctid = any(array(
        select ctid from posting_outbox order by created_at, transfer_id limit ${limit}
      )) returning transfer_id, created_at
    )
    insert into billing_posting (id)
    select transfer_id from taken order by created_at, transfer_id`.execute(tx)
  return Number(result.numAffectedRows ?? 0n)
}

type Row = {
  position: number
  id: string
  account_id: number
  currency: string
  amount: number
  is_credit: boolean
  kind: PostingKind
  cause_type: string
  cause_id: string
  payment_id: string
  payment_reference: string | null
  external_reference: string | null
  card_reference: string | null
  channel: Channel
  occurred_at: Date
  status: PostingStatus
  reason: string | null
  acknowledged_at: Date | null
  file_id: string | null
  file_sequence: number | null
}

/**
 * The money is named by what moved it: a capture or refund, and money that was held, by its own
 * authorisation, since a payment may have been paid by another one later.
 */
const selectPostings = sql`
  select b.position, b.id, t.account_id, t.currency, t.amount,
    t.credit_account = 'customer' as is_credit, t.posting as kind, t.cause_type, t.cause_id,
    t.payment_id, p.reference as external_reference,
    coalesce(m.processor->>'reference', m.authorisation, held.details->>'authorisation',
      case when held.kind = 'amount_differs' then held.fact end,
      case when t.posting = 'payment' and t.cause_type = 'payment' then t.fact end,
      p.processor_reference, p.authorisation) as payment_reference,
    coalesce(p.registered_card, p.card->>'registeredCardId') as card_reference,
    p.channel, t.created_at as occurred_at, b.status, b.reason, b.acknowledged_at, b.file_id,
    b.file_sequence
  from billing_posting b
  join ledger_transfer t on t.id = b.id
  join payment p on p.id = t.payment_id
  left join modification m on m.id = t.cause_id
  left join discrepancy held on held.id = t.cause_id`

function toPosting(row: Row): BillingPosting {
  const { file_id: fileId, file_sequence: sequence } = row
  return {
    position: row.position,
    id: row.id,
    accountId: row.account_id,
    amount: { currency: row.currency, value: row.amount },
    direction: row.is_credit ? 'credit' : 'debit',
    kind: row.kind,
    cause: { type: row.cause_type, id: row.cause_id },
    paymentId: row.payment_id,
    paymentReference: row.payment_reference,
    externalReference: row.external_reference,
    cardReference: row.card_reference,
    channel: row.channel,
    occurredAt: row.occurred_at,
    status: row.status,
    reason: row.reason,
    acknowledgedAt: row.acknowledged_at,
    file: fileId === null || sequence === null ? null : { id: fileId, sequence }
  }
}

/** `rest`: what follows the tables, which are b, t (its transfer) and p (its payment). */
export async function readPostings(
  db: Db | Tx,
  rest: RawBuilder<unknown>
): Promise<BillingPosting[]> {
  const { rows } = await sql<Row>`${selectPostings} ${rest}`.execute(db)
  return rows.map(toPosting)
}

/** Oldest first, after the position. */
export async function listPostings(
  db: Db,
  filter: { status: PostingStatus | undefined; after: number; limit: number }
): Promise<BillingPosting[]> {
  const { status, after, limit } = filter
  const ofStatus = status === undefined ? sql`` : sql`and b.status = ${status}`
  return await readPostings(
    db,
    sql`where b.position > ${after} ${ofStatus} order by b.position limit ${limit}`
  )
}

export async function findPosting(db: Db | Tx, id: string): Promise<BillingPosting | undefined> {
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
  const rows = postings.map(({ id, status, reason, acknowledgedAt }) => ({
    ...{ id, status, reason, acknowledgedAt }
  }))
  await sql`
    update billing_posting set status = x.status, reason = x.reason,
      acknowledged_at = x."acknowledgedAt"
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as x(id text, status text, reason text, "acknowledgedAt" timestamptz)
    where billing_posting.id = x.id`.execute(tx)
}

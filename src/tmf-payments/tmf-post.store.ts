/** What was posted to TMF676, as it was sent, under the id of what came of it. */
import { hash } from 'node:crypto'
import { sql } from 'kysely'
import stringify from 'safe-stable-stringify'
import type { Db } from '../database/database.ts'
import { isExactNumber, parseExact } from '../http/exact-json.ts'
import { findPayments } from '../payments/payment.store.ts'
import type { Payment } from '../payments/payment.ts'
import { canonicalNumber } from '../tmf/tmf-money.ts'
import type { PaymentExtras } from './tmf-payment.ts'

type Members = Record<string, unknown>

export type Post = {
  /** What the payment or refund is to be known by. */
  id: string
  kind: 'payment' | 'refund'
  clientId: string
  /** The sender's own id of it; null where each is another one. */
  correlatorId: string | null
  /** With its numbers as they were written. */
  body: Members
}

/** SHA-256 of what the body says: order, spaces and ways to write a number make no difference. */
export function fingerprintOfPost(body: Members): Buffer {
  const plain = JSON.parse(JSON.stringify(body, readable)) as unknown
  return hash('sha256', String(stringify(plain)), 'buffer')
}

/** Marked, since a text is not the number that it looks like. */
const readable = (_: string, value: unknown) =>
  isExactNumber(value) ? ['number', canonicalNumber(value)] : value

/**
 * How long what came of a post may not be there yet; then nobody is at it any more. All that its
 * creation waits for ends within 75 s: the next post with its correlatorId would charge again.
 */
const unusedAfter = sql`interval '5 minutes'`

/**
 * Keeps a post, or finds the earlier one with its correlatorId, whose id then counts. `isSame`:
 * both say the same. `isOwn`: it is this one that was kept. `isThere`: the payment or refund is
 * there.
 */
export async function keepPost(
  db: Db,
  { id, kind, clientId, correlatorId, body }: Post,
  fingerprint: Buffer
): Promise<{ id: string; isSame: boolean; isOwn: boolean; isThere: boolean }> {
  // Of an earlier one of which nothing came nothing is to be kept.
  if (correlatorId !== null) {
    await sql`delete from tmf_post t where correlator_id = ${correlatorId} and kind = ${kind}
      and client_id = ${clientId} and created_at < now() - ${unusedAfter}
      and ${isUnused}`.execute(db)
  }
  const { rows } = await sql<{ id: string; fingerprint: Buffer; isThere: boolean }>`
    with kept as (
      insert into tmf_post (resource_id, kind, client_id, correlator_id, fingerprint, body)
      values (${id}, ${kind}, ${clientId}, ${correlatorId}, ${fingerprint},
        ${JSON.stringify(body)})
      on conflict (correlator_id, kind, client_id) where correlator_id is not null do nothing
      returning resource_id as id, fingerprint, false as "isThere"
    )
    select * from kept union all
    select resource_id, fingerprint, not ${isUnused} from tmf_post t
    where correlator_id = ${correlatorId} and kind = ${kind} and client_id = ${clientId}
      and not exists (select from kept)`.execute(db)
  const [row] = rows
  // It was committed by another while this one waited for it.
  if (row === undefined)
    return await keepPost(db, { id, kind, clientId, correlatorId, body }, fingerprint)
  const { id: keptId, isThere } = row
  return { id: keptId, isSame: row.fingerprint.equals(fingerprint), isOwn: keptId === id, isThere }
}

const isUnused = sql`(not exists (select from payment where payment.id = t.resource_id)
  and not exists (select from operation where operation.id = t.resource_id))`

/** Forgets what nothing came of, so that its correlatorId is free. */
export async function dropUnusedPost(db: Db, id: string): Promise<void> {
  await sql`delete from tmf_post t where resource_id = ${id} and ${isUnused}`.execute(db)
}

/** What was posted, by the ids of what came of it. */
export async function findPosts(db: Db, ids: readonly string[]): Promise<Map<string, Members>> {
  const { rows } = await sql<{ id: string; body: string }>`
    select resource_id as id, body from tmf_post where resource_id = any(${ids})`.execute(db)
  return new Map(rows.map(({ id, body }) => [id, parseExact(body) as Members]))
}

/** What is known of payments beside their views. */
export async function findExtrasOf(
  db: Db,
  payments: readonly Payment[]
): Promise<Map<string, PaymentExtras>> {
  const posts = await findPosts(
    db,
    payments.map(({ id }) => id)
  )
  const authorised = await findAuthorised(db, payments)
  return new Map(
    payments.map(({ id, takenAt, authorisationCode, allocations, customer }) => [
      id,
      {
        ...{ takenAt, authorisationCode, allocations },
        sent: posts.get(id) ?? null,
        customerReference: customer?.reference ?? null,
        authorisedAt: authorised.get(id) ?? null
      }
    ])
  )
}

/** When those that wait, or waited, for a capture were reserved. */
async function findAuthorised(db: Db, payments: readonly Payment[]): Promise<Map<string, Date>> {
  const ids = payments.filter(({ capture }) => capture === 'manual').map(({ id }) => id)
  if (ids.length === 0) return new Map()
  const { rows } = await sql<{ id: string; at: Date }>`
    select payment_id as id, max(created_at) as at from payment_event
    where payment_id = any(${ids}) and type = 'payment.authorised' group by payment_id`.execute(db)
  return new Map(rows.map(({ id, at }) => [id, at]))
}

/** The same by ids alone, for who has no more than views. */
export async function findPaymentExtras(
  db: Db,
  ids: readonly string[]
): Promise<Map<string, PaymentExtras>> {
  return await findExtrasOf(db, await findPayments(db, ids))
}

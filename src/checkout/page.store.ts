/** How payments get under way: which still wait for the provider's answer, and what came of it. */
import { sql } from 'kysely'
import { type Db, statement, type Tx } from '../database/database.ts'
import type { Queue } from '../due/due.store.ts'
import type { Claim, Reply } from '../http/idempotency.store.ts'
import { paymentColumnList, type StoredPayment, toPayment } from '../payments/payment.store.ts'
import { type Payment, pageGraceMs } from '../payments/payment.ts'

const graceS = pageGraceMs / 1000

const recordPageStatement = statement<{ id: string }>(`
  with opened as (
    update payment set provider_session = $2, checkout_url = $3,
      next_attempt_at = case when method = 'registeredCard'
        then expires_at + make_interval(secs => $6)
        else next_attempt_at end
    where id = $1 and status = 'pending' and provider_session is null
    returning id, client_id, idempotency_key
  ), replied as (
    update idempotency_key k set reply_status = $4, reply_body = $5, next_attempt_at = null
    from opened where k.client_id = opened.client_id and k.key = opened.idempotency_key
      and reply_status is null
  )
  select id from opened`)

/**
 * Writes the page, and the answer to the create, in one statement. False where another finisher was
 * first, or the payment has ended.
 */
export async function recordPage(
  db: Db,
  id: string,
  page: { session: string; url: string },
  reply: Reply
): Promise<boolean> {
  const { rows } = await db.executeQuery(
    recordPageStatement(id, page.session, page.url, reply.status, reply.body, graceS)
  )
  return rows.length === 1
}

/** Leaves the page due in `delayS`, under `key`: whether it was made is not known. */
export async function postponePage(db: Db, id: string, key: string, delayS: number): Promise<void> {
  await sql`
    with asked as (
      update payment set provider_key = ${key}
      where id = ${id} and status = 'pending' and provider_session is null
      returning client_id, idempotency_key
    )
    update idempotency_key k set attempts = attempts + 1,
      next_attempt_at = now() + make_interval(secs => ${delayS})
    from asked where k.client_id = asked.client_id and k.key = asked.idempotency_key
      and reply_status is null`.execute(db)
}

/** `triedForMs`: since its intent was written, by the database's clock. */
export type DueCreate = {
  payment: Payment
  tries: number
  cardToken: string | null
  triedForMs: number
}

/** The payments of the claimed keys; but for those whose page is not worth asking for any more. */
const dueCreates = sql`
  select ${paymentColumnList}, claimed.attempts as tries, card_token as "cardToken",
    (extract(epoch from now() - payment.created_at) * 1000)::double precision as "triedForMs"
  from claimed join payment on id = resource_id
  where status <> 'pending' or provider_session is not null or method = 'registeredCard'
    or expires_at > now()`

type DueCreateRow = StoredPayment & Omit<DueCreate, 'payment'>

function toDueCreate(row: DueCreateRow): DueCreate {
  const { tries, cardToken, triedForMs } = row
  return { payment: toPayment(row), tries, cardToken, triedForMs }
}

/**
 * Takes payments whose create is not answered yet, for `leaseS` seconds: those of a process that
 * died, and those that the provider left unknown.
 */
export async function claimDueCreates(db: Db, leaseS: number, limit: number): Promise<DueCreate[]> {
  const { rows } = await sql<DueCreateRow>`
    with due as (
      select client_id, key from idempotency_key where next_attempt_at <= now()
      order by next_attempt_at limit ${limit} for no key update skip locked
    ), claimed as (
      update idempotency_key k set next_attempt_at = now() + make_interval(secs => ${leaseS})
      from due where k.client_id = due.client_id and k.key = due.key
      returning resource_id, attempts
    ) ${dueCreates}`.execute(db)
  return rows.map(toDueCreate)
}

/** Takes the payment of one key, if it is due. */
export async function claimDueCreate(
  db: Db,
  leaseS: number,
  claim: Claim
): Promise<DueCreate | undefined> {
  const { rows } = await sql<DueCreateRow>`
    with claimed as (
      update idempotency_key set next_attempt_at = now() + make_interval(secs => ${leaseS})
      where client_id = ${claim.clientId} and key = ${claim.key} and next_attempt_at <= now()
      returning resource_id, attempts
    ) ${dueCreates}`.execute(db)
  return rows[0] && toDueCreate(rows[0])
}

/**
 * Payments whose page ended without an outcome, or never opened. A link is asked, and a charge
 * whose customer came back is not ended by time.
 */
export const endedPages: Queue<{ id: string }> = {
  table: 'payment',
  key: ['id'],
  where: sql`status = 'pending' and (method = 'hostedPage'
    or method = 'registeredCard' and provider_session is not null and redirect_result is null)`,
  read: sql`id from claimed`
}

/** Nothing more is to be asked of a pending payment: what became of it is for a person to say. */
export async function stopLooking(tx: Tx, id: string): Promise<void> {
  await sql`update payment set next_attempt_at = null where id = ${id}`.execute(tx)
}

/**
 * For a claim of payments: not those whose cancellation is under way, which asks in its own way and
 * whose outcome it is.
 */
export const notBeingCancelled = sql`not exists (
  select from operation m where m.payment_id = payment.id and m.kind = 'cancellation'
    and m.status = 'requested')`

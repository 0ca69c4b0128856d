/** The provider's card pages of payments: which are wanted, and what came of asking for them. */
import { sql } from 'kysely'
import { type Db, statement, type Tx } from '../database.ts'
import type { Claim, Reply } from '../http/idempotency.store.ts'
import { paymentColumnList, type StoredPayment, toPayment } from './payment.store.ts'
import type { Payment } from './payment.ts'

const recordPageStatement = statement<{ id: string }>(`
  with opened as (
    update payment set provider_session = $2, checkout_url = $3
    where id = $1 and status = 'pending' and provider_session is null
    returning id, client_id, idempotency_key
  ), replied as (
    update idempotency_key k set reply_status = $4, reply_body = $5, due_at = null
    from opened where k.client_id = opened.client_id and k.key = opened.idempotency_key
      and reply_status is null
  )
  select id from opened`)

/**
 * Writes the page and the answer to the create in one statement. False where another finisher was
 * first, or the payment has ended.
 */
export async function recordPage(
  db: Db,
  id: string,
  page: { session: string; url: string },
  reply: Reply
): Promise<boolean> {
  const { rows } = await db.executeQuery(
    recordPageStatement(id, page.session, page.url, reply.status, reply.body)
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
    update idempotency_key k set tries = tries + 1,
      due_at = now() + make_interval(secs => ${delayS})
    from asked where k.client_id = asked.client_id and k.key = asked.idempotency_key
      and reply_status is null`.execute(db)
}

export type DuePage = { payment: Payment; tries: number }

/** Of the claimed keys, those whose payment still wants its page. */
const wantedPages = sql`
  select ${paymentColumnList}, claimed.tries from claimed join payment on id = resource_id
  where status = 'pending' and provider_session is null and expires_at > now()`

type WantedPage = StoredPayment & { tries: number }
const toDuePage = (row: WantedPage): DuePage => ({ payment: toPayment(row), tries: row.tries })

/**
 * Takes payments whose page is due to be asked for, for `leaseS` seconds: those of a process that
 * died, and those that the provider left unknown.
 */
export async function claimDuePages(db: Db, leaseS: number, limit: number): Promise<DuePage[]> {
  const { rows } = await sql<WantedPage>`
    with due as (
      select client_id, key from idempotency_key where due_at <= now()
      order by due_at limit ${limit} for no key update skip locked
    ), claimed as (
      update idempotency_key k set due_at = now() + make_interval(secs => ${leaseS})
      from due where k.client_id = due.client_id and k.key = due.key
      returning resource_id, tries
    ) ${wantedPages}`.execute(db)
  return rows.map(toDuePage)
}

/** Takes the page of one key, if it is due. */
export async function claimDuePage(
  db: Db,
  leaseS: number,
  claim: Claim
): Promise<DuePage | undefined> {
  const { rows } = await sql<WantedPage>`
    with claimed as (
      update idempotency_key set due_at = now() + make_interval(secs => ${leaseS})
      where client_id = ${claim.clientId} and key = ${claim.key} and due_at <= now()
      returning resource_id, tries
    ) ${wantedPages}`.execute(db)
  return rows[0] && toDuePage(rows[0])
}

/** Payments whose page ended without an outcome, or never opened; locked until the end of `tx`. */
export async function claimEndedPages(tx: Tx, limit: number): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from payment
    where due_at <= now() and status = 'pending'
    order by due_at limit ${limit} for no key update skip locked`.execute(tx)
  return rows.map(({ id }) => id)
}

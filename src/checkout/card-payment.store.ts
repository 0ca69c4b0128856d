/** Charges of registered cards whose outcome is not known yet, and when to ask for it again. */
import { sql } from 'kysely'
import type { Db } from '../database/database.ts'
import { moneyRetryForMs } from '../due/delays.ts'
import type { Reply } from '../http/idempotency.store.ts'
import { paymentColumnList, type StoredPayment, toPayment } from '../payments/payment.store.ts'
import { type Payment, pageGraceMs } from '../payments/payment.ts'
import { notBeingCancelled } from './page.store.ts'

const neverToBeCancelled = sql`not exists (select from operation m
  where m.payment_id = payment.id and m.kind = 'cancellation')`

/**
 * Whether nobody has asked to cancel the payment. Whatever came of that, the card is charged no
 * more: where the provider has not seen the charge, asking again would make it.
 */
export async function isStillWanted(db: Db, id: string): Promise<boolean> {
  const { rows } = await sql`
    select id from payment where id = ${id} and ${neverToBeCancelled}`.execute(db)
  return rows.length === 1
}

/** When the provider was asked first: for the charge, or for what came of 3-D Secure. */
const askedAt = sql`coalesce(returned_at, payment.created_at)`

/** Asking what became of a charge: each pause is as long as the question is old, within these. */
const retryMinS = 2
const retryMaxS = 3_600
const nextLook = sql`now() + greatest(make_interval(secs => ${retryMinS}),
  least(make_interval(secs => ${retryMaxS}), now() - ${askedAt}))`

/** What the provider is at is not asked for again; but that it never told is noticed. */
const lastLook = sql`${askedAt} + make_interval(secs => ${moneyRetryForMs / 1000})`

/**
 * Leaves a charge pending, to be looked after later, and answers its create with `reply` where that
 * is not answered yet; `isTold`: the provider will tell, and is not asked again. False where the
 * payment has ended meanwhile.
 */
export async function postponeCardPayment(
  db: Db,
  id: string,
  isTold: boolean,
  reply: Reply
): Promise<boolean> {
  const { rows } = await sql`
    with waiting as (
      update payment set next_attempt_at = ${isTold ? lastLook : nextLook}
      where id = ${id} and status = 'pending'
        and (provider_session is null or redirect_result is not null)
      returning id, client_id, idempotency_key
    ), replied as (
      update idempotency_key k
      set reply_status = ${reply.status}, reply_body = ${reply.body}, next_attempt_at = null
      from waiting where k.client_id = waiting.client_id and k.key = waiting.idempotency_key
        and reply_status is null
    )
    select id from waiting`.execute(db)
  return rows.length === 1
}

export type DueCardPayment = {
  payment: Payment
  cardToken: string | null
  /** What the customer brought back from 3-D Secure; null where the charge itself is unknown. */
  redirectResult: string | null
  /** Since the first attempt, ms by the database's clock. */
  triedForMs: number
}

/** Takes charges whose outcome is due to be asked for, for `leaseS` seconds. */
export async function claimDueCardPayments(
  db: Db,
  leaseS: number,
  limit: number
): Promise<DueCardPayment[]> {
  const { rows } = await sql<StoredPayment & Omit<DueCardPayment, 'payment'>>`
    update payment set next_attempt_at = now() + make_interval(secs => ${leaseS})
    where id in (
      select id from payment
      where next_attempt_at <= now() and status = 'pending' and method = 'registeredCard'
        and (provider_session is null or redirect_result is not null) and ${notBeingCancelled}
      order by next_attempt_at limit ${limit} for no key update skip locked
    ) returning ${paymentColumnList}, card_token as "cardToken",
      redirect_result as "redirectResult",
      (extract(epoch from now() - ${askedAt}) * 1000)::double precision as "triedForMs"
    `.execute(db)
  return rows.map((row) => {
    const { cardToken, redirectResult, triedForMs } = row
    return { payment: toPayment(row), cardToken, redirectResult, triedForMs }
  })
}

/**
 * Notes what the customer brought back, to be told to the provider under `key`, which the caller
 * does within `leaseS` seconds. False where they are not awaited, or not any more, or have been
 * here before.
 */
export async function recordReturn(
  db: Db,
  id: string,
  given: { redirectResult: string; key: string; leaseS: number }
): Promise<boolean> {
  const { rows } = await sql`
    update payment set redirect_result = ${given.redirectResult}, returned_at = now(),
      provider_key = ${given.key}, next_attempt_at = now() + make_interval(secs => ${given.leaseS})
    where id = ${id} and status = 'pending' and method = 'registeredCard'
      and provider_session is not null and redirect_result is null and ${neverToBeCancelled}
    returning id`.execute(db)
  return rows.length === 1
}

/**
 * The provider did not take what was brought back and told under `key`: the customer is awaited
 * again, until the payment ends by time. What they bring then is told under `nextKey`.
 */
export async function awaitReturn(db: Db, id: string, key: string, nextKey: string): Promise<void> {
  await sql`
    update payment set redirect_result = null, returned_at = null, provider_key = ${nextKey},
      next_attempt_at = expires_at + make_interval(secs => ${pageGraceMs / 1000})
    where id = ${id} and status = 'pending' and provider_key = ${key}`.execute(db)
}

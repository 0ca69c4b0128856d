/**
 * What becomes of payments on their way to an outcome: their pages, links, card payments and the
 * return of browsers; and when to look after each again.
 */
import { type RawBuilder, sql } from 'kysely'
import { type Db, statement, type Tx } from '../database/database.ts'
import type { Claim, Reply } from '../http/idempotency.store.ts'
import { moneyRetryForMs } from '../jobs.ts'
import type { Money } from '../money.ts'
import { paymentColumnList, type StoredPayment, toPayment } from '../payments/payment.store.ts'
import type { Payment } from '../payments/payment.ts'
import type { HostedPage } from '../provider.ts'
import { pageGraceS, reportedPaidWaitS } from './schedule.ts'

const recordPageStatement = statement<{ id: string }>(`
  with page as (
    select * from jsonb_to_record($1) as x(id text, session text, url text, ends_after_s float8,
      reply_status smallint, reply_body text)
  ), opened as (
    update payment p set provider_session = session, checkout_url = url,
      next_attempt_at = greatest(p.next_attempt_at, expires_at + make_interval(secs => ends_after_s))
    from page where p.id = page.id and status = 'pending' and provider_session is null
    returning p.id, client_id, idempotency_key
  ), replied as (
    update idempotency_key k
    set reply_status = page.reply_status, reply_body = page.reply_body, next_attempt_at = null
    from opened, page
    where k.client_id = opened.client_id and k.key = opened.idempotency_key
      and k.reply_status is null
  )
  select id from opened`)

/**
 * Writes the page, and the answer to the create, in one statement. `endsAfterS`: how long
 * after its page's end the payment ends without an outcome, where that was not written before.
 * False where another caller was first, or the payment has ended.
 */
export async function recordPage(
  db: Db,
  id: string,
  { session, url }: HostedPage,
  endsAfterS: number | null,
  reply: Reply
): Promise<boolean> {
  const { status: reply_status, body: reply_body } = reply
  const values = { id, session, url, ends_after_s: endsAfterS, reply_status, reply_body }
  const { rows } = await db.executeQuery(recordPageStatement(JSON.stringify(values)))
  return rows.length === 1
}

/** Leaves the page due in `delayS`, under `key`: whether it was opened is not known. */
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

/** A payment whose provider is to be asked, or was. */
export type AskedPayment = {
  payment: Payment
  /** The provider's name of the card that pays. */
  cardToken: string | null
  /** Since the provider was asked first, ms by the database's clock. */
  triedForMs: number
}

export type DueCreate = AskedPayment & { attempts: number }

type DueCreateRow = StoredPayment & Omit<DueCreate, 'payment'>

/** The payments of the claimed keys; but for those whose page is not worth asking for any more. */
async function claimCreates(db: Db, claimed: RawBuilder<unknown>): Promise<DueCreate[]> {
  const { rows } = await sql<DueCreateRow>`
    with claimed as (${claimed} returning resource_id, attempts)
    select ${paymentColumnList}, claimed.attempts, card_token as "cardToken",
      (extract(epoch from now() - payment.created_at) * 1000)::double precision as "triedForMs"
    from claimed join payment on id = resource_id
    where status <> 'pending' or provider_session is not null or method = 'registeredCard'
      or expires_at > now()`.execute(db)
  return rows.map((row) => {
    const { attempts, cardToken, triedForMs } = row
    return { payment: toPayment(row), attempts, cardToken, triedForMs }
  })
}

/**
 * Takes payments whose create is not answered yet, for `leaseS` seconds: those of a process that
 * died, and those that the provider left unknown.
 */
export async function claimDueCreates(db: Db, leaseS: number, limit: number): Promise<DueCreate[]> {
  return await claimCreates(
    db,
    sql`update idempotency_key k set next_attempt_at = now() + make_interval(secs => ${leaseS})
      from (
        select client_id, key from idempotency_key where next_attempt_at <= now()
        order by next_attempt_at limit ${limit} for no key update skip locked
      ) due where k.client_id = due.client_id and k.key = due.key`
  )
}

/** Takes the payment of one key, if it is due. */
export async function claimDueCreate(
  db: Db,
  leaseS: number,
  { clientId, key }: Claim
): Promise<DueCreate | undefined> {
  const [due] = await claimCreates(
    db,
    sql`update idempotency_key set next_attempt_at = now() + make_interval(secs => ${leaseS})
      where client_id = ${clientId} and key = ${key} and next_attempt_at <= now()`
  )
  return due
}

/**
 * Payments whose page ended without an outcome, or never opened; locked until the end of `tx`. A
 * link is asked about, and a card payment whose customer came back is not ended by time.
 */
export async function claimEndedPages(tx: Tx, limit: number): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from payment
    where next_attempt_at <= now() and status = 'pending' and (method = 'hostedPage'
      or method = 'registeredCard' and provider_session is not null and redirect_result is null)
    order by next_attempt_at limit ${limit} for no key update skip locked`.execute(tx)
  return rows.map(({ id }) => id)
}

/** Nothing more is asked about a pending payment: what became of it is for a person to find out. */
export async function stopLooking(tx: Tx, id: string): Promise<void> {
  await sql`update payment set next_attempt_at = null where id = ${id}`.execute(tx)
}

/** Looks after a pending payment again in `delayS`. */
export async function postponeLook(db: Db, id: string, delayS: number): Promise<void> {
  await sql`
    update payment set next_attempt_at = now() + make_interval(secs => ${delayS})
    where id = ${id} and status = 'pending'`.execute(db)
}

/**
 * For a claim of payments: not those whose cancellation is under way, which asks in its own way and
 * decides what becomes of them.
 */
const notBeingCancelled = sql`not exists (
  select from operation m where m.payment_id = payment.id and m.kind = 'cancellation'
    and m.status = 'requested')`
const neverToBeCancelled = sql`not exists (
  select from operation m where m.payment_id = payment.id and m.kind = 'cancellation')`

/** Until the page or link ends, seconds; negative after it. */
const endsInS = sql`extract(epoch from expires_at - now())::double precision`

export type DueLink = {
  id: string
  /** The link at the provider; null where none was made. */
  session: string | null
  /** The provider reported it as paid a while ago, and the notification has not come. */
  isReportedPaid: boolean
  /** Until it ends; negative after it. */
  endsInS: number
}

/** Takes links that are due to be looked after, for `leaseS` seconds. */
export async function claimDueLinks(db: Db, leaseS: number, limit: number): Promise<DueLink[]> {
  const { rows } = await sql<DueLink>`
    with claimed as (
      update payment set next_attempt_at = now() + make_interval(secs => ${leaseS})
      where id in (
        select id from payment
        where next_attempt_at <= now() and status = 'pending' and method = 'paymentLink'
          and ${notBeingCancelled}
        order by next_attempt_at limit ${limit} for no key update skip locked
      ) returning id, provider_session, reported_paid_at, expires_at
    )
    select id, provider_session as session, reported_paid_at is not null as "isReportedPaid",
      ${endsInS} as "endsInS" from claimed`.execute(db)
  return rows
}

/** The provider reports the link as paid: the notification has so long to say by what money. */
export async function recordReportedPaid(db: Db, id: string): Promise<void> {
  await sql`
    update payment set reported_paid_at = now(),
      next_attempt_at = now() + make_interval(secs => ${reportedPaidWaitS})
    where id = ${id} and status = 'pending' and reported_paid_at is null`.execute(db)
}

/**
 * Whether nobody has asked to cancel the payment. Whatever came of that, the card is not charged
 * any more: where the provider has not seen the payment, asking again would make it.
 */
export async function isStillWanted(db: Db, id: string): Promise<boolean> {
  const { rows } = await sql`
    select id from payment where id = ${id} and ${neverToBeCancelled}`.execute(db)
  return rows.length === 1
}

/** When the provider was asked first: for the payment, or for what came of 3-D Secure. */
const askedAt = sql`coalesce(returned_at, created_at)`

/**
 * Leaves a card payment pending, to be looked after in `delayS`, and answers its create with
 * `reply` where that is not answered yet. `delayS` null: the provider will report the outcome and
 * is not asked again, but that it never did is noticed. False where the payment has ended
 * meanwhile.
 */
export async function postponeCardPayment(
  db: Db,
  id: string,
  delayS: number | null,
  reply: Reply
): Promise<boolean> {
  const next =
    delayS === null
      ? sql`${askedAt} + make_interval(secs => ${moneyRetryForMs / 1000})`
      : sql`now() + make_interval(secs => ${delayS})`
  const { rows } = await sql`
    with waiting as (
      update payment set next_attempt_at = ${next}
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

export type DueCardPayment = AskedPayment & {
  /** What the customer brought back from 3-D Secure; null where the payment itself is unknown. */
  redirectResult: string | null
}

/** Takes card payments whose outcome is due to be asked for, for `leaseS` seconds. */
export async function claimDueCardPayments(
  db: Db,
  leaseS: number,
  limit: number
): Promise<DueCardPayment[]> {
  const { rows } = await sql<StoredPayment & Omit<DueCardPayment, 'payment'>>`
    with claimed as (
      update payment set next_attempt_at = now() + make_interval(secs => ${leaseS})
      where id in (
        select id from payment
        where next_attempt_at <= now() and status = 'pending' and method = 'registeredCard'
          and (provider_session is null or redirect_result is not null) and ${notBeingCancelled}
        order by next_attempt_at limit ${limit} for no key update skip locked
      ) returning payment.*
    )
    select ${paymentColumnList}, card_token as "cardToken", redirect_result as "redirectResult",
      (extract(epoch from now() - ${askedAt}) * 1000)::double precision as "triedForMs"
    from claimed`.execute(db)
  return rows.map((row) => {
    const { cardToken, redirectResult, triedForMs } = row
    return { payment: toPayment(row), cardToken, redirectResult, triedForMs }
  })
}

/**
 * Writes down what the customer brought back, before the provider is told under `key`; the caller
 * does that within `leaseS` seconds. False where they are not awaited, or not any more, or have
 * been here before.
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
 * The provider did not take what was brought back and sent under `key`: the customer is awaited
 * again, until the payment ends by time. What they bring then is sent under `nextKey`.
 */
export async function awaitReturn(db: Db, id: string, key: string, nextKey: string): Promise<void> {
  await sql`
    update payment set redirect_result = null, returned_at = null, provider_key = ${nextKey},
      next_attempt_at = expires_at + make_interval(secs => ${pageGraceS})
    where id = ${id} and status = 'pending' and provider_key = ${key}`.execute(db)
}

/** Keeps what the page gave the browser of a pending payment; a later one is the truer one. */
export async function keepPageResult(
  db: Db,
  paymentId: string,
  result: string,
  delayS: number
): Promise<void> {
  await sql`
    insert into page_return (payment_id, session_result, next_attempt_at)
    select id, ${result}, now() + make_interval(secs => ${delayS})
    from payment where id = ${paymentId} and status = 'pending'
    on conflict (payment_id) do update set session_result = excluded.session_result`.execute(db)
}

export type DuePageResult = {
  paymentId: string
  session: string
  sessionResult: string
  amount: Money
  isPending: boolean
  attempts: number
  /** Until the payment ends. */
  endsInS: number
}

/** Takes results of pages that are due to be asked about, for `leaseS` seconds. */
export async function claimDuePageResults(
  db: Db,
  leaseS: number,
  limit: number
): Promise<DuePageResult[]> {
  const { rows } = await sql<DuePageResult>`
    with claimed as (
      update page_return set next_attempt_at = now() + make_interval(secs => ${leaseS}), attempts = attempts + 1
      where payment_id in (
        select payment_id from page_return where next_attempt_at <= now()
        order by next_attempt_at limit ${limit} for no key update skip locked
      ) returning payment_id, session_result, attempts
    )
    select id as "paymentId", provider_session as session, session_result as "sessionResult",
      jsonb_build_object('currency', currency, 'value', amount) as amount,
      status = 'pending' as "isPending", attempts,
      extract(epoch from next_attempt_at - now())::double precision as "endsInS"
    from claimed join payment on id = payment_id`.execute(db)
  return rows
}

/** Asks about it again in `delayS`. */
export async function postponePageResult(db: Db, paymentId: string, delayS: number): Promise<void> {
  await sql`
    update page_return set next_attempt_at = now() + make_interval(secs => ${delayS})
    where payment_id = ${paymentId}`.execute(db)
}

export type UnansweredReturn = { paymentId: string; returnedAt: Date; attempts: number }

/** Removes what browsers brought back to these payments, which have ended or end in `tx`. */
export async function removePageResults(
  db: Db | Tx,
  paymentIds: readonly string[]
): Promise<UnansweredReturn[]> {
  const { rows } = await sql<UnansweredReturn>`
    delete from page_return where payment_id = any(${paymentIds})
    returning payment_id as "paymentId", returned_at as "returnedAt", attempts`.execute(db)
  return rows
}

export type Reservation = { paymentId: string; authorisationReference: string; authorisedAt: Date }

/** Reservations that nobody captured or released for `ageS` seconds, not shown yet. */
export async function findForgottenReservations(
  tx: Tx,
  ageS: number,
  limit: number
): Promise<Reservation[]> {
  const { rows } = await sql<Reservation>`
    select p.id as "paymentId", p.authorisation_reference as "authorisationReference",
      a.created_at as "authorisedAt"
    from payment p join authorisation a on a.reference = p.authorisation_reference
    where p.status = 'authorised' and a.created_at < now() - make_interval(secs => ${ageS})
      and not exists (select from discrepancy d
        where d.kind = 'outcome_unknown' and d.fact = p.authorisation_reference)
    order by p.id limit ${limit}`.execute(tx)
  return rows
}

/**
 * What becomes of payments on their way to an outcome: their pages, links, card payments and the
 * return of browsers; and when to look after each again.
 */
import { type RawBuilder, sql } from 'kysely'
import { batched } from '../database/batch.ts'
import { type Db, statement, type Tx } from '../database/database.ts'
import { secondsAfter } from '../database/seconds-after.ts'
import { moneyRetryForMs } from '../due/delays.ts'
import {
  type Claimed,
  type ClaimOptions,
  claimDue,
  claimIdle,
  type Held,
  isHeld,
  noLease,
  type Queue
} from '../due/due.store.ts'
import type { Claim, Reply } from '../http/idempotency.store.ts'
import type { Money } from '../money.ts'
import { paymentColumnList, type StoredPayment, toPayment } from '../payments/payment.store.ts'
import type { Payment } from '../payments/payment.ts'
import type { HostedPage } from '../provider.ts'
import { pageGraceS, reportedPaidWaitS } from './schedule.ts'

/** A payment about which the provider is asked, or was. */
export type AskedPayment = {
  payment: Payment
  /** The provider's name of the card that pays. */
  cardToken: string | null
  /** Since the provider was asked first, ms by the database's clock. */
  triedForMs: number
}

type AskedRow = StoredPayment & Omit<AskedPayment, 'payment'>

const toAsked = (row: AskedRow): AskedPayment => ({
  payment: toPayment(row),
  cardToken: row.cardToken,
  triedForMs: row.triedForMs
})

const msSince = (time: RawBuilder<unknown>) =>
  sql`(extract(epoch from now() - ${time}) * 1000)::double precision`
const secondsUntil = (time: RawBuilder<unknown>) =>
  sql`extract(epoch from ${time} - now())::double precision`

/**
 * Creates without an answer, by their keys, but for those whose page is not worth asking for any
 * more. While its caller is at it one has no due time: see `takeLeft`.
 */
export const creates: Queue<AskedRow> = {
  table: 'idempotency_key',
  key: ['client_id', 'key'],
  open: sql`reply_status is null`,
  where: sql`exists (select from payment where id = resource_id and (status <> 'pending'
    or provider_session is not null or method = 'registeredCard' or expires_at > now()))`,
  read: sql`p.* from claimed join (
      select ${paymentColumnList}, card_token as "cardToken",
        ${msSince(sql`created_at`)} as "triedForMs"
      from payment
    ) p on p.id = resource_id`
}

export const createsBy = (method: string) =>
  sql`exists (select from payment where id = resource_id and method = ${method})`

export type DueCreate = AskedPayment & Held & { attempts: number }

const toDueCreate = (row: Claimed<AskedRow>): DueCreate => ({
  ...toAsked(row),
  lease: row.lease,
  attempts: row.attempts
})

/**
 * Takes payments whose create is not answered: its process died, or the outcome is not known.
 * `claim`: those that are due, or before their time.
 */
export async function claimCreates(
  db: Db,
  options: ClaimOptions,
  claim: typeof claimDue = claimDue
): Promise<DueCreate[]> {
  return (await claim(db, creates, options)).map(toDueCreate)
}

/** Takes the payment of one key, before its time too, unless somebody is at it. */
export async function claimCreate(
  db: Db,
  { clientId, key }: Claim,
  leaseS: number
): Promise<DueCreate | undefined> {
  const row = await claimIdle(db, creates, [clientId, key], leaseS)
  return row && toDueCreate(row)
}

/** Sets the answer to the create of each payment of `from`, where it has none yet. */
const replied = (from: string, status: RawBuilder<unknown>, body: RawBuilder<unknown>) => sql`
  update idempotency_key k set reply_status = ${status}, reply_body = ${body},
    next_attempt_at = null, ${noLease}
  from ${sql.table(from)} p where k.client_id = p.client_id and k.key = p.idempotency_key
    and k.reply_status is null`

const recordPagesStatement = statement<{ id: string }>(`
  with page as materialized (
    select * from json_to_recordset($1) as x(id text, session text, url text, ends_after_s float8,
      reply_status smallint, reply_body text)
  ), opened as (
    update payment p set provider_session = session, checkout_url = url,
      next_attempt_at = greatest(next_attempt_at,
        ${secondsAfter('expires_at', 'ends_after_s')})
    from page where p.id = page.id and p.id = any(array(select id from page))
      and status = 'pending' and provider_session is null
    returning p.id, client_id, idempotency_key
  ), replied as (
    update idempotency_key k set reply_status = page.reply_status, reply_body = page.reply_body,
      next_attempt_at = null, lease = null, leased_until = null
    from opened p join page using (id)
    where k.client_id = p.client_id and k.key = p.idempotency_key and k.reply_status is null
  )
  select id from opened`)

type PageValues = HostedPage &
  Pick<Payment, 'id'> & {
    ends_after_s: number | null
    reply_status: number
    reply_body: string
  }

const recordPageRow = batched<PageValues, boolean>({
  keysOf: ({ id }) => [id],
  run: async (db, pages) => {
    const { rows } = await db.executeQuery(recordPagesStatement(JSON.stringify(pages)))
    const recorded = new Set(rows.map(({ id }) => id))
    return pages.map(({ id }) => recorded.has(id))
  }
})

/**
 * Writes the page, and the answer to the create, in one statement. `endsAfterS`: how long after its
 * page's end the payment ends without an outcome, where that was not written before. False where
 * another caller was first, or the payment has ended.
 */
export async function recordPage(
  db: Db,
  id: string,
  { session, url }: HostedPage,
  endsAfterS: number | null,
  reply: Reply
): Promise<boolean> {
  const answer = { reply_status: reply.status, reply_body: reply.body }
  return await recordPageRow(db, { id, session, url, ends_after_s: endsAfterS, ...answer })
}

/** Leaves the page due in `delayS`, under `key`: whether it was opened is not known. */
export async function postponePage(
  db: Db,
  create: Held,
  key: string,
  delayS: number
): Promise<void> {
  await sql`
    with postponed as (
      update idempotency_key set next_attempt_at = now() + make_interval(secs => ${delayS}),
        ${noLease}
      where ${isHeld(creates, create)}
      returning resource_id
    )
    update payment set provider_key = ${key} from postponed
    where id = resource_id and status = 'pending' and provider_session is null`.execute(db)
}

/**
 * Payments whose page ended without an outcome, or never opened. A link is asked about, and a card
 * payment whose customer came back is not ended by time.
 */
export const endedPages: Queue<{ paymentId: string }> = {
  table: 'payment',
  key: ['id'],
  where: sql`method = 'hostedPage' or method = 'registeredCard' and provider_session is not null
    and redirect_result is null`,
  read: sql`id as "paymentId" from claimed`
}

/** Nothing more is asked about a pending payment: what became of it is for a person to find out. */
export async function stopLooking(tx: Tx, id: string): Promise<void> {
  await sql`update payment set next_attempt_at = null, ${noLease} where id = ${id}`.execute(tx)
}

/**
 * For a claim of payments: not those whose cancellation is under way, which asks in its own way and
 * decides what becomes of them.
 */
const notBeingCancelled = sql`not exists (
  select from operation o where o.payment_id = payment.id and o.kind = 'cancellation'
    and o.status = 'requested')`
const neverToBeCancelled = sql`not exists (
  select from operation o where o.payment_id = payment.id and o.kind = 'cancellation')`

export type Link = {
  id: string
  /** The link at the provider; null where none was made. */
  session: string | null
  /** The provider reported it as paid a while ago, and the notification has not come. */
  isReportedPaid: boolean
  /** Until it ends; negative after it. */
  endsInS: number
}

/** Links that are to be asked about. */
export const links: Queue<Link> = {
  table: 'payment',
  key: ['id'],
  where: sql`method = 'paymentLink' and ${notBeingCancelled}`,
  read: sql`id, provider_session as session, reported_paid_at is not null as "isReportedPaid",
    ${secondsUntil(sql`expires_at`)} as "endsInS" from claimed`
}

/** The provider reports the link as paid: the notification has so long to say by what money. */
export async function recordReportedPaid(db: Db, id: string): Promise<void> {
  await sql`
    update payment set reported_paid_at = now(),
      next_attempt_at = now() + make_interval(secs => ${reportedPaidWaitS}), ${noLease}
    where id = ${id} and status = 'pending' and reported_paid_at is null`.execute(db)
}

/**
 * Whether nobody has asked to cancel the payment. Whatever came of that, the card pays no more:
 * where the provider has not seen the payment, asking again would make it.
 */
export async function isStillWanted(db: Db, id: string): Promise<boolean> {
  const { rows } = await sql`
    select id from payment where id = ${id} and ${neverToBeCancelled}`.execute(db)
  return rows.length === 1
}

/** When the provider was asked first: for the payment, or for what came of 3-D Secure. */
const askedAt = 'coalesce(returned_at, created_at)'

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
      ? sql.raw(secondsAfter(askedAt, moneyRetryForMs / 1000))
      : sql`now() + make_interval(secs => ${delayS})`
  const { rows } = await sql`
    with waiting as (
      update payment set next_attempt_at = ${next}, ${noLease}
      where id = ${id} and status = 'pending'
        and (provider_session is null or redirect_result is not null)
      returning id, client_id, idempotency_key
    ), replied as (${replied('waiting', sql`${reply.status}`, sql`${reply.body}`)})
    select id from waiting`.execute(db)
  return rows.length === 1
}

type CardPaymentRow = AskedRow & { redirectResult: string | null }

/** Card payments whose outcome is to be asked for. */
export const cardPayments: Queue<CardPaymentRow> = {
  table: 'payment',
  key: ['id'],
  where: sql`method = 'registeredCard' and (provider_session is null or redirect_result is not null)
    and ${notBeingCancelled}`,
  read: sql`${paymentColumnList}, card_token as "cardToken", redirect_result as "redirectResult",
    ${msSince(sql.raw(askedAt))} as "triedForMs" from claimed`
}

/** Those about which one or the other call asks. */
export const isAskedBy = (kind: 'cardPayments' | 'cardReturns') =>
  kind === 'cardPayments' ? sql`redirect_result is null` : sql`redirect_result is not null`

/**
 * `redirectResult`: what the customer brought back from 3-D Secure; null where the outcome of the
 * payment itself is not known.
 */
export type DueCardPayment = Claimed<AskedPayment & { redirectResult: string | null }>

export async function claimCardPayments(
  db: Db,
  options: ClaimOptions,
  claim: typeof claimDue = claimDue
): Promise<DueCardPayment[]> {
  const rows = await claim(db, cardPayments, options)
  return rows.map((row) => {
    const { redirectResult, lease, attempts } = row
    return { ...toAsked(row), redirectResult, lease, attempts }
  })
}

/**
 * Writes down what the customer brought back, before it is sent under `key`; the caller
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
      next_attempt_at = ${sql.raw(secondsAfter('expires_at', pageGraceS))}, ${noLease}
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
    with awaited as materialized (
      select id from payment where id = ${paymentId} and status = 'pending')
    insert into page_return (payment_id, session_result, next_attempt_at)
    select id, ${result}, now() + make_interval(secs => ${delayS}) from awaited
    on conflict (payment_id) do update set session_result = excluded.session_result`.execute(db)
}

export type PageReturn = {
  paymentId: string
  session: string
  sessionResult: string
  amount: Money
  isPending: boolean
  /** Until the payment ends. */
  endsInS: number
}

/** What browsers brought back from pages and the provider is to be asked about. */
export const pageReturns: Queue<PageReturn> = {
  table: 'page_return',
  key: ['payment_id'],
  read: sql`p.id as "paymentId", provider_session as session, session_result as "sessionResult",
    jsonb_build_object('currency', currency, 'value', amount) as amount,
    status = 'pending' as "isPending", ${secondsUntil(sql`p.next_attempt_at`)} as "endsInS"
    from claimed join payment p on p.id = payment_id`
}

type UnansweredReturn = { paymentId: string; returnedAt: Date; attempts: number }

/** Removes what browsers brought back to these payments, which have ended or end in `tx`. */
export async function removePageReturns(
  db: Db,
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
  db: Db,
  ageS: number,
  limit: number,
  only?: Reservation
): Promise<Reservation[]> {
  const { rows } = await sql<Reservation>`
    select p.id as "paymentId", p.authorisation_reference as "authorisationReference",
      a.created_at as "authorisedAt"
    from payment p join authorisation a on a.reference = p.authorisation_reference
    where p.status = 'authorised' and a.created_at < now() - make_interval(secs => ${ageS})
      and not exists (select from discrepancy d
        where d.kind = 'outcome_unknown' and d.fact = p.authorisation_reference)
      ${only === undefined ? sql`` : sql`and p.id = ${only.paymentId}`}
    order by p.id limit ${limit}`.execute(db)
  return rows
}

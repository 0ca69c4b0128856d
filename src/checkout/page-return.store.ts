/** Browsers that came back from a page with a result that the provider could not be asked about. */
import { sql } from 'kysely'
import type { Db, Tx } from '../database/database.ts'
import { delayAfter } from '../due/delays.ts'
import type { Money } from '../money.ts'

/** Asking again what became of a page whose customer came back, until the page ends; seconds. */
const pageAskS = [5, 15, 60, 300, 900, 3_600] as const
/** The last time is so long before the page ends. */
const pageLastAskS = 60

/** Keeps what the page gave the browser of a pending payment; a later one is the truer one. */
export async function keepReturn(db: Db, paymentId: string, result: string): Promise<void> {
  await sql`
    insert into page_return (payment_id, session_result, next_attempt_at)
    select id, ${result}, now() + make_interval(secs => ${pageAskS[0]})
    from payment where id = ${paymentId} and status = 'pending'
    on conflict (payment_id) do update set session_result = excluded.session_result`.execute(db)
}

export type DueReturn = {
  paymentId: string
  session: string
  sessionResult: string
  amount: Money
  isPending: boolean
  tries: number
}

/** Takes those that are due to be asked for, for `leaseS` seconds. */
export async function claimDueReturns(db: Db, leaseS: number, limit: number): Promise<DueReturn[]> {
  const { rows } = await sql<DueReturn>`
    with claimed as (
      update page_return set next_attempt_at = now() + make_interval(secs => ${leaseS}),
        attempts = attempts + 1
      where payment_id in (
        select payment_id from page_return where next_attempt_at <= now()
        order by next_attempt_at limit ${limit} for no key update skip locked
      ) returning payment_id, session_result, attempts
    )
    select id as "paymentId", provider_session as session, session_result as "sessionResult",
      jsonb_build_object('currency', currency, 'value', amount) as amount,
      status = 'pending' as "isPending", claimed.attempts as tries
    from claimed join payment on id = payment_id`.execute(db)
  return rows
}

/** Asks again later: each pause is longer, but for a last time shortly before the page ends. */
export async function postponeReturn(db: Db, paymentId: string, tries: number): Promise<void> {
  const next = sql`now() + make_interval(secs => ${delayAfter(pageAskS, tries)})`
  const last = sql`payment.next_attempt_at - make_interval(secs => ${pageLastAskS})`
  await sql`
    update page_return set next_attempt_at = case when now() < ${last} then least(${next}, ${last})
      else ${next} end
    from payment where payment_id = ${paymentId} and id = payment_id`.execute(db)
}

/** What became of the payment is known. */
export async function forgetReturn(db: Db, paymentId: string): Promise<void> {
  await sql`delete from page_return where payment_id = ${paymentId}`.execute(db)
}

export type Unanswered = { paymentId: string; returnedAt: Date; tries: number }

/** Those whose payments end now, without an answer. */
export async function takeReturns(tx: Tx, paymentIds: readonly string[]): Promise<Unanswered[]> {
  const { rows } = await sql<Unanswered>`
    delete from page_return where payment_id = any(${paymentIds})
    returning payment_id as "paymentId", returned_at as "returnedAt", attempts as tries`.execute(tx)
  return rows
}

export type Reservation = { paymentId: string; authorisationReference: string; authorisedAt: Date }

/** Reservations that nobody captured or released for `ageS` seconds and that were not shown yet. */
export async function findForgottenReservations(
  tx: Tx,
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
    order by p.id limit ${limit}`.execute(tx)
  return rows
}

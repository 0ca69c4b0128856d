/** Payment links that are open: when to ask the provider what became of them. */
import { sql } from 'kysely'
import type { Db } from '../database/database.ts'
import { pageGraceMs } from '../payments/payment.ts'
import { notBeingCancelled } from './page.store.ts'

/** A link is looked after this long after it was made, and then every hour while it is open. */
export const linkFirstPollS = 600
const linkPollS = 3_600
/** How long the notification may take of a link that the provider says was paid. */
const toldPaidWaitS = 3_600

const graceEnd = sql`expires_at + make_interval(secs => ${pageGraceMs / 1000})`

export type DueLink = {
  id: string
  /** The link at the provider; null where none was made. */
  session: string | null
  /** The provider said a while ago that it was paid, and the notification has not come. */
  isToldPaid: boolean
  /** Even its last attempt is over. */
  isOver: boolean
}

/** Takes links that are due to be looked after, for `leaseS` seconds. */
export async function claimDueLinks(db: Db, leaseS: number, limit: number): Promise<DueLink[]> {
  const { rows } = await sql<DueLink>`
    update payment set next_attempt_at = now() + make_interval(secs => ${leaseS})
    where id in (
      select id from payment
      where next_attempt_at <= now() and status = 'pending' and method = 'paymentLink'
        and ${notBeingCancelled}
      order by next_attempt_at limit ${limit} for no key update skip locked
    ) returning id, provider_session as session, reported_paid_at is not null as "isToldPaid",
      ${graceEnd} <= now() as "isOver"`.execute(db)
  return rows
}

/**
 * Leaves the link open. It is not asked for between its end and the time that its last attempt may
 * take: what it says then is not its last word.
 */
export async function postponeLink(db: Db, id: string): Promise<void> {
  await sql`
    update payment set next_attempt_at = case
      when now() + make_interval(secs => ${linkPollS}) < expires_at or ${graceEnd} <= now()
        then now() + make_interval(secs => ${linkPollS})
      else ${graceEnd}
    end
    where id = ${id} and status = 'pending'`.execute(db)
}

/** The provider says that it was paid: the notification has so long to say by what money. */
export async function recordToldPaid(db: Db, id: string): Promise<void> {
  await sql`
    update payment set reported_paid_at = now(),
      next_attempt_at = now() + make_interval(secs => ${toldPaidWaitS})
    where id = ${id} and status = 'pending' and reported_paid_at is null`.execute(db)
}

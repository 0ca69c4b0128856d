import { sql } from 'kysely'
import type { Db } from '../database/database.ts'

/** Payments of one look. */
const atOnce = 300

/** What a payment took and gave back is not what was posted for it. */
const isWrong = sql`
  p.amount_captured <> coalesce(sum(t.amount * case
    when t.posting in ('payment', 'recordedPayment') then 1
    when t.posting = 'captureFailed' then -1 end), 0)
  or p.amount_refunded <> coalesce(sum(t.amount * case
    when t.posting in ('refund', 'recordedRefund') then 1
    when t.posting = 'refundFailed' then -1 end), 0)
  or p.amount_charged_back <> coalesce(sum(t.amount * case t.posting
    when 'chargeback' then 1 when 'chargebackReversed' then -1 end), 0)`

/**
 * Of the payments that money has moved for last, those whose books are wrong. By the postings of
 * billing: the last transfers may be many thousands of charges, of no payment.
 */
export async function findWrongLately(db: Db): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select p.id from payment p left join ledger_transfer t on t.payment_id = p.id
    where p.id = any(array(
      select payment_id from ledger_transfer where id = any(array(
        select id from billing_posting order by position desc limit ${atOnce}))))
    group by p.id having ${isWrong}`.execute(db)
  return rows.map(({ id }) => id)
}

/** Those of the payments that come after `after`; `last`: the last one, null at the end of all. */
export async function findWrongAfter(
  db: Db,
  after: string
): Promise<{ wrong: string[]; last: string | null }> {
  const { rows } = await sql<{ wrong: string[]; last: string | null }>`
    with next as materialized (
      select id from payment where id > ${after} order by id limit ${atOnce}
    )
    select array(
      select p.id from payment p left join ledger_transfer t on t.payment_id = p.id
      where p.id = any(array(select id from next))
      group by p.id having ${isWrong}) as wrong,
      (select max(id) from next) as last`.execute(db)
  return rows[0] as { wrong: string[]; last: string | null }
}

import { sql } from 'kysely'
import type { Db } from '../database/database.ts'

/**
 * Money that no report has. `id`: of the record, which is what a discrepancy about it goes by;
 * `at`: when it was taken or given back. `amount` in minor units.
 */
export type Missing = {
  paymentId: string
  type: 'authorisation' | 'capture' | 'refund' | 'dispute'
  id: string
  currency: string
  amount: number
  at: Date
}

/** How far back it is looked for: what is older was found long ago. */
const missingWithinDays = 90

/**
 * Captures, refunds and chargebacks that no report has, though they are more than `days` days older
 * than what the newest report of ours holds; at most `limit` that were not found before. Money that
 * is sent back is not among them: where it was never captured, no report has it.
 */
export async function findMissing(db: Db, days: number, limit: number): Promise<Missing[]> {
  const { rows } = await sql<Missing>`
    with latest as (
      select max(least(booked_until, staged_at)) - make_interval(secs => ${days * 86_400}) as until,
        max(staged_at) - make_interval(days => ${missingWithinDays}) as since
      from settlement_report
      where kind = 'settlementDetails' and applied = lines and booked_until is not null
    ), missing as (
      select p.id as "paymentId", 'authorisation' as type, p.authorisation_reference as id,
        p.currency, p.amount, p.finished_at as at
      from payment p, latest
      where p.settlement is null and p.status = 'captured' and p.capture = 'automatic'
        and p.method <> 'recorded' and p.finished_at < latest.until
        and p.finished_at > latest.since
        and not exists (select from settlement_line l where l.record_id = p.authorisation_reference)
      union all
      select m.payment_id, m.kind, m.id, m.currency, m.amount, m.updated_at
      from operation m join payment p on p.id = m.payment_id, latest
      where m.kind in ('capture', 'refund') and m.status = 'succeeded'
        and (m.kind = 'refund' or p.capture = 'manual') and p.method <> 'recorded'
        and m.updated_at < latest.until and m.updated_at > latest.since
        and not exists (select from settlement_line l where l.record_id = m.id)
      union all
      select d.payment_id, 'dispute', d.id, taken.currency, taken.amount, taken.created_at
      from dispute d join ledger_transfer taken
        on taken.posting = 'chargeback' and taken.fact = d.id || '.chargedBack', latest
      where taken.created_at < latest.until and taken.created_at > latest.since
        and not exists (select from settlement_line l where l.record_id = d.id)
    )
    select * from missing
    where not exists (
      select from discrepancy d where d.kind = 'settlement_missing' and d.fact = missing.id)
    limit ${limit}`.execute(db)
  return rows
}

import { sql } from 'kysely'
import type { Db, Tx } from '../database/database.ts'
import { discrepancyKinds } from '../discrepancies/discrepancy.ts'
import type { Span } from './closing.ts'
import type { DiscrepancyCount, PayoutSum, PostingSum, SettledSum } from './summary.ts'

/**
 * Until the end of `tx` statements are planned for the times that they are about: a plan for any
 * times would read all of the history.
 */
export async function planForValues(tx: Tx): Promise<void> {
  await sql`set local plan_cache_mode = force_custom_plan`.execute(tx)
}

/** `since`: where what was before begins; what was earlier stands in a closing. */
export async function sumPostings(db: Db, { from, to }: Span, since: Date): Promise<PostingSum[]> {
  const { rows } = await sql<PostingSum>`
    select currency, posting, debit_account as "debitAccount", credit_account as "creditAccount",
      coalesce(sum(amount) filter (where created_at < ${from}), 0)::bigint as before,
      coalesce(sum(amount) filter (where created_at >= ${from}), 0)::bigint as during,
      count(*) filter (where created_at >= ${from}) as count
    from ledger_transfer where created_at >= ${since} and created_at < ${to}
    group by 1, 2, 3, 4 order by 1, 2`.execute(db)
  return rows
}

const ofPayments = sql.raw(`meaning in ('settled', 'refunded', 'refundReversed', 'chargedBack',
  'chargebackReversed', 'chargedBackAgain')`)

/**
 * `merchantAccount`: lines of others are none of ours. `since`: as above, also of `settledUntil`.
 */
export async function sumSettled(
  db: Db,
  merchantAccount: string,
  { from, to }: Span,
  since: Date
): Promise<SettledSum[]> {
  const { rows } = await sql<SettledSum>`
    with side as (
      select gross_currency as currency, gross, 0 as ours, created_at, 1 as line
      from settlement_line
      where created_at >= ${since} and created_at < ${to}
        and merchant_account = ${merchantAccount} and ${ofPayments}
      union all
      select our_currency, 0, ours, matched_at, 0
      from settlement_line
      where matched_at >= ${since} and matched_at < ${to} and ours is not null
    )
    select currency, coalesce(sum(line) filter (where created_at >= ${from}), 0)::bigint as lines,
      coalesce(sum(gross) filter (where created_at >= ${from}), 0)::bigint as gross,
      coalesce(sum(ours) filter (where created_at >= ${from}), 0)::bigint as ours,
      sum(ours)::bigint as "settledUntil"
    from side group by 1`.execute(db)
  return rows
}

export async function sumPayouts(
  db: Db,
  merchantAccount: string,
  { from, to }: Span
): Promise<PayoutSum[]> {
  const { rows } = await sql<PayoutSum>`
    select net_currency as currency,
      coalesce(sum(net) filter (where ${ofPayments}), 0)::bigint as payments,
      coalesce(sum(fees + other_fees) filter (where ${ofPayments}), 0)::bigint as fees,
      coalesce(sum(net) filter (where meaning = 'costs'), 0)::bigint as costs,
      coalesce(sum(net) filter (where meaning = 'carried'), 0)::bigint as carried,
      coalesce(sum(net) filter (where meaning = 'payout'), 0)::bigint as "paidOut",
      coalesce(sum(net) filter (where meaning = 'unknown'), 0)::bigint as other
    from settlement_line
    where created_at >= ${from} and created_at < ${to} and merchant_account = ${merchantAccount}
    group by 1`.execute(db)
  return rows
}

/**
 * Opened and resolved within the span, and open at its end: those that are open now, and those that
 * were resolved since. Of each kind that there was any of by then.
 */
export async function countDiscrepancies(db: Db, { from, to }: Span): Promise<DiscrepancyCount[]> {
  const { rows } = await sql<DiscrepancyCount>`
    select kind, opened.count as opened, coalesce(resolved, 0) as resolved,
      coalesce(still.open, 0) + coalesce(later.open, 0) as open
    from unnest(${discrepancyKinds}::text[]) as kind
    cross join lateral (
      select count(*) from discrepancy d
      where d.kind = kind.kind and created_at >= ${from} and created_at < ${to}
    ) opened
    left join (
      select kind, count(*) as resolved from discrepancy
      where resolved_at >= ${from} and resolved_at < ${to} and created_at < ${to} group by 1
    ) resolved using (kind)
    left join (
      select kind, count(*) as open from discrepancy
      where status = 'open' and created_at < ${to} group by 1
    ) still using (kind)
    left join (
      select kind, count(*) as open from discrepancy
      where resolved_at >= ${to} and created_at < ${to} group by 1
    ) later using (kind)
    cross join lateral (
      select d.kind as known from discrepancy d where d.kind = kind.kind and created_at < ${to}
      order by created_at limit 1
    ) first
    order by kind`.execute(db)
  return rows
}

import { type Db, statement } from '../database/database.ts'
import type { Span } from './closing.ts'
import type { SummedUp } from './three-way.ts'

/**
 * Of a transfer `t`, its payment `p` and operation `m`. `record`: what a report calls it; with
 * automatic capture it settles the authorisation. `undone`: what it undoes; of two that come before
 * any report, no report ever has either.
 */
const recordAndUndone = `
      case when t.cause_type = 'capture' and p.capture = 'automatic' then m.authorisation_reference
        when t.posting in ('payment', 'held') and t.cause_type <> 'capture' then t.fact
        else t.cause_id end as record,
      case when t.posting = 'captureFailed' and p.capture = 'manual' then t.cause_id
        when t.posting in ('captureFailed', 'reversal')
          then coalesce(m.authorisation_reference, t.fact)
        end as undone`

/**
 * $1, $2: the period of the ledger. Its movements are followed to their lines in settlement reports
 * and to what billing said of them, however much later that was; of the lines that no movement has,
 * those are added that were read in the period. The n-th line of a record is about its n-th
 * movement in that direction. All of it is one statement, and so of one moment.
 * $3: our merchant account; lines of others are none of ours.
 */
const threeWayStatement = statement<SummedUp>(`
  with paid as (
    select payment_id from ledger_transfer
    where created_at >= $1 and created_at < $2 and payment_id is not null
    union
    select payment_id from settlement_line
    where created_at >= $1 and created_at < $2 and payment_id is not null
  ), transfer as (
    select t.id, t.currency, t.posting, t.created_at, b.status,
      t.created_at >= $1 and t.created_at < $2 as here,
      t.amount * (case 'customer' when credit_account then 1 when debit_account then -1 else 0 end)
        as customer,
      t.amount * (case 'provider' when debit_account then 1 when credit_account then -1 else 0 end)
        as provider,
      'processors' in (debit_account, credit_account) as elsewhere,
      ${recordAndUndone}
    from paid
    join ledger_transfer t on t.payment_id = paid.payment_id
    join payment p on p.id = t.payment_id
    left join operation m on m.id = t.cause_id
    left join billing_posting b on b.id = t.id
  ), movement as (
    select *, provider > 0 as inward,
      row_number() over (partition by record, provider > 0 order by created_at, id) as place
    from transfer where provider <> 0
  ), line as (
    select l.id, gross_currency as currency, gross, record_id as record, inward,
      l.created_at >= $1 and l.created_at < $2 as here,
      row_number() over (partition by record_id, inward order by l.created_at, l.id) as place
    from (
      select l.* from paid join settlement_line l on l.payment_id = paid.payment_id
      union all
      select * from settlement_line
      where payment_id is null and created_at >= $1 and created_at < $2
    ) l
    cross join lateral (select
      meaning in ('settled', 'refundReversed', 'chargebackReversed') as inward) way
    where merchant_account = $3 and record_type is distinct from 'registration'
      and meaning in ('settled', 'refundReversed', 'chargebackReversed', 'refunded', 'chargedBack',
        'chargedBackAgain')
  ), met as (
    -- No joins of what has no index: windows stay as fast for a month as for a day.
    select m.*, l.id as line_id, l.gross, l.currency as line_currency, l.here as line_here,
      m.id is not null as is_ours,
      l.record is not null and bool_or(m.id is not null) over (
        partition by coalesce(m.record, l.record), coalesce(m.inward, l.inward)) as is_known
    from movement m
    full join line l
      on l.record = m.record and l.inward = m.inward and l.place = m.place
  ), waiting as (
    select *, coalesce(undone, record) as about,
      row_number() over (partition by coalesce(undone, record), undone is not null
        order by created_at, id) as turn
    from met where is_ours and line_id is null
  ), unsettled as (
    -- One that was taken and one that took it back.
    select *, count(*) over (partition by about, turn) = 2 as came_to_nothing from waiting
  ), summed as (
    select currency, 'ledger' as what, customer as amount from transfer
      where here and customer <> 0
    union all select currency, 'billing', customer from transfer
      where here and customer <> 0 and status = 'posted'
    union all select currency, case when status = 'rejected' then 'rejected'
        else 'notAcknowledgedYet' end, -customer from transfer
      where here and customer <> 0 and status is distinct from 'posted'
    union all select line_currency, 'provider', gross from met
      where line_id is not null and (case when is_ours then here else line_here end)
    union all select currency, 'takenElsewhere', -customer from transfer
      where here and customer <> 0 and elsewhere
    union all select currency, 'heldMoney', provider - customer from transfer
      where here and provider <> customer and not elsewhere
    union all select currency, case when came_to_nothing then 'cameToNothing'
        else 'notSettledYet' end, -provider from unsettled
      where here
    union all select currency, 'settledOtherwise', gross - provider from met
      where is_ours and here and currency = line_currency and gross <> provider
    union all select currency, 'settledOtherwise', -provider from met
      where is_ours and here and currency <> line_currency
    union all select line_currency, 'settledOtherwise', gross from met
      where is_ours and here and currency <> line_currency
    union all select line_currency, case when is_known then 'settledTwice' else 'unmatched' end,
        gross from met
      where not is_ours and line_here
  )
  select currency, what, count(*), sum(amount)::bigint as amount
  from summed group by currency, what`)

/**
 * All sides and reasons that there are anything of, by currency. Each movement and line counts for
 * its own time alone: what periods come to is what their parts come to.
 */
export async function sumUp(
  db: Db,
  { from, to }: Span,
  merchantAccount: string
): Promise<SummedUp[]> {
  return (await db.executeQuery(threeWayStatement(from, to, merchantAccount))).rows
}

/** Rows of each kind that one step is about, but for those of one second. */
const rowsAtOnce = 10_000

const stepStatement = statement<{ end: Date }>(`
  select least($2::timestamptz, greatest($1::timestamptz + interval '1 second', least(
    $2::timestamptz,
    (select created_at from ledger_transfer where created_at >= $1
      order by created_at offset $3 limit 1),
    (select created_at from settlement_line where created_at >= $1
      order by created_at offset $3 limit 1),
    (select matched_at from settlement_line where matched_at >= $1
      order by matched_at offset $3 limit 1),
    (select acknowledged_at from billing_posting where acknowledged_at >= $1
      order by acknowledged_at offset $3 limit 1)))) as "end"`)

/** Beyond all that is written: a clock that is ahead may have said when something was. */
const atLast = new Date('9999-12-31T00:00:00Z')

/** The parts of a span, each with so little in it that no statement about it takes long. */
export async function* stepsOf(
  db: Db,
  { from, to = atLast }: Pick<Span, 'from'> & Partial<Span>,
  rows = rowsAtOnce
): AsyncGenerator<Span> {
  for (let at = from; at < to; ) {
    const { end } = (await db.executeQuery(stepStatement(at, to, rows))).rows[0] as { end: Date }
    yield { from: at, to: end }
    at = end
  }
}

/**
 * $1, $2: from when until when it was written. A movement or line has a part in what is said of
 * others by its record; where one undoes another, by the payment.
 */
const changedDaysStatement = statement<{ day: string }>(`
  with line as (
    select payment_id, record_id, created_at from settlement_line
    where created_at >= $1 and created_at < $2
    union all
    select payment_id, record_id, created_at from settlement_line
    where matched_at >= $1 and matched_at < $2
  ), paid as materialized (
    select payment_id from line where payment_id is not null
    union
    select payment_id from ledger_transfer
    where created_at >= $1 and created_at < $2 and payment_id is not null
  ), transfer as materialized (
    select t.payment_id, t.created_at, ${recordAndUndone}
    from paid
    join ledger_transfer t on t.payment_id = paid.payment_id
    join payment p on p.id = t.payment_id
    left join operation m on m.id = t.cause_id
  ), changed as materialized (
    select payment_id, record_id as record from line where record_id is not null
    union
    select payment_id, record from transfer where created_at >= $1 and created_at < $2
  )
  select distinct (at at time zone 'UTC')::date::text as day from (
    select created_at as at from line
    union all
    select created_at from transfer where (payment_id, record) in (select * from changed)
      or payment_id in (select payment_id from transfer where undone is not null)
    union all
    select l.created_at from changed join settlement_line l on l.record_id = changed.record
    union all
    select t.created_at from billing_posting b join ledger_transfer t on t.id = b.id
    where b.acknowledged_at >= $1 and b.acknowledged_at < $2
  ) as said`)

/**
 * The days (UTC) of which anything else is to be said than before what was written within the span.
 * Those of a span are those of its parts.
 */
export async function findChangedDays(db: Db, { from, to }: Span): Promise<string[]> {
  const { rows } = await db.executeQuery(changedDaysStatement(from, to))
  return rows.map(({ day }) => day)
}

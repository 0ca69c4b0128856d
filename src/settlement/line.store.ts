/** The lines of settlement reports, each once, and whose payments they are about. */
import { sql } from 'kysely'
import { statement, type Tx } from '../database/database.ts'
import type { OurRecord } from './line-matching.ts'
import type { SettlementLine } from './settlement.ts'

/** A line that no report had before. */
export type NewLine = {
  fact: string
  /** Of the same lines of its report this is the first, the second, …: from 1. */
  occurrence: number
  line: SettlementLine
}

/** A line as `SettlementLine` has it, from the columns that say the same wherever it stands. */
export const lineOf = (bookedFrom: string) => `json_build_object('line', line,
      'merchantAccount', merchant_account, 'batch', batch, 'type', type, 'meaning', meaning,
      'pspReference', psp_reference, 'merchantReference', merchant_reference,
      'modificationReference', modification_reference,
      'modificationMerchantReference', modification_merchant_reference, 'bookedAs', booked_as,
      'zone', zone, 'unknownZone', null,
      'bookedFrom', to_char(${bookedFrom} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'bookedAt', to_char(booked_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'settledAt', to_char(settled_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'gross', json_build_object('currency', gross_currency, 'value', gross),
      'net', json_build_object('currency', net_currency, 'value', net), 'fees', fees,
      'otherFees', other_fees, 'areFeesNamed', fees_named)`

const authorisationsStatement = statement<{ reference: string; payment_id: string }>(`
  select reference, payment_id
  from authorisation where reference = any($1)`)
const paymentsStatement = statement<{ id: string }>('select id from payment where id = any($1)')

/**
 * The payment that a line is about, for each of some lines: by the provider's reference of its
 * money, which is its identity, else by ours.
 */
export async function findPaymentIds(
  tx: Tx,
  lines: readonly SettlementLine[]
): Promise<(line: SettlementLine) => string | null> {
  const references = lines.flatMap(({ pspReference }) => pspReference ?? [])
  const ours = lines.flatMap(({ merchantReference }) => merchantReference ?? [])
  const authorisations = await tx.executeQuery(authorisationsStatement([...new Set(references)]))
  const payments = await tx.executeQuery(paymentsStatement([...new Set(ours)]))
  const byReference = new Map(
    authorisations.rows.map(({ reference, payment_id }) => [reference, payment_id])
  )
  const known = new Set(payments.rows.map(({ id }) => id))
  return ({ pspReference, merchantReference }) => {
    const found = pspReference === null ? undefined : byReference.get(pspReference)
    const isOurs = merchantReference !== null && known.has(merchantReference)
    return found ?? (isOurs ? merchantReference : null)
  }
}

const registrationsStatement = statement<{ id: string }>(
  'select id from card_registration where id = any($1)'
)

/** The card registrations that some lines name by our reference. */
export async function findRegistrations(
  tx: Tx,
  lines: readonly SettlementLine[]
): Promise<Set<string>> {
  const named = lines.flatMap(({ merchantReference: id }) => (id?.startsWith('reg_') ? id : []))
  if (named.length === 0) return new Set()
  const { rows } = await tx.executeQuery(registrationsStatement([...new Set(named)]))
  return new Set(rows.map(({ id }) => id))
}

/** How many lines were matched to each record of these payments before, by `keyOf`. */
export async function countSeen(
  tx: Tx,
  paymentIds: readonly string[]
): Promise<Map<string, number>> {
  const { rows } = await sql<{ key: string; count: number }>`
    select meaning || ' ' || record_type || ' ' || record_id as key, count(*)
    from settlement_line where payment_id = any(${paymentIds}) and record_id is not null
    group by 1`.execute(tx)
  return new Map(rows.map(({ key, count }) => [key, count]))
}

/** The records of these payments that a line stands for. */
export async function findSettledRecords(
  tx: Tx,
  paymentIds: readonly string[]
): Promise<Set<string>> {
  const { rows } = await sql<{ id: string }>`
    select record_id as id from settlement_line
    where payment_id = any(${paymentIds}) and record_id is not null`.execute(tx)
  return new Set(rows.map(({ id }) => id))
}

/** What was booked for events of disputes of these payments, minor units, by the posting's fact. */
export async function findBooked(
  tx: Tx,
  paymentIds: readonly string[]
): Promise<Map<string, number>> {
  const { rows } = await sql<{ fact: string; amount: number }>`
    select fact, amount from ledger_transfer
    where payment_id = any(${paymentIds}) and cause_type = 'dispute'`.execute(tx)
  return new Map(rows.map(({ fact, amount }) => [fact, amount]))
}

/** A line with what was found of it; `ours` is signed like the line's gross amount. */
export type MatchedLine<Line extends NewLine = NewLine> = Line & {
  paymentId: string | null
  record: OurRecord | null
  ours: number | null
}

/** A line of an earlier report, or of an earlier part, that no record explained. */
export type UnmatchedLine = NewLine & { id: number; reportId: string }

const unmatchedStatement = statement<UnmatchedLine>(`
  select l.id, report_id as "reportId", encode(l.fact, 'hex') as fact, occurrence,
    ${lineOf('null::timestamptz')} as line
  from discrepancy d
  join settlement_line l on l.fact = decode(split_part(d.fact, '.', 1), 'hex')
    and l.occurrence = split_part(d.fact, '.', 2)::integer
  where d.kind = 'settlement_unmatched' and l.record_id is null and l.id > $2 and exists (
    select from payment p
    where p.updated_at >= coalesce($1, now() - interval '1 hour')
      and p.id = any(array[l.payment_id, l.merchant_reference, (
        select a.payment_id from authorisation a where a.reference = l.psp_reference)]))
  order by l.id limit $3 for update of l skip locked`)

/**
 * Up to `limit` unmatched lines after the id `after` whose payments changed since `since`, by
 * default within the last hour; locked. Those that somebody else tries at the moment are left out.
 */
export async function lockUnmatched(
  tx: Tx,
  since: Date | undefined,
  after: number,
  limit: number
): Promise<UnmatchedLine[]> {
  return (await tx.executeQuery(unmatchedStatement(since ?? null, after, limit))).rows
}

/** Fills in what lines stand for, and counts them for their reports. */
export async function saveMatches(
  tx: Tx,
  lines: ReadonlyArray<MatchedLine<UnmatchedLine>>
): Promise<void> {
  if (lines.length === 0) return
  await sql`
    with filled as (
      update settlement_line l set payment_id = x."paymentId", record_type = x.record->>'type',
        record_id = x.record->>'id', our_currency = x.record->'amount'->>'currency', ours = x.ours,
        matched_at = now()
      from jsonb_to_recordset(${JSON.stringify(lines)}::jsonb)
        as x(id bigint, "paymentId" text, record jsonb, ours bigint)
      where l.id = x.id returning l.report_id
    )
    update settlement_report r set matched = matched + filled.lines
    from (select report_id, count(*) as lines from filled group by 1) filled
    where r.id = filled.report_id`.execute(tx)
}

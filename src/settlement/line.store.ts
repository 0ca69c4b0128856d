/** The lines of settlement reports, each once, and whose payments they are about. */
import { sql } from 'kysely'
import { statement, type Tx } from '../database/database.ts'
import type { OurRecord } from './line-matching.ts'
import type { SettlementLine } from './settlement.ts'

/** A line that no report had before. */
export type NewLine = {
  fact: string
  /** The how many-th of the same lines in its report it is. */
  occurrence: number
  line: SettlementLine
}

const newLinesStatement = statement<NewLine>(`
  with part as (
    select line, fact, content, 1 + (
      select count(*)::integer from settlement_staged e
      where e.report_id = s.report_id and e.fact = s.fact and e.line < s.line) as occurrence
    from settlement_staged s
    where s.report_id = $1 and s.line > $2 and s.line <= $3
  )
  select encode(fact, 'hex') as fact, occurrence, content as line from part
  where not exists (
    select from settlement_line l where l.fact = part.fact and l.occurrence = part.occurrence)
  order by line`)

/** The staged lines after the `after`-th and up to the `upTo`-th that are new. */
export async function findNewLines(
  tx: Tx,
  reportId: string,
  after: number,
  upTo: number
): Promise<NewLine[]> {
  return (await tx.executeQuery(newLinesStatement(reportId, after, upTo))).rows
}

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

/** How often each fact of these payments was in a report before, by its key (`keyOf`). */
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

/** What was booked for the news of disputes of these payments, minor units, by its fact. */
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
export type MatchedLine = NewLine & {
  paymentId: string | null
  record: OurRecord | null
  ours: number | null
}

const insertStatement = statement(`
  insert into settlement_line (report_id, line, fact, occurrence, merchant_account, batch, type,
    meaning, psp_reference, merchant_reference, modification_reference,
    modification_merchant_reference, booked_as, zone, booked_at, gross_currency, gross,
    net_currency, net, fees, payment_id, record_type, record_id, our_currency, ours)
  select $1, l.line, decode(fact, 'hex'), occurrence, "merchantAccount", batch, l.type, meaning,
    "pspReference", "merchantReference", "modificationReference", "modificationMerchantReference",
    "bookedAs", zone, "bookedAt", gross->>'currency', (gross->>'value')::bigint, net->>'currency',
    (net->>'value')::bigint, fees, "paymentId", record->>'type', record->>'id',
    record->'amount'->>'currency', ours
  from jsonb_to_recordset($2::jsonb) as x(fact text, occurrence integer, line jsonb,
    "paymentId" text, record jsonb, ours bigint)
  cross join jsonb_to_record(x.line) as l(line integer, "merchantAccount" text, batch text,
    type text, meaning text, "pspReference" text, "merchantReference" text,
    "modificationReference" text, "modificationMerchantReference" text, "bookedAs" text, zone text,
    "bookedAt" timestamptz, gross jsonb, net jsonb, fees bigint)`)

export async function insertLines(
  tx: Tx,
  reportId: string,
  lines: readonly MatchedLine[]
): Promise<void> {
  if (lines.length === 0) return
  await tx.executeQuery(insertStatement(reportId, JSON.stringify(lines)))
}

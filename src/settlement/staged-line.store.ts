/** The lines of a report that is read, aside until it is known to be whole and they are applied. */
import { isBreachOf } from '../database/breach.ts'
import { type Db, statement, type Tx } from '../database/database.ts'
import { lineOf, type MatchedLine, type NewLine } from './line.store.ts'
import type { SettlementLine } from './settlement.ts'

type Cell = string | number | boolean | null

/** The columns of a line, and what each holds; `report_id` and `line` go before them. */
const cellsOf = {
  fact: ({ fact }) => `\\x${fact}`,
  is_ours: ({ isOurs }) => isOurs,
  is_repeated: ({ isRepeated }) => isRepeated,
  merchant_account: ({ line }) => line.merchantAccount,
  batch: ({ line }) => line.batch,
  type: ({ line }) => line.type,
  meaning: ({ line }) => line.meaning,
  psp_reference: ({ line }) => line.pspReference,
  merchant_reference: ({ line }) => line.merchantReference,
  modification_reference: ({ line }) => line.modificationReference,
  modification_merchant_reference: ({ line }) => line.modificationMerchantReference,
  booked_as: ({ line }) => line.bookedAs,
  zone: ({ line }) => line.zone,
  booked_at: ({ line }) => line.bookedAt,
  booked_from: ({ line }) => line.bookedFrom,
  settled_at: ({ line }) => line.settledAt,
  gross_currency: ({ line }) => line.gross.currency,
  gross: ({ line }) => line.gross.value,
  net_currency: ({ line }) => line.net.currency,
  net: ({ line }) => line.net.value,
  fees: ({ line }) => line.fees,
  other_fees: ({ line }) => line.otherFees,
  fees_named: ({ line }) => line.areFeesNamed
} as const satisfies Record<string, (staged: StagedLine) => Cell>

export type StagedLine = {
  /** SHA-256, hexadecimal. */
  fact: string
  /** It may be about a payment of our merchant account, so that rules decide on it. */
  isOurs: boolean
  /** A line before it may be the same; where this is false there is none. */
  isRepeated: boolean
  line: SettlementLine
}

const cells = Object.values(cellsOf)
const copyStatement = statement(
  `copy settlement_staged (report_id, line, ${Object.keys(cellsOf).join(', ')}) from stdin`
)

const special = /[\\\t\n\r]/
const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r'
}
const escaped = (text: string) =>
  special.test(text) ? text.replace(/[\\\t\n\r]/g, (one) => escapes[one] ?? one) : text

/** A line in the text format of COPY. */
export function toCopied(reportId: string, staged: StagedLine): string {
  let row = `${reportId}\t${staged.line.line}`
  for (const cellOf of cells) {
    const cell = cellOf(staged)
    row += cell === null ? '\t\\N' : typeof cell === 'string' ? `\t${escaped(cell)}` : `\t${cell}`
  }
  return `${row}\n`
}

/** Keeps lines aside, each as `toCopied` has it. */
export async function stageLines(tx: Tx, copied: Buffer): Promise<void> {
  await tx.executeQuery(copyStatement(copied))
}

const countStatement = statement<{ all: number; staged: number }>(
  'select count(*) as all, count(is_ours) as staged from settlement_staged where report_id = $1'
)

/** How many lines of a report are kept; 0 where the last release has kept some, in its own way. */
export async function countStaged(db: Db, reportId: string): Promise<number> {
  const { rows } = await db.executeQuery(countStatement(reportId))
  const { all, staged } = rows[0] ?? { all: 0, staged: 0 }
  return all === staged ? all : 0
}

// Planned each time: a plan that was kept for a report of a few lines reads all of one of millions.

const partStatement = statement<{ lines: number; last: number | null }>(`/* planned each time */
  select count(*) as lines, max(line) as last
  from (
    select line, is_ours, count(*) filter (where is_ours) over (order by line) as ours
    from settlement_staged where report_id = $1 and line > $2 and line <= $3
  ) part
  where ours <= $4 and is_ours is not null`)

/**
 * How many lines after the `after`-th are applied together: `most.lines`, but for the last ones,
 * with `most.ours` of ours among them. Throws where one is missing.
 */
export async function measurePart(
  tx: Tx,
  reportId: string,
  after: number,
  most: { lines: number; ours: number }
): Promise<number> {
  const values = [reportId, after, after + most.lines, most.ours]
  const { rows } = await tx.executeQuery(partStatement(...values))
  const { lines, last } = rows[0] ?? { lines: 0, last: null }
  if (lines === 0 || last !== after + lines) throw new Error(`line ${after + 1} is not staged`)
  return lines
}

/** Of the lines that are the same in their report: this is the first, the second, …: from 1. */
const occurrence = `case when s.is_repeated then 1 + (
    select count(*)::integer from settlement_staged e
    where e.report_id = s.report_id and e.fact = s.fact and e.line < s.line) else 1 end`

const newOursStatement = statement<NewLine>(`/* planned each time */
  select encode(fact, 'hex') as fact, occurrence, content as line
  from (
    select line as place, fact, ${occurrence} as occurrence, ${lineOf('booked_from')} as content
    from settlement_staged s
    where report_id = $1 and line > $2 and line <= $3 and is_ours
  ) part
  where (
    select l.id from settlement_line l where l.fact = part.fact and l.occurrence = part.occurrence
  ) is null
  order by place`)

/** Which lines of a report are meant: after the `after`-th and up to the `upTo`-th. */
export type Part = { reportId: string; after: number; upTo: number }

/** Our lines that no report had before, each with what makes it known. */
export async function findNewOurs(tx: Tx, { reportId, after, upTo }: Part): Promise<NewLine[]> {
  return (await tx.executeQuery(newOursStatement(reportId, after, upTo))).rows
}

const paidOut = `jsonb_to_recordset($2::jsonb) as paid("merchantAccount" text, batch text,
    "settledAt" timestamptz)`
const isPaid = `paid."merchantAccount" = s.merchant_account and paid.batch = s.batch`
const kept = `report_id, line, fact, occurrence, merchant_account, batch, type, meaning,
    psp_reference, merchant_reference, modification_reference, modification_merchant_reference,
    booked_as, zone, booked_at, settled_at, gross_currency, gross, net_currency, net, fees,
    other_fees, fees_named`
const asKept = (occurrence: string) => `s.report_id, s.line, s.fact, ${occurrence},
    s.merchant_account, s.batch, s.type, s.meaning, s.psp_reference, s.merchant_reference,
    s.modification_reference, s.modification_merchant_reference, s.booked_as, s.zone, s.booked_at,
    coalesce(s.settled_at, paid."settledAt"), s.gross_currency, s.gross, s.net_currency, s.net,
    s.fees, s.other_fees, s.fees_named`

const othersText = `/* planned each time */
  insert into settlement_line (${kept})
  select ${asKept(occurrence)}
  from settlement_staged s left join ${paidOut} on ${isPaid}
  where s.report_id = $1 and s.line > $3 and s.line <= $4 and not s.is_ours`
const newOthersStatement = statement(othersText)
const othersStatement = statement(`${othersText} on conflict (fact, occurrence) do nothing`)

/** When batches were paid out: of lines that do not say when they were settled. */
export type Payouts = ReadonlyArray<{ merchantAccount: string; batch: string; settledAt: string }>

/** Keeps the lines that concern nobody here, but for those that an earlier report had. */
export async function insertOthers(tx: Tx, part: Part, payouts: Payouts): Promise<void> {
  await tx.executeQuery(othersStatement(...valuesOf(part, payouts)))
}

/** The same in less time, where no report had one of them: else it fails, by `isKnownLine`. */
export async function insertNewOthers(tx: Tx, part: Part, payouts: Payouts): Promise<void> {
  await tx.executeQuery(newOthersStatement(...valuesOf(part, payouts)))
}

const valuesOf = ({ reportId, after, upTo }: Part, payouts: Payouts) =>
  [reportId, JSON.stringify(payouts), after, upTo] as const

export const isKnownLine = (error: unknown): boolean =>
  isBreachOf('settlement_line_fact_once', error)

const oursStatement = statement(`/* planned each time */
  insert into settlement_line (${kept},
    payment_id, record_type, record_id, our_currency, ours, matched_at)
  select ${asKept('x.occurrence')}, x."paymentId", x.record->>'type', x.record->>'id',
    x.record->'amount'->>'currency', x.ours, case when x.record is not null then $4::timestamptz end
  from jsonb_to_recordset($3::jsonb) as x(line integer, occurrence integer, "paymentId" text,
    record jsonb, ours bigint)
  join settlement_staged s on s.report_id = $1 and s.line = x.line
  left join ${paidOut} on ${isPaid}`)

/** Keeps lines of ours with what was found of them; fails where another report has one by now. */
export async function insertOurs(
  tx: Tx,
  reportId: string,
  lines: readonly MatchedLine[],
  payouts: Payouts,
  now: Date
): Promise<void> {
  if (lines.length === 0) return
  const rows = lines.map(({ line, occurrence, paymentId, record, ours }) => {
    return { line: line.line, occurrence, paymentId, record, ours }
  })
  const values = [reportId, JSON.stringify(payouts), JSON.stringify(rows), now]
  await tx.executeQuery(oursStatement(...values))
}

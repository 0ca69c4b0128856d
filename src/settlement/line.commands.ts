import type { Tx } from '../database/database.ts'
import { findToldMissing, openOrphans, saveResolved } from '../discrepancies/discrepancy.store.ts'
import { recordResolved } from '../discrepancies/discrepancy.ts'
import { newId } from '../id.ts'
import { lockAggregates, readClock, saveAggregates } from '../lifecycle/aggregate.store.ts'
import type { PaymentAggregate } from '../lifecycle/model.ts'
import {
  countSeen,
  findBooked,
  findNewLines,
  findPaymentIds,
  insertLines,
  type MatchedLine,
  type NewLine
} from './line.store.ts'
import { type LineDiscrepancy, matchLine, unmatched } from './line-matching.ts'
import { meanings, type ReportKind, type SettlementLine } from './settlement.ts'

export type Applying = {
  reportId: string
  kind: ReportKind
  providerName: string
  /** Lines of other merchant accounts are kept, and concern nobody here. */
  merchantAccount: string
}

export type Applied = {
  matched: number
  discrepancies: number
  /** When the last of our lines was booked (RFC 3339); null where none says so. */
  bookedUntil: string | null
}

type Orphan = LineDiscrepancy & { fact: string }

/**
 * Applies the staged lines after the `after`-th and up to the `upTo`-th: each is matched to a fact
 * of ours, or told to a person; one that another report had already changes nothing. `isBlind`: it
 * could not be applied to its payment, so it is only told.
 */
export async function applyLines(
  tx: Tx,
  applying: Applying,
  [after, upTo]: readonly [after: number, upTo: number],
  isBlind = false
): Promise<Applied> {
  const { reportId, kind, providerName } = applying
  const lines = await findNewLines(tx, reportId, after, upTo)
  const concerned = lines.map(({ line }) => line).filter((line) => isOurs(line, applying))
  const paymentIdOf = await findPaymentIds(tx, concerned)
  const ids = isBlind ? [] : [...new Set(concerned.flatMap((line) => paymentIdOf(line) ?? []))]
  const aggregates = await lockAggregates(tx, ids)
  const known = { seen: await countSeen(tx, ids), booked: await findBooked(tx, ids) }
  const context = { now: await readClock(tx), newId }
  const orphans: Orphan[] = []
  const matched: MatchedLine[] = []
  let discrepancies = 0
  for (const one of inCourse(lines)) {
    const { line } = one
    const paymentId = isOurs(line, applying) ? paymentIdOf(line) : null
    const aggregate = paymentId === null ? undefined : aggregates.get(paymentId)
    const fact = factOfDiscrepancy(one)
    const found = aggregate && matchLine(aggregate, line, fact, known, context)
    const isOrphan = aggregate === undefined && isMoney(line) && isOurs(line, applying)
    if (isOrphan) orphans.push({ fact, ...unmatched(line) })
    if (isOrphan || found?.discrepancy) discrepancies += 1
    const record = found?.record ?? null
    // What is settled once more is nothing that we have.
    const isDoubled = found?.discrepancy?.kind === 'settlement_doubled'
    const sign = isDoubled ? 0 : meanings[line.meaning].sign
    const ours = record && sign * record.amount.value
    matched.push({ ...one, paymentId: aggregate === undefined ? null : paymentId, record, ours })
  }
  await closeMissing(tx, aggregates, matched, context)
  await saveAggregates(tx, [...aggregates.values()], providerName)
  if (kind === 'settlementDetails') await insertLines(tx, reportId, matched)
  await openOrphans(tx, orphans)
  const times = concerned.map(({ bookedAt }) => bookedAt ?? '')
  const bookedUntil = times.sort().at(-1) || null
  return {
    matched: matched.filter(({ record }) => record !== null).length,
    discrepancies,
    bookedUntil
  }
}

/** What gives back or takes back comes after what it rests on, wherever the file has it. */
function inCourse(lines: readonly NewLine[]): NewLine[] {
  const isLater = ({ line: { meaning } }: NewLine) =>
    meaning !== 'settled' && meaning !== 'authorised'
  return lines.toSorted((one, other) => Number(isLater(one)) - Number(isLater(other)))
}

/** Stable: the same line in another file has the same. */
function factOfDiscrepancy({ fact, occurrence }: NewLine): string {
  return `${fact}.${occurrence}`
}

/** Whether the line may be about a payment of this merchant account. */
function isOurs(line: SettlementLine, { merchantAccount }: Applying): boolean {
  return (
    line.merchantAccount === merchantAccount && (isMoney(line) || line.meaning === 'authorised')
  )
}

/** What somebody must explain: money of a payment, or of a type that nobody here knows. */
function isMoney({ meaning, gross, net }: SettlementLine): boolean {
  if (meaning === 'unknown') return gross.value !== 0 || net.value !== 0
  return meanings[meaning].sign !== 0
}

/** What was told to be missing has come: nobody needs to decide about it. */
async function closeMissing(
  tx: Tx,
  aggregates: ReadonlyMap<string, PaymentAggregate>,
  lines: readonly MatchedLine[],
  context: Parameters<typeof matchLine>[4]
): Promise<void> {
  const settled = lines.filter(({ record }) => record !== null)
  if (settled.length === 0) return
  const told = await findToldMissing(tx, [...aggregates.keys()])
  const decision = { resolution: 'settled', reason: null, operator: null } as const
  const closed: string[] = []
  for (const { paymentId, record } of settled) {
    const { id, isOpen } = told.get(record?.id ?? '') ?? {}
    const aggregate = aggregates.get(paymentId ?? '')
    if (id === undefined || !isOpen || aggregate === undefined || closed.includes(id)) continue
    closed.push(id)
    recordResolved(aggregate, { id, kind: 'settlement_missing' }, decision, context)
  }
  if (closed.length > 0) await saveResolved(tx, closed, decision)
}

import { readClock, type Tx } from '../database/database.ts'
import { resolveByItself } from '../discrepancies/resolution.commands.ts'
import { openUnattached } from '../discrepancies/unattached.store.ts'
import { newId } from '../id.ts'
import { lockAggregates, saveAggregates } from '../lifecycle/aggregate.store.ts'
import { openDiscrepancy } from '../lifecycle/aggregate.ts'
import type { LifecycleContext, PaymentAggregate } from '../lifecycle/model.ts'
import {
  countSeen,
  findBooked,
  findPaymentIds,
  findRegistrations,
  type MatchedLine,
  type NewLine,
  saveMatches,
  type UnmatchedLine
} from './line.store.ts'
import {
  type Known,
  type Matched,
  matchLine,
  matchRegistration,
  unmatched
} from './line-matching.ts'
import {
  batchOf,
  isMoney,
  meanings,
  type ReportKind,
  readBatch,
  type SettlementLine
} from './settlement.ts'
import {
  findNewOurs,
  insertOthers,
  insertOurs,
  type Part,
  type Payouts
} from './staged-line.store.ts'

type Applying = {
  kind: ReportKind
  /** When batches of the report were paid out, by `batchOf`. */
  payouts: Readonly<Record<string, string>>
  providerName: string
}

/** `all`: of the part; `ours`: the others are kept already; `shown`: all, and ours only shown. */
export type Extent = 'all' | 'ours' | 'shown'

type Applied = {
  matched: number
  discrepancies: number
  /** When the last of our lines was booked, at the earliest (RFC 3339); null where none says so. */
  bookedUntil: string | null
}

/** The payments of some lines, locked until the end of the transaction. */
type Payments = {
  aggregates: ReadonlyMap<string, PaymentAggregate>
  aggregateOf: (line: SettlementLine) => PaymentAggregate | undefined
  /** Card registrations that the lines name. */
  registrations: ReadonlySet<string>
  known: Known
  context: LifecycleContext
}

type Found<Line extends NewLine> = MatchedLine<Line> & Pick<Matched, 'discrepancy'>

/**
 * Applies the staged lines of a part: those of ours are each matched to a record of ours, or shown
 * to a person; the others are kept as they are; one that an earlier report had changes nothing.
 * They are only shown where they could not be applied to their payment.
 */
export async function applyLines(
  tx: Tx,
  { kind, payouts, providerName }: Applying,
  part: Part,
  extent: Extent
): Promise<Applied> {
  const ours = (await findNewOurs(tx, part)).map((one) => {
    const settledAt = one.line.settledAt ?? payouts[batchOf(one.line)] ?? null
    return { ...one, line: { ...one.line, settledAt } }
  })
  const payments = await lockPayments(tx, extent === 'shown' ? [] : ours)
  const found = inCourse(ours).map((one) => matchOne(payments, one))
  await openFound(tx, payments, found)
  await closeMissing(tx, payments, found)
  await saveAggregates(tx, [...payments.aggregates.values()], providerName)
  if (kind === 'settlementDetails') {
    const paid = toPayouts(payouts)
    if (extent !== 'ours') await insertOthers(tx, part, paid)
    await insertOurs(tx, part.reportId, found, paid, payments.context.now)
  }
  const times = ours.map(({ line }) => line.bookedFrom ?? line.bookedAt ?? '')
  return {
    matched: found.filter(isMatched).length,
    discrepancies: found.filter(({ discrepancy }) => discrepancy !== null).length,
    bookedUntil: times.sort().at(-1) || null
  }
}

/** When batches were paid out, for statements. */
export function toPayouts(payouts: Applying['payouts']): Payouts {
  return Object.entries(payouts).map(([key, settledAt]) => ({ ...readBatch(key), settledAt }))
}

/**
 * Matches lines that no record explained when they were read, and resolves what was opened about
 * them. Answers how many; the others stay as they are.
 */
export async function rematch(
  tx: Tx,
  providerName: string,
  lines: readonly UnmatchedLine[]
): Promise<number> {
  const payments = await lockPayments(tx, lines)
  const found = inCourse(lines)
    .map((one) => matchOne(payments, one))
    .filter(isMatched)
  await openFound(tx, payments, found)
  const { aggregates, context } = payments
  const subjects = found.map(subjectOf)
  await resolveByItself(tx, 'settlement_unmatched', subjects, 'matched', aggregates, context)
  await closeMissing(tx, payments, found)
  await saveAggregates(tx, [...aggregates.values()], providerName)
  await saveMatches(tx, found)
  return found.length
}

async function lockPayments(tx: Tx, lines: readonly NewLine[]): Promise<Payments> {
  const all = lines.map(({ line }) => line)
  const paymentIdOf = await findPaymentIds(tx, all)
  const ids = [...new Set(all.flatMap((line) => paymentIdOf(line) ?? []))]
  const aggregates = await lockAggregates(tx, ids)
  return {
    aggregates,
    aggregateOf: (line) => aggregates.get(paymentIdOf(line) ?? ''),
    registrations: await findRegistrations(tx, all),
    known: { seen: await countSeen(tx, ids), booked: await findBooked(tx, ids) },
    context: { now: await readClock(tx), newId }
  }
}

function matchOne<Line extends NewLine>(payments: Payments, one: Line): Found<Line> {
  const { line } = one
  const aggregate = payments.aggregateOf(line)
  const { record, discrepancy } =
    aggregate === undefined
      ? matchAlone(payments, line)
      : matchLine(aggregate, line, payments.known, payments.context)
  // What is settled once more is nothing that we have.
  const isDoubled = discrepancy?.kind === 'settlement_doubled'
  const sign = isDoubled ? 0 : meanings[line.meaning].sign
  const ours = record && sign * record.amount.value
  return { ...one, paymentId: aggregate?.payment.id ?? null, record, ours, discrepancy }
}

/** A line about no payment that is known here. */
function matchAlone({ registrations }: Payments, line: SettlementLine): Matched {
  const { merchantReference: id } = line
  if (id !== null && registrations.has(id)) return matchRegistration(line, id)
  return { record: null, discrepancy: isMoney(line) ? unmatched(line) : null }
}

const isMatched = ({ record }: Found<NewLine>) => record !== null

/** Lines in the course of a payment, wherever the file has them: a refund rests on its sale. */
function inCourse<Line extends NewLine>(lines: readonly Line[]): Line[] {
  const rankOf = ({ line }: NewLine) => meanings[line.meaning].rank
  return lines.toSorted((one, other) => rankOf(one) - rankOf(other))
}

/** What a discrepancy about a line goes by: the same line in another file has the same. */
function subjectOf({ fact, occurrence }: NewLine): string {
  return `${fact}.${occurrence}`
}

async function openFound(
  tx: Tx,
  { aggregateOf, context }: Payments,
  found: ReadonlyArray<Found<NewLine>>
): Promise<void> {
  const unattached = found.flatMap((one) => {
    if (one.discrepancy === null) return []
    const { kind, details } = one.discrepancy
    const fact = subjectOf(one)
    const aggregate = aggregateOf(one.line)
    if (aggregate === undefined) return [{ kind, fact, details }]
    openDiscrepancy(aggregate, kind, fact, details, context)
    return []
  })
  await openUnattached(tx, unattached)
}

/** Records that no report had until now are missing no longer. */
async function closeMissing(
  tx: Tx,
  { aggregates, context }: Payments,
  found: ReadonlyArray<Found<NewLine>>
): Promise<void> {
  const ids = found.flatMap(({ record }) => record?.id ?? [])
  await resolveByItself(tx, 'settlement_missing', ids, 'settled', aggregates, context)
}

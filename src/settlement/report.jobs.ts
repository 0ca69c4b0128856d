import { hash } from 'node:crypto'
import { type Db, isUnavailable, type Tx } from '../database/database.ts'
import { findMissing, findToldMissing, type Missing } from '../discrepancies/discrepancy.store.ts'
import { release } from '../due/due.store.ts'
import { type Batch, type OnFault, runBatch } from '../due/run-each.ts'
import { newId } from '../id.ts'
import { lockAggregates, readClock, saveAggregates } from '../lifecycle/aggregate.store.ts'
import { openDiscrepancy } from '../lifecycle/aggregate.ts'
import { applyLines } from './line.commands.ts'
import { findSettledRecords } from './line.store.ts'
import {
  beginReading,
  claimReport,
  type DueReport,
  endReport,
  markStaged,
  postponeReport,
  readApplied,
  readContent,
  reportAttemptsMax,
  reportsToRead,
  saveProgress,
  stageLines
} from './report.store.ts'
import {
  createBatchCheck,
  factOf,
  type ReadReport,
  ReportFault,
  type ReportKind
} from './settlement.ts'

export type ReportJobDeps = {
  db: Db
  providerName: string
  merchantAccount: string
  readReport: ReadReport
  /** How long after its capture a report must have a payment, days. */
  settlementMissingDays: number
  /** Whether to stop: another instance, or the next start, goes on. */
  isStopping: () => boolean
  onFault: OnFault
  onProgress: (reportId: string, progress: { lines: number; applied: number }) => void
}

/** Lines that are applied in one transaction: each payment is locked once for all. */
const linesAtOnce = 200
const progressEvery = 50_000

/** The round ends early, for another to go on: the report is not ours any more, or we stop. */
class Interrupted extends Error {}

/** Reads and applies a report that is due: one round, which answers whether there was one. */
export async function readReports(deps: ReportJobDeps): Promise<number> {
  if (deps.isStopping()) return 0
  const due = await claimReport(deps.db, reportsToRead)
  if (due === undefined) return 0
  try {
    const staged = due.isStaged ? due : await stage(deps, due)
    await apply(deps, staged)
    if (staged.kind === 'settlementDetails') await tellMissing(deps)
    await endReport(deps.db, due, null)
  } catch (error) {
    await giveBack(deps, due, error)
  }
  return 1
}

/** After the last attempt it is refused: somebody must mend what is wrong, and upload it again. */
async function giveBack(deps: ReportJobDeps, due: DueReport, error: unknown): Promise<void> {
  const { db } = deps
  if (error instanceof Interrupted) return void (await release(db, reportsToRead, due))
  if (error instanceof ReportFault) return await endReport(db, due, error.message)
  deps.onFault({ reportId: due.id }, error)
  if (isUnavailable(error)) return
  if (due.attempts < reportAttemptsMax) {
    return await postponeReport(db, due, 'It could not be read, and is tried again.')
  }
  const fault = `It could not be read, ${due.attempts} times. The log has the cause: mend it, and \
upload the report again. Lines that were applied stay so.`
  await endReport(db, due, fault)
}

type Staged = DueReport & { kind: ReportKind }

/** Reads the whole report and keeps its lines aside: a `ReportFault` where it is not whole. */
async function stage(deps: ReportJobDeps, due: DueReport): Promise<Staged> {
  const { db } = deps
  await beginReading(db, due)
  const check = createBatchCheck()
  let kind: ReportKind | undefined
  let lines = 0
  for await (const piece of deps.readReport(readContent(db, due.id))) {
    kind = piece.kind
    for (const line of piece.lines) check.add(line)
    const staged = piece.lines.map((line) => ({ fact: hash('sha256', factOf(line)), line }))
    const unknown = piece.lines.filter(({ meaning }) => meaning === 'unknown')
    const unknownTypes = [...new Set(unknown.map(({ type }) => type.slice(0, 80)))]
    const progress = { lines: staged.length, kind, unknownTypes }
    await db.transaction().execute(async (tx) => {
      await hold(deps, await saveProgress(tx, due, progress))
      await stageLines(tx, due.id, staged)
    })
    lines += staged.length
    if (lines % progressEvery === 0) deps.onProgress(due.id, { lines, applied: 0 })
  }
  const fault = kind === 'settlementDetails' ? check.findFault() : undefined
  if (fault !== undefined) throw new ReportFault(fault)
  await markStaged(db, due)
  return { ...due, kind: kind as ReportKind, lines, applied: 0 }
}

/** A part at a time; one that fails is applied line by line, so that a bad line stands alone. */
async function apply(deps: ReportJobDeps, staged: DueReport): Promise<void> {
  const { id, lines } = staged
  const part: Batch<number> = {
    size: linesAtOnce,
    take: (tx, limit, only) => findUnapplied(tx, staged, limit, only),
    work: (tx, rows) => applyPart(tx, deps, staged, rows, false),
    setAside: (tx, row) => applyPart(tx, deps, staged, [row], true),
    onFault: (line, error) => deps.onFault({ reportId: id, line }, error),
    isOver: (error) => error instanceof Interrupted || isUnavailable(error)
  }
  for (let { applied } = staged; applied < lines; ) {
    const count = await runBatch(deps.db, part)
    if (count === 0) throw new Error(`line ${applied} could not be applied`)
    applied += count
    if (applied % progressEvery === 0) deps.onProgress(id, { lines, applied })
  }
}

/** The next lines, from 0, all before them being applied; or `only` this one, if it is next. */
async function findUnapplied(
  tx: Tx,
  staged: DueReport,
  limit: number,
  only?: number
): Promise<number[]> {
  const applied = await readApplied(tx, staged)
  if (applied === undefined) throw new Interrupted()
  if (only !== undefined && only !== applied) return []
  const length = Math.min(limit, staged.lines - applied)
  return Array.from({ length }, (_, place) => applied + place)
}

async function applyPart(
  tx: Tx,
  deps: ReportJobDeps,
  staged: DueReport,
  rows: readonly number[],
  isBlind: boolean
): Promise<void> {
  const { providerName, merchantAccount } = deps
  const kind = staged.kind ?? 'settlementDetails'
  const applying = { reportId: staged.id, kind, providerName, merchantAccount }
  const range = [rows[0] as number, (rows.at(-1) as number) + 1] as const
  const result = await applyLines(tx, applying, range, isBlind)
  await hold(deps, await saveProgress(tx, staged, { ...result, applied: rows.length }))
}

async function hold({ isStopping }: ReportJobDeps, isHeld: boolean): Promise<void> {
  if (!isHeld || isStopping()) throw new Interrupted()
}

const missingAtOnce = 200

/** Opens a discrepancy for all money that no report has; answers how many. */
export async function tellMissing(
  deps: Pick<ReportJobDeps, 'db' | 'providerName' | 'settlementMissingDays'>
): Promise<number> {
  let count = 0
  for (let found = missingAtOnce; found === missingAtOnce; ) {
    const missing = await findMissing(deps.db, deps.settlementMissingDays, missingAtOnce)
    found = missing.length
    const told = found === 0 ? 0 : await tell(deps, missing)
    // What a report has since is not told; it is not found again either.
    count += told
    if (told === 0) break
  }
  return count
}

async function tell(
  { db, providerName }: Pick<ReportJobDeps, 'db' | 'providerName'>,
  missing: readonly Missing[]
): Promise<number> {
  return await db.transaction().execute(async (tx) => {
    const ids = [...new Set(missing.map(({ paymentId }) => paymentId))]
    const aggregates = await lockAggregates(tx, ids)
    // Another instance, or the report that is read, may have told it meanwhile.
    const known = new Set((await findToldMissing(tx, ids)).keys())
    const seen = await findSettledRecords(tx, ids)
    const context = { now: await readClock(tx), newId }
    let count = 0
    for (const { paymentId, type, fact, currency, amount, at } of missing) {
      const aggregate = aggregates.get(paymentId)
      if (aggregate === undefined || known.has(fact) || seen.has(fact)) continue
      const ours = { type, id: fact, amount: { currency, value: amount }, at: at.toISOString() }
      openDiscrepancy(aggregate, 'settlement_missing', fact, { ours, theirs: null }, context)
      count += 1
    }
    await saveAggregates(tx, [...aggregates.values()], providerName)
    return count
  })
}

import { hash } from 'node:crypto'
import type { Tx } from '../database/database.ts'
import { isUnavailable } from '../database/unavailable.ts'
import { release } from '../due/due.store.ts'
import { type Batch, type OnFault, runBatch } from '../due/run-each.ts'
import { applyLines } from './line.commands.ts'
import { type MissingDeps, openMissing } from './missing.commands.ts'
import { rematchLines } from './rematch.commands.ts'
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
  batchOf,
  checkLine,
  createBatchCheck,
  factOf,
  type ReadReport,
  ReportFault,
  type ReportKind
} from './settlement.ts'

export type ReportJobDeps = MissingDeps & {
  merchantAccount: string
  readReport: ReadReport
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
    if (due.attempts > reportAttemptsMax) throw new Error('The process ended in the middle of it.')
    const staged = due.isStaged ? due : await stage(deps, due)
    await apply(deps, staged)
    if (staged.kind === 'settlementDetails') await compareAll(deps, due)
    await endReport(deps.db, due, null)
  } catch (error) {
    await giveBack(deps, due, error)
  }
  return 1
}

/** What the report says of lines and records before it. It is done again by the hour. */
async function compareAll(deps: ReportJobDeps, due: DueReport): Promise<void> {
  try {
    await rematchLines(deps, due.createdAt)
    await openMissing(deps)
  } catch (error) {
    deps.onFault({ reportId: due.id }, error)
  }
}

const triedAgain = 'This service could not read it to its end, and tries again.'
const givenUp =
  'This service could not read it to its end, and its operators were informed. Once that is ' +
  'mended, upload it again: lines that were applied are not applied twice.'

/** After the last attempt it is refused: somebody must mend what is wrong, and upload it again. */
async function giveBack(deps: ReportJobDeps, due: DueReport, error: unknown): Promise<void> {
  const { db } = deps
  if (error instanceof Interrupted) return void (await release(db, reportsToRead, due))
  deps.onFault({ reportId: due.id }, error)
  if (error instanceof ReportFault) return await endReport(db, due, error.message)
  if (isUnavailable(error)) return
  if (due.attempts >= reportAttemptsMax) return await endReport(db, due, givenUp)
  await postponeReport(db, due, triedAgain)
}

type Staged = DueReport & { kind: ReportKind }

/** Reads the whole report and keeps its lines aside: a `ReportFault` where it is not whole. */
async function stage(deps: ReportJobDeps, due: DueReport): Promise<Staged> {
  const { db } = deps
  await beginReading(db, due)
  const check = createBatchCheck()
  const payouts: DueReport['payouts'] = {}
  let kind: ReportKind | undefined
  let lines = 0
  for await (const piece of deps.readReport(readContent(db, due.id))) {
    kind = piece.kind
    for (const line of piece.lines) {
      checkLine(line)
      check.add(line)
      const { meaning, settledAt } = line
      const batch = batchOf(line)
      const isLater = settledAt !== null && settledAt > (payouts[batch] ?? '')
      if (meaning === 'payout' && isLater) payouts[batch] = settledAt
    }
    const staged = piece.lines.map((line) => ({ fact: hash('sha256', factOf(line)), line }))
    const unknown = piece.lines.filter(({ meaning }) => meaning === 'unknown')
    const unknownTypes = [...new Set(unknown.map(({ type }) => type.slice(0, 80)))]
    const unknownZones = [...new Set(piece.lines.flatMap(({ unknownZone }) => unknownZone ?? []))]
    const progress = { lines: staged.length, kind, unknownTypes, unknownZones }
    await db.transaction().execute(async (tx) => {
      await hold(deps, await saveProgress(tx, due, progress))
      await stageLines(tx, due.id, staged)
    })
    lines += staged.length
    if (lines % progressEvery === 0) deps.onProgress(due.id, { lines, applied: 0 })
  }
  const isSettlement = kind === 'settlementDetails'
  const fault = isSettlement ? check.findFault() : undefined
  if (fault !== undefined) throw new ReportFault(fault)
  await markStaged(db, due, isSettlement ? check.findUnchecked() : [], payouts)
  return { ...due, kind: kind as ReportKind, lines, applied: 0, payouts }
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
  isShownOnly: boolean
): Promise<void> {
  const { providerName, merchantAccount } = deps
  const kind = staged.kind ?? 'settlementDetails'
  const { id: reportId, payouts } = staged
  const applying = { reportId, kind, payouts, providerName, merchantAccount }
  const range = [rows[0] as number, (rows.at(-1) as number) + 1] as const
  const result = await applyLines(tx, applying, range, isShownOnly)
  await hold(deps, await saveProgress(tx, staged, { ...result, applied: rows.length }))
}

async function hold({ isStopping }: ReportJobDeps, isHeld: boolean): Promise<void> {
  if (!isHeld || isStopping()) throw new Interrupted()
}

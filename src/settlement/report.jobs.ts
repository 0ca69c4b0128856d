import { hash } from 'node:crypto'
import { isUnavailable } from '../database/database.ts'
import { delayAfter, reportLeaseS, reportRetryS, reportTriesMax } from '../jobs.ts'
import { type Applied, applyLines } from './line.commands.ts'
import { type MissingDeps, openMissing } from './missing.commands.ts'
import { rematchLines } from './rematch.commands.ts'
import {
  beginReading,
  claimDueReport,
  type DueReport,
  endReport,
  markStaged,
  postponeReport,
  readContent,
  releaseReport,
  saveProgress,
  stageLines
} from './report.store.ts'
import {
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
  onFault: (reportId: string, error: unknown) => void
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
  const due = await claimDueReport(deps.db, true, reportLeaseS)
  if (due === undefined) return 0
  try {
    if (due.tries > reportTriesMax) throw new Error('The process ended in the middle of it.')
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
    deps.onFault(due.id, error)
  }
}

const triedAgain = 'This service could not read it to its end, and tries again.'
const givenUp =
  'This service could not read it to its end, and its operators were told. Once that is mended, ' +
  'upload it again: lines that were applied are not applied twice.'

async function giveBack(deps: ReportJobDeps, due: DueReport, error: unknown): Promise<void> {
  const { db } = deps
  if (error instanceof Interrupted) return await releaseReport(db, due)
  deps.onFault(due.id, error)
  if (error instanceof ReportFault) return await endReport(db, due, error.message)
  if (isUnavailable(error)) return
  if (due.tries >= reportTriesMax) return await endReport(db, due, givenUp)
  await postponeReport(db, due, delayAfter(reportRetryS, due.tries), triedAgain)
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
    for (const line of piece.lines) {
      checkLine(line)
      check.add(line)
    }
    const staged = piece.lines.map((line) => ({ fact: hash('sha256', factOf(line)), line }))
    const unknown = piece.lines.filter(({ meaning }) => meaning === 'unknown')
    const unknownTypes = [...new Set(unknown.map(({ type }) => type.slice(0, 80)))]
    const progress = { lines: staged.length, kind, unknownTypes }
    await db.transaction().execute(async (tx) => {
      await hold(deps, await saveProgress(tx, due, progress, reportLeaseS))
      await stageLines(tx, due.id, staged)
    })
    lines += staged.length
    if (lines % progressEvery === 0) deps.onProgress(due.id, { lines, applied: 0 })
  }
  const isSettlement = kind === 'settlementDetails'
  const fault = isSettlement ? check.findFault() : undefined
  if (fault !== undefined) throw new ReportFault(fault)
  await markStaged(db, due, isSettlement ? check.findUnchecked() : [])
  return { ...due, kind: kind as ReportKind, lines, applied: 0 }
}

/** A part at a time; one that fails is applied line by line, so that a bad line stands alone. */
async function apply(deps: ReportJobDeps, staged: DueReport): Promise<void> {
  const { id, lines } = staged
  for (let after = staged.applied; after < lines; after += linesAtOnce) {
    const upTo = Math.min(lines, after + linesAtOnce)
    try {
      await applyPart(deps, staged, [after, upTo], false)
    } catch (error) {
      if (error instanceof Interrupted || isUnavailable(error)) throw error
      deps.onFault(id, error)
      for (let one = after; one < upTo; one += 1) await applyAlone(deps, staged, one)
    }
    if (upTo % progressEvery === 0) deps.onProgress(id, { lines, applied: upTo })
  }
}

async function applyAlone(deps: ReportJobDeps, staged: DueReport, after: number): Promise<void> {
  try {
    await applyPart(deps, staged, [after, after + 1], false)
  } catch (error) {
    if (error instanceof Interrupted || isUnavailable(error)) throw error
    await applyPart(deps, staged, [after, after + 1], true)
  }
}

async function applyPart(
  deps: ReportJobDeps,
  staged: DueReport,
  range: readonly [number, number],
  isShownOnly: boolean
): Promise<Applied> {
  const { providerName, merchantAccount } = deps
  const kind = staged.kind ?? 'settlementDetails'
  const applying = { reportId: staged.id, kind, providerName, merchantAccount }
  return await deps.db.transaction().execute(async (tx) => {
    const applied = await applyLines(tx, applying, range, isShownOnly)
    const progress = { ...applied, applied: range[1] - range[0] }
    await hold(deps, await saveProgress(tx, staged, progress, reportLeaseS))
    return applied
  })
}

async function hold({ isStopping }: ReportJobDeps, isHeld: boolean): Promise<void> {
  if (!isHeld || isStopping()) throw new Interrupted()
}

import { hash } from 'node:crypto'
import type { Tx } from '../database/database.ts'
import { isContended, isUnavailable } from '../database/unavailable.ts'
import { release } from '../due/due.store.ts'
import { type Batch, type OnFault, runBatch, runWhole } from '../due/run-each.ts'
import { applyLines, type Extent, toPayouts } from './line.commands.ts'
import { type MissingDeps, openMissing } from './missing.commands.ts'
import { rematchLines } from './rematch.commands.ts'
import { createRepeated } from './repeated.ts'
import {
  beginReading,
  claimReport,
  type DueReport,
  endReport,
  markApplied,
  markRead,
  postponeReport,
  readApplied,
  readContent,
  reportAttemptsMax,
  reportsToRead,
  saveProgress
} from './report.store.ts'
import {
  batchOf,
  checkLine,
  createBatchCheck,
  factOf,
  isAbout,
  type ReadReport,
  ReportFault,
  type ReportKind,
  type SettlementLine
} from './settlement.ts'
import {
  countStaged,
  insertNewOthers,
  insertOthers,
  isKnownLine,
  measurePart,
  stageLines,
  toCopied
} from './staged-line.store.ts'

export type ReportJobDeps = MissingDeps & {
  merchantAccount: string
  readReport: ReadReport
  /** Whether to stop: another instance, or the next start, goes on. */
  isStopping: () => boolean
  onFault: OnFault
  onProgress: (reportId: string, progress: { lines: number; applied: number }) => void
}

/** Lines that are kept in one transaction; so many more are in memory. */
const linesAtOnce = 10_000
/** Those that are applied in one, and those of ours among them, whose payments are locked. */
const partMost = { lines: 10_000, ours: 1_000 }
/** The first ones, and those after a fault: they end soon, and the next are twice as long. */
const partLeast = 200
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
    const read = await readOn(deps, due)
    await apply(deps, read)
    await markApplied(deps.db, due)
    if (read.kind === 'settlementDetails') await compareAll(deps, due)
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

type Read = DueReport & { kind: ReportKind }

/** Goes on with what was read of it, where all of that is kept; else from its beginning. */
async function readOn(deps: ReportJobDeps, due: DueReport): Promise<Read> {
  const { db } = deps
  if (due.isApplied) return due as Read
  // The last release begins anew and leaves `isRead` as it was: that says nothing by itself.
  const kept = await countStaged(db, due.id)
  if (kept > 0 && kept === due.lines) return due.isRead ? (due as Read) : await stage(deps, due)
  await beginReading(db, due)
  return await stage(deps, { ...due, lines: 0, applied: 0 })
}

/**
 * Reads the whole report and keeps its lines aside: a `ReportFault` where it is not whole. Those
 * that were kept before are read again, for what the report adds up to. While some are kept, the
 * next ones are read.
 */
async function stage(deps: ReportJobDeps, due: DueReport): Promise<Read> {
  const { db, isStopping, merchantAccount } = deps
  const check = createBatchCheck()
  const payouts: DueReport['payouts'] = {}
  let kind: ReportKind | undefined
  let lines = 0
  let block = emptyBlock()
  const isRepeated = createRepeated()
  let keeping = Promise.resolve()
  try {
    for await (const piece of deps.readReport(readContent(db, due.id))) {
      if (isStopping()) throw new Interrupted()
      kind = piece.kind
      let copied = ''
      for (const line of piece.lines) {
        checkLine(line)
        check.add(line)
        notePayout(payouts, line)
        lines += 1
        const fact = hash('sha256', factOf(line))
        const staged = {
          fact,
          isOurs: isAbout(merchantAccount, line),
          isRepeated: isRepeated(fact)
        }
        if (lines <= due.lines) continue
        copied += toCopied(due.id, { ...staged, line })
        block.lines += 1
        if (line.meaning === 'unknown') block.unknownTypes.add(line.type.slice(0, 80))
        if (line.unknownZone !== null) block.unknownZones.add(line.unknownZone)
      }
      block.copied.push(Buffer.from(copied))
      if (block.lines < linesAtOnce) continue
      await keeping
      keeping = keep(deps, due, piece.kind, block, lines)
      // It is awaited below, perhaps later than it fails.
      keeping.catch(() => {})
      block = emptyBlock()
    }
    await keeping
  } finally {
    // Nobody may end the report while lines are still on their way.
    await keeping.catch(() => {})
  }
  await keep(deps, due, kind as ReportKind, block, lines)
  const isSettlement = kind === 'settlementDetails'
  const fault = isSettlement ? check.findFault() : undefined
  if (fault !== undefined) throw new ReportFault(fault)
  await markRead(db, due, isSettlement ? check.findUnchecked() : [], payouts)
  return { ...due, kind: kind as ReportKind, lines, applied: 0, payouts }
}

/** Lines that are read and not kept yet. As bytes they are no work for the garbage collector. */
type Block = {
  lines: number
  copied: Buffer[]
  unknownTypes: Set<string>
  unknownZones: Set<string>
}
const emptyBlock = (): Block => {
  return { lines: 0, copied: [], unknownTypes: new Set(), unknownZones: new Set() }
}

function notePayout(payouts: DueReport['payouts'], line: SettlementLine): void {
  if (line.meaning !== 'payout' || line.settledAt === null) return
  const batch = batchOf(line)
  if (line.settledAt > (payouts[batch] ?? '')) payouts[batch] = line.settledAt
}

/** Keeps a block of lines, the last of which is the `lines`-th, with the progress that it is. */
async function keep(
  deps: ReportJobDeps,
  due: DueReport,
  kind: ReportKind,
  block: Block,
  lines: number
): Promise<void> {
  const [unknownTypes, unknownZones] = [[...block.unknownTypes], [...block.unknownZones]]
  await deps.db.transaction().execute(async (tx) => {
    const progress = { lines: block.lines, kind, unknownTypes, unknownZones }
    await hold(deps, await saveProgress(tx, due, progress))
    if (block.lines > 0) await stageLines(tx, Buffer.concat(block.copied))
  })
  tell(deps, due.id, { lines, applied: 0 }, block.lines)
}

/** A part at a time; where one fails, a small one, then line by line: a bad line stands alone. */
async function apply(deps: ReportJobDeps, read: Read): Promise<void> {
  const { id, lines } = read
  const others = keepOthers(deps, read)
  const small: Batch<number> = {
    size: partLeast,
    take: (tx, limit, only) => findUnapplied(tx, read, { ...partMost, lines: limit }, only),
    work: (tx, rows) => applyPart(tx, deps, read, rows, others.isKept(rows) ? 'ours' : 'all'),
    setAside: (tx, row) => applyPart(tx, deps, read, [row], 'shown'),
    onFault: (line, error) => deps.onFault({ reportId: id, line }, error),
    isOver: (error) => error instanceof Interrupted || isUnavailable(error)
  }
  // What is too much for one statement may be done in small parts.
  const isOver = (error: unknown) => small.isOver?.(error) === true && !isContended(error)
  let size = partLeast
  try {
    for (let { applied } = read; applied < lines; ) {
      await others.keepUntil(applied + size)
      const whole =
        size > partLeast ? await runWhole(deps.db, { ...small, size, isOver }) : undefined
      const count = whole ?? (await runBatch(deps.db, small))
      if (count === 0) throw new Error(`line ${applied} could not be applied`)
      applied += count
      const hasFailed = size > partLeast && whole === undefined
      size = hasFailed ? partLeast : Math.min(2 * size, partMost.lines)
      tell(deps, id, { lines, applied }, count)
    }
  } finally {
    await others.rest()
  }
}

/**
 * Keeps the lines that concern nobody here, a block ahead of those that rules decide on, on a
 * connection of its own. What is kept twice changes nothing, so its progress is not saved. Where it
 * fails, they are kept with the others of their part.
 */
function keepOthers({ db, isStopping }: ReportJobDeps, read: Read) {
  const payouts = toPayouts(read.payouts)
  const end = read.kind === 'settlementDetails' ? read.lines : 0
  let kept = read.applied
  let isOver = false
  let insert = insertNewOthers
  let running: Promise<void> | undefined

  async function keepBlock(): Promise<void> {
    const part = { reportId: read.id, after: kept, upTo: Math.min(kept + partMost.lines, end) }
    try {
      await db.transaction().execute(async (tx) => {
        if (isStopping() || (await readApplied(tx, read)) === undefined) throw new Interrupted()
        await insert(tx, part, payouts)
      })
      kept = part.upTo
    } catch (error) {
      // An earlier report had one of them, or this one did before it was interrupted.
      if (isKnownLine(error) && insert === insertNewOthers) insert = insertOthers
      else isOver = true
    }
  }
  const start = () => {
    if (kept < end && !isOver) running ??= keepBlock().finally(() => (running = undefined))
  }
  return {
    /** Returns once all up to the `line`-th are kept, or can't be; the next ones are under way. */
    async keepUntil(line: number): Promise<void> {
      while (kept < Math.min(line, end) && !isOver) {
        start()
        await running
      }
      start()
    },
    isKept: (rows: readonly number[]) => (rows.at(-1) as number) < kept,
    rest: async () => void (await running)
  }
}

/** Says at times how far it is, which is `more` than before. */
function tell(
  { onProgress }: ReportJobDeps,
  id: string,
  progress: { lines: number; applied: number },
  more: number
): void {
  const done = progress.applied || progress.lines
  if (Math.floor(done / progressEvery) > Math.floor((done - more) / progressEvery)) {
    onProgress(id, progress)
  }
}

/** The next lines, from 0, all before them being applied; or `only` this one, if it is next. */
async function findUnapplied(
  tx: Tx,
  read: Read,
  most: typeof partMost,
  only?: number
): Promise<number[]> {
  const applied = await readApplied(tx, read)
  if (applied === undefined) throw new Interrupted()
  if (applied === read.lines || (only !== undefined && only !== applied)) return []
  const length = await measurePart(tx, read.id, applied, most)
  return Array.from({ length }, (_, place) => applied + place)
}

async function applyPart(
  tx: Tx,
  deps: ReportJobDeps,
  read: Read,
  rows: readonly number[],
  extent: Extent
): Promise<void> {
  const { id: reportId, kind, payouts } = read
  const part = { reportId, after: rows[0] as number, upTo: (rows.at(-1) as number) + 1 }
  const applying = { kind, payouts, providerName: deps.providerName }
  const result = await applyLines(tx, applying, part, extent)
  await hold(deps, await saveProgress(tx, read, { ...result, applied: rows.length }))
}

async function hold({ isStopping }: ReportJobDeps, isHeld: boolean): Promise<void> {
  if (!isHeld || isStopping()) throw new Interrupted()
}

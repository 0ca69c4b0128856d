/** Settlement reports: their content until it is applied, and how far that has come. */
import { type RawBuilder, type Selectable, sql } from 'kysely'
import { lockUntilEnd } from '../database/brand.ts'
import { type Database, type Db, statement, type Tx } from '../database/database.ts'
import { delayAfter } from '../due/delays.ts'
import {
  type Claimed,
  claimDue,
  done,
  isHeld,
  noLease,
  postpone,
  type Queue,
  renew
} from '../due/due.store.ts'
import { newId } from '../id.ts'
import type { ReportKind, ReportStatus } from './settlement.ts'

const shown = [
  'id',
  'status',
  'origin',
  'kind',
  'file_name',
  'lines',
  'applied',
  'matched',
  'discrepancies',
  'unknown_types',
  'unchecked_batches',
  'unknown_zones',
  'fault',
  'created_at',
  'finished_at'
] as const
/** One that is whole: an upload that is under way is shown to nobody. */
export type ListedReport = Pick<
  Selectable<Database['settlement_report']>,
  (typeof shown)[number]
> & { status: ReportStatus }

/** Newest first. */
export async function listReports(
  db: Db,
  filter: { status: ReportStatus | undefined; before: string | null; limit: number }
): Promise<ListedReport[]> {
  let query = db
    .selectFrom('settlement_report')
    .select(shown)
    .where('status', '<>', 'uploading')
    .orderBy('id', 'desc')
    .limit(filter.limit)
  if (filter.status !== undefined) query = query.where('status', '=', filter.status)
  if (filter.before !== null) query = query.where('id', '<', filter.before)
  return (await query.execute()) as ListedReport[]
}

export async function findReport(db: Db, id: string): Promise<ListedReport | undefined> {
  const query = db.selectFrom('settlement_report').select(shown).where('id', '=', id)
  return (await query.where('status', '<>', 'uploading').executeTakeFirst()) as
    | ListedReport
    | undefined
}

/** Begins an upload, which nobody sees until it is whole. */
export async function beginUpload(db: Db, fileName: string | null): Promise<string> {
  const id = newId('set')
  await sql`
    insert into settlement_report (id, status, origin, file_name)
    values (${id}, 'uploading', 'upload', ${fileName})`.execute(db)
  return id
}

const insertPiece = statement(`
  insert into settlement_content (report_id, number, piece) values ($1, $2, $3)`)

export async function savePiece(
  db: Db,
  id: string,
  number: number,
  piece: Uint8Array
): Promise<void> {
  await db.executeQuery(insertPiece(id, number, piece))
}

/** Any number: of two uploads of the same content at the same moment the second sees the first. */
const contentLock = 7_240_012

/** Until a report is looked at again whose content is being read under another name; seconds. */
const twinReadS = 60

/**
 * The content is whole: the report is due to be read. Where the same content is there already, the
 * answer is the id of that one; this one goes, but for one of the provider, which stays so that it
 * is not fetched again. Until the other is read nobody knows whether it is good: till then it is
 * fetched again later.
 */
export async function finishContent(
  tx: Tx,
  id: string,
  content: { hash: Buffer; size: number }
): Promise<string> {
  await lockUntilEnd(tx, contentLock)
  const { rows } = await sql<{ id: string; status: ReportStatus }>`
    select id, status from settlement_report
    where content_hash = ${content.hash} and status <> 'refused' and id <> ${id}`.execute(tx)
  const [twin] = rows
  if (twin !== undefined) {
    await sql`
      delete from settlement_report where id = ${id} and origin = 'upload'`.execute(tx)
    if (twin.status === 'done') await endWithout(tx, sql`id = ${id}`)
    else await fetchLater(tx, id)
    return twin.id
  }
  await sql`
    update settlement_report set status = 'received', content_hash = ${content.hash},
      size = ${content.size}, next_attempt_at = now(), attempts = 0, fault = null, ${noLease}
    where id = ${id}`.execute(tx)
  return id
}

/** Lets go of a report of the provider, if it is one, and of what was fetched of it. */
async function fetchLater(tx: Tx, id: string): Promise<void> {
  await discardContent(tx, id)
  await sql`
    update settlement_report set status = 'received', attempts = 0, fault = null, ${noLease},
      next_attempt_at = now() + make_interval(secs => ${twinReadS})
    where id = ${id}`.execute(tx)
}

/** Ends reports of the provider whose content another report brought. */
async function endWithout(tx: Db, which: RawBuilder<unknown>): Promise<void> {
  await sql`
    with ended as (
      update settlement_report set status = 'done', next_attempt_at = null, ${noLease},
        fault = null, finished_at = now()
      where origin = 'provider' and ${which} returning id
    )
    delete from settlement_content using ended where report_id = ended.id`.execute(tx)
}

/** Forgets what was fetched of a report, before it is fetched anew. */
export async function discardContent(db: Db, id: string): Promise<void> {
  await sql`delete from settlement_content where report_id = ${id}`.execute(db)
}

/** Forgets a report of which nothing was applied. */
export async function discard(db: Db, id: string): Promise<void> {
  await sql`delete from settlement_report where id = ${id}`.execute(db)
}

/** Uploads that broke off an hour ago and were not discarded by whoever took them. */
export async function purgeUploads(db: Db): Promise<number> {
  const result = await sql`
    delete from settlement_report
    where status = 'uploading' and created_at < now() - interval '1 hour'`.execute(db)
  return Number(result.numAffectedRows ?? 0n)
}

/** How long one who reads or fetches a report has it to itself, between two signs; seconds. */
export const reportLeaseS = 60
/** Fetching a report again, or going on with one, after a fault; seconds. */
const reportRetryS = [2, 15, 60, 300, 1_800, 7_200] as const
/** After so many attempts it is for a person to bring it, or to mend what is wrong. */
export const reportAttemptsMax = 8

type Report = {
  id: string
  fileName: string | null
  url: string | null
  /** Every line was read, and the whole adds up; of lines that are kept, or it may be outdated. */
  isRead: boolean
  /** Every line is applied; what was kept of it may be gone. */
  isApplied: boolean
  kind: ReportKind | null
  lines: number
  applied: number
  createdAt: Date
  /** Of each batch, by `batchOf`, when it was paid out: RFC 3339. */
  payouts: Record<string, string>
}
/** A report that is being fetched, read or applied, by whoever has its lease. */
export type DueReport = Claimed<Report>

const reportQueue = (where: RawBuilder<unknown>): Queue<Report> => ({
  table: 'settlement_report',
  key: ['id'],
  where,
  set: sql`status = 'processing'`,
  read: sql<Report>`id, file_name as "fileName", url, kind, lines, applied,
    payouts, created_at as "createdAt", read_at is not null as "isRead",
    staged_at is not null and applied = lines as "isApplied" from claimed`
})
export const reportsToFetch = reportQueue(sql`content_hash is null`)
export const reportsToRead = reportQueue(sql`content_hash is not null`)

/** Takes a report that is due; a save of progress takes it for as long. */
export async function claimReport(db: Db, queue: Queue<Report>): Promise<DueReport | undefined> {
  return (await claimDue(db, queue, { limit: 1, leaseS: reportLeaseS }))[0]
}

type Progress = Partial<{
  lines: number
  applied: number
  matched: number
  discrepancies: number
  kind: ReportKind
  unknownTypes: string[]
  unknownZones: string[]
  bookedUntil: string | null
}>

/**
 * Adds to what was done, and holds the report for longer; false where somebody else has it. Once
 * lines were applied the attempts are counted anew: what fails after them is another fault.
 */
export async function saveProgress(db: Db, due: DueReport, progress: Progress): Promise<boolean> {
  const { lines = 0, applied = 0, matched = 0, discrepancies = 0, kind = null } = progress
  const { bookedUntil = null, unknownTypes = [], unknownZones = [] } = progress
  const set = sql`
    lines = lines + ${lines}, applied = applied + ${applied}, matched = matched + ${matched},
    discrepancies = discrepancies + ${discrepancies}, kind = coalesce(${kind}, kind),
    booked_until = greatest(booked_until, ${bookedUntil}::timestamptz),
    unknown_types = array(
      select distinct unnest(unknown_types || ${unknownTypes}::text[]) order by 1),
    unknown_zones = array(
      select distinct unnest(unknown_zones || ${unknownZones}::text[]) order by 1)
    ${applied === 0 ? sql`` : sql`, attempts = 0`}`
  return await renew(db, reportsToRead, due, reportLeaseS, set)
}

/** How many of its lines are applied; undefined where somebody else has it. */
export async function readApplied(tx: Tx, due: DueReport): Promise<number | undefined> {
  const { rows } = await sql<{ applied: number }>`
    select applied from settlement_report where ${isHeld(reportsToRead, due)}`.execute(tx)
  return rows[0]?.applied
}

/** Lets go of a report after a fault; it is due again, each time later. */
export async function postponeReport(db: Db, due: DueReport, fault: string): Promise<void> {
  const delayS = delayAfter(reportRetryS, due.attempts - 1)
  await postpone(db, reportsToRead, due, delayS, sql`fault = ${fault}`)
}

/** A person must upload it: the provider does not give it to us. */
export async function awaitUpload(db: Db, due: DueReport, fault: string): Promise<void> {
  await done(db, reportsToRead, due, sql`status = 'awaitingUpload', fault = ${fault}`)
}

/**
 * Every line was read and the whole adds up, but for batches that can't be checked: from here on
 * they are applied.
 */
export async function markRead(
  db: Db,
  due: DueReport,
  uncheckedBatches: readonly string[],
  payouts: DueReport['payouts']
): Promise<void> {
  const set = sql`read_at = now(), attempts = 0, unchecked_batches = ${uncheckedBatches},
    payouts = ${JSON.stringify(payouts)}::jsonb`
  await renew(db, reportsToRead, due, reportLeaseS, set)
}

/**
 * All lines are applied: from here on it is one of those that show what is missing. The last
 * release has said so before it applied them.
 */
export async function markApplied(db: Db, due: DueReport): Promise<void> {
  await renew(db, reportsToRead, due, reportLeaseS, sql`staged_at = coalesce(staged_at, read_at)`)
}

/**
 * `fault`: why it was refused; null where it is done, and with it the report of the provider that
 * waited for its upload under the same name. What was kept for it goes.
 */
export async function endReport(db: Db, due: DueReport, fault: string | null): Promise<void> {
  await forgetStaged(db, due.id, true)
  if (fault === null && due.fileName !== null) {
    await endWithout(db, sql`status = 'awaitingUpload' and file_name = ${due.fileName}`)
  }
  const status = fault === null ? 'done' : 'refused'
  // Nothing is staged of it any more: where it is fetched anew, it is read from its beginning.
  const anew = sql`, read_at = null, staged_at = null,
    lines = case when applied > 0 then lines else 0 end`
  const set = sql`status = ${status}, fault = ${fault}, finished_at = now()
    ${fault === null ? sql`` : anew}`
  await done(db, reportsToRead, due, set)
}

const rowsAtOnce = 20_000

/** Forgets the lines of a report that were read, a part at a time; `andContent`: the file too. */
async function forgetStaged(db: Db, id: string, andContent = false): Promise<void> {
  for (let deleted = rowsAtOnce; deleted === rowsAtOnce; ) {
    const result = await sql`
      delete from settlement_staged where report_id = ${id} and line <= (
        select min(line) from settlement_staged where report_id = ${id}
      ) + ${rowsAtOnce - 1}`.execute(db)
    deleted = Number(result.numAffectedRows ?? 0n)
  }
  if (andContent) await sql`delete from settlement_content where report_id = ${id}`.execute(db)
}

/** Begins to read a report anew: what was kept of its lines goes. */
export async function beginReading(db: Db, due: DueReport): Promise<void> {
  await forgetStaged(db, due.id)
  const set = sql`lines = 0, applied = 0, unknown_types = '{}', unknown_zones = '{}', fault = null,
    read_at = null, staged_at = null`
  await renew(db, reportsToRead, due, reportLeaseS, set)
}

const readPieceStatement = statement<{ piece: Buffer }>(
  'select piece from settlement_content where report_id = $1 and number = $2'
)

/** The content of a report, a piece at a time. */
export async function* readContent(db: Db, id: string): AsyncGenerator<Buffer> {
  for (let number = 0; ; number += 1) {
    const { rows } = await db.executeQuery(readPieceStatement(id, number))
    if (rows[0] === undefined) return
    yield rows[0].piece
  }
}

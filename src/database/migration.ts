/** How one file of `migrations/` is applied while the service works on the same tables. */
import { setTimeout } from 'node:timers/promises'
import { CompiledQuery, sql } from 'kysely'
import type { Db } from './database.ts'

export type Migration = { name: string; commands: readonly string[] }
export type Tell = (line: string) => void

/**
 * Whoever waits for a lock of a table holds up all who come after: so it never waits long, and
 * tries again after a pause in which they go on.
 */
const lockWaitMs = 200
const pauseMs = 1_000
/** How often it says that it still waits or works, ms. */
const tellEveryMs = 10_000

/** lock_not_available, deadlock_detected: nothing is done, and the next try may succeed. */
const isContended = (error: unknown) =>
  /^(55P03|40P01)$/.test(String((error as { code?: unknown }).code))

/** Holds no lock that others need, or only one row's for a moment, and may be run twice. */
const aloneForms: readonly RegExp[] = [
  /^create (unique )?index concurrently if not exists /i,
  /^drop index concurrently if exists /i,
  /^alter table \w+ validate constraint /i,
  // A back-fill, run until it finds no more than a part of a batch.
  /^update [\s\S]* limit \d{1,4}\s*\)$/i
]

/** Whether a command stands in a file whose commands run one by one, without a transaction. */
export function isAlone(command: string): boolean {
  return aloneForms.some((form) => form.test(command))
}

/**
 * Applies a file and notes that it is applied: in one transaction; or, where a command of it runs
 * alone, each by itself. Answers why not, where a lock was not to be had for `patienceMs`.
 */
export async function applyMigration(
  db: Db,
  { name, commands }: Migration,
  tell: Tell,
  patienceMs: number
): Promise<string | undefined> {
  if (commands.some(isAlone)) {
    for (const command of commands) await runAlone(db, name, command, tell, patienceMs)
    await note(db, name)
  } else {
    const fault = await untilLocked(db, name, tell, patienceMs, () =>
      db.transaction().execute(async (tx) => {
        await setTimeouts(tx, { lock: `${lockWaitMs}`, statement: '0' }, true)
        for (const command of commands) await tx.executeQuery(CompiledQuery.raw(command))
        await note(tx, name)
      })
    )
    if (fault !== undefined) return fault
  }
  tell(`${name} is applied`)
  return undefined
}

async function note(db: Db, name: string): Promise<void> {
  await sql`
    insert into kysely_migration (name, timestamp)
    values (${name}, ${new Date().toISOString()})`.execute(db)
}

/** Tries until the locks were free, with a pause after each time that they were not. */
async function untilLocked(
  db: Db,
  name: string,
  tell: Tell,
  patienceMs: number,
  attempt: () => Promise<void>
): Promise<string | undefined> {
  const giveUpAt = Date.now() + patienceMs
  let toldAt = 0
  for (let tries = 1; ; tries++) {
    try {
      await attempt()
      return undefined
    } catch (error) {
      if (!isContended(error)) throw error
    }
    const holder = await describeHolder(db)
    if (Date.now() > giveUpAt) {
      return `${name} is not applied: ${tries} tries did not get its lock. ${holder} Run it again.`
    }
    if (Date.now() - toldAt >= tellEveryMs) {
      tell(`${name} waits for a lock, try ${tries}. ${holder}`)
      toldAt = Date.now()
    }
    await setTimeout(pauseMs)
  }
}

/** The transaction that is open for the longest time: mostly the one that holds the lock. */
async function describeHolder(db: Db): Promise<string> {
  const { rows } = await sql<{ pid: number; application: string; forS: number }>`
    select pid, application_name as application,
      extract(epoch from clock_timestamp() - xact_start)::integer as "forS"
    from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
    order by xact_start limit 1`.execute(db)
  const [holder] = rows
  if (holder === undefined) return 'Nobody holds a transaction open now.'
  const { pid, application, forS } = holder
  return `Process ${pid} (${application || 'without a name'}) is in a transaction for ${forS} s.`
}

async function runAlone(
  db: Db,
  name: string,
  command: string,
  tell: Tell,
  patienceMs: number
): Promise<void> {
  const [what = ''] = command.split('\n')
  const startedAt = Date.now()
  const telling = setInterval(() => {
    tell(`${name}: ${what}, for ${Math.round((Date.now() - startedAt) / 1000)} s`)
  }, tellEveryMs)
  const before = await readTimeouts(db)
  try {
    await setTimeouts(db, { lock: String(patienceMs), statement: '0' })
    if (/^update /i.test(command)) await fillUp(db, name, command, tell)
    else await runConcurrently(db, command)
  } finally {
    clearInterval(telling)
    await setTimeouts(db, before)
  }
}

type Timeouts = { lock: string; statement: string }

async function readTimeouts(db: Db): Promise<Timeouts> {
  const { rows } = await sql<Timeouts>`
    select current_setting('lock_timeout') as lock,
      current_setting('statement_timeout') as statement`.execute(db)
  return rows[0] as Timeouts
}

/** `local`: until the end of the transaction. */
async function setTimeouts(db: Db, { lock, statement }: Timeouts, local = false): Promise<void> {
  await sql`select set_config('lock_timeout', ${lock}, ${local}),
    set_config('statement_timeout', ${statement}, ${local})`.execute(db)
}

const madeIndex = /^create (?:unique )?index concurrently if not exists (\w+)/i

/** An index that could not be finished stays there, slows every write, and counts as existing. */
async function runConcurrently(db: Db, command: string): Promise<void> {
  const [, index] = madeIndex.exec(command) ?? []
  if (index !== undefined) await dropInvalid(db, index)
  try {
    await db.executeQuery(CompiledQuery.raw(command))
  } catch (error) {
    if (index !== undefined) await dropInvalid(db, index).catch(() => {})
    throw error
  }
}

async function dropInvalid(db: Db, index: string): Promise<void> {
  const { rows } = await sql`
    select from pg_index where indexrelid = to_regclass(${index}) and not indisvalid`.execute(db)
  if (rows.length > 0) await sql`drop index concurrently if exists ${sql.id(index)}`.execute(db)
}

/** Between two batches others get their turn. */
const batchPauseMs = 20

/** It ends, though old writers go on: what they leave out is not for it to fill. */
async function fillUp(db: Db, name: string, command: string, tell: Tell): Promise<void> {
  const most = Number(/limit (\d+)\s*\)$/i.exec(command)?.[1])
  let count = 0
  for (let filled = most; filled >= most; ) {
    const { numAffectedRows = 0n } = await db.executeQuery(CompiledQuery.raw(command))
    filled = Number(numAffectedRows)
    count += filled
    await setTimeout(batchPauseMs)
  }
  tell(`${name}: ${count} rows are filled up`)
}

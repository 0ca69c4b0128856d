/** What PostgreSQL counts of a target's work, without cost to it while it works. */
import type pg from 'pg'
import type { Site } from './site.ts'
import type { Target } from './targets.ts'

export type Counted = {
  /** Sent by the target; of those inside of a function only the call. */
  statements: number
  /** What the log of writes grew by, without images of pages, bytes. */
  walBytes: number
  /** Images of pages that were changed for the first time after the checkpoint, bytes. */
  imageBytes: number
}

type Reading = { statements: number; lsn: string }

/** Begins to count; what it answers tells what has been counted since. */
export async function startCounting({ server }: Site, target: Target) {
  const before = await read(server, target)
  return async (): Promise<Counted> => {
    const after = await read(server, target)
    const statements = after.statements - before.statements
    return { statements, ...(await readLog(server, before.lsn, after.lsn)) }
  }
}

/** What was written between two places of the log. */
async function readLog(server: pg.Client, from: string, to: string) {
  const { rows } = await server
    .query<Record<'wal' | 'images', string>>(
      `select coalesce(sum(record_size), 0) as wal, coalesce(sum(fpi_size), 0) as images
       from pg_get_wal_stats($1, $2)`,
      [from, to]
    )
    .catch((error: Error) => {
      if (error.message.startsWith('could not find a valid record')) return { rows: [] }
      throw error
    })
  const { wal = 0, images = 0 } = rows[0] ?? {}
  return { walBytes: Number(wal), imageBytes: Number(images) }
}

async function read(server: pg.Client, { name }: Target): Promise<Reading> {
  const { rows } = await server.query<{ statements: string; lsn: string }>(
    `select pg_current_wal_flush_lsn() as lsn, (
       select coalesce(sum(calls), 0) from pg_stat_statements s join pg_database d on d.oid = s.dbid
       where d.datname = $1) as statements`,
    [name]
  )
  const { statements, lsn } = rows[0] as { statements: string; lsn: string }
  return { statements: Number(statements), lsn }
}

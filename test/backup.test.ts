/** The drill of ops/backup: what it needs, and what follows a restore. It is run by hand. */
import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { testDatabase } from './test-database.ts'

const afterRestore = new URL('../ops/backup/after-restore.sql', import.meta.url)
const drill = fileURLToPath(new URL('../ops/backup/drill.sh', import.meta.url))

/** Runs the drill where there are no other programs than `bash` and `dirname`, and these. */
async function runDrill(t: Test, programs: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'backup-test-'))
  t.teardown(() => rm(folder, { recursive: true }))
  for (const name of ['bash', 'dirname']) await symlink(`/usr/bin/${name}`, join(folder, name))
  for (const name of programs) {
    await writeFile(join(folder, name), '#!/bin/sh\n')
    await chmod(join(folder, name), 0o755)
  }
  const env = { PATH: folder, PG_BIN: join(folder, 'nowhere') }
  return await new Promise<{ code: unknown; stderr: string }>((resolve) => {
    execFile('/usr/bin/bash', [drill], { env }, (error, _, stderr) => {
      resolve({ code: error?.code ?? 0, stderr })
    })
  })
}

t.test('the drill says in a sentence what it lacks, and ends with 2', async (t) => {
  const without = await runDrill(t, [])
  t.equal(without.code, 2)
  t.match(without.stderr, /^The drill can't be tried: pgBackRest is not installed .*\.\n$/)
  const withoutServer = await runDrill(t, ['pgbackrest'])
  t.equal(withoutServer.code, 2)
  t.match(withoutServer.stderr, /^The drill can't be tried: there is no PostgreSQL .*\.\n$/)
})

t.test('after a restore no place that readers may have seen is given out again', async (t) => {
  const { db } = await testDatabase(t)
  const { rows: places } = await sql<{ name: string }>`
    select table_name as name from information_schema.columns
    where table_schema = current_schema() and column_name = 'position' and is_identity = 'YES'
    order by 1`.execute(db)
  t.same(places, [{ name: 'billing_posting' }, { name: 'event_feed' }])
  const next = async () => {
    const values = await Promise.all(
      places.map(({ name }) =>
        sql<{ next: string }>`
          select nextval(pg_get_serial_sequence(${name}, 'position'))::text as next`.execute(db)
      )
    )
    return values.map(({ rows }) => Number(rows[0]?.next))
  }
  const before = await next()
  await sql.raw(await readFile(afterRestore, 'utf8')).execute(db)
  const after = await next()
  for (const [place, { name }] of places.entries()) {
    t.ok((after[place] ?? 0) >= (before[place] ?? 0) + 10_000_000, name)
  }
})

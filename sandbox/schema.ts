/**
 * `npm run schema`: writes what the migrations make, as SQL for readers and as types for Kysely.
 * With --check it only says whether both are what is there.
 */
import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { migrate } from '../src/database/migrate.ts'
import { type Catalog, readCatalog } from './catalog.ts'
import { openDatabase } from './database.ts'
import { startPostgres } from './postgres.ts'
import { toSchemaSql } from './schema-sql.ts'
import { toTableTypes } from './schema-types.ts'

const sqlFile = fileURLToPath(new URL('../src/database/schema.sql', import.meta.url))
const typesFile = fileURLToPath(new URL('../src/database/tables.ts', import.meta.url))

async function readMigrated(): Promise<Catalog> {
  const dir = await mkdtemp(join(tmpdir(), 'payments-schema-'))
  const server = await startPostgres({ dir, durable: false })
  try {
    const db = await openDatabase(server.url('postgres'), server.url('schema'), 'schema')
    try {
      await migrate(db)
      return await readCatalog(db)
    } finally {
      await db.destroy()
    }
  } finally {
    await server.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

/** As the linter wants it. */
function format(source: string, file: string): string {
  const biome = fileURLToPath(new URL('../node_modules/.bin/biome', import.meta.url))
  const args = ['check', '--write', `--stdin-file-path=${file}`]
  const result = spawnSync(biome, args, { input: source })
  if (result.status !== 0) throw new Error(`biome: ${result.error ?? result.stderr}`)
  return result.stdout.toString()
}

const catalog = await readMigrated()
const files = [
  { file: sqlFile, text: toSchemaSql(catalog) },
  { file: typesFile, text: format(toTableTypes(catalog), typesFile) }
]
for (const { file, text } of files) {
  if (!process.argv.includes('--check')) await writeFile(file, text)
  else if ((await readFile(file, 'utf8').catch(() => '')) !== text) {
    process.stderr.write(`${file} is not what the migrations make. Run npm run schema.\n`)
    process.exitCode = 1
  }
}

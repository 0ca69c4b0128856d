/**
 * `npm run guides`: writes the tables of the guides in docs/ as the code has them. With --check it
 * only says whether they are.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { fillTables } from '../src/guides/guide-tables.ts'

const folder = new URL('../docs/', import.meta.url)
for (const name of await readdir(folder)) {
  if (!name.endsWith('.md')) continue
  const file = new URL(name, folder)
  const guide = await readFile(file, 'utf8')
  const filled = fillTables(guide)
  if (filled === guide) continue
  if (process.argv.includes('--check')) {
    process.stderr.write(
      `docs/${name} has tables that the code has otherwise. Run npm run guides.\n`
    )
    process.exitCode = 1
  } else await writeFile(file, filled)
}

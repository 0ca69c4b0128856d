/** What is measured: this tree, or another commit of its repository. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, symlinkSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { UsageFault } from './options.ts'
import type { Site } from './site.ts'

export type Build = {
  name: 'service' | 'against'
  /** Its `src/main.ts`; undefined: that of this tree. */
  program?: string
}

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))

/** The full hash of what git knows as `rev`; throws in words for people. */
export async function findCommit(rev: string): Promise<string> {
  const args = ['-C', root, 'rev-parse', '--verify', '--quiet', `${rev}^{commit}`]
  const found = await run('git', args).catch(() => undefined)
  if (found === undefined) throw new UsageFault(`git has no commit ${rev} here`)
  return found.stdout.trim()
}

/** Lays out the service of a commit below the site's folder, with the packages that it needs. */
export async function checkOut(
  site: Site,
  commit: string,
  tell: (line: string) => void
): Promise<Build> {
  const folder = join(site.folder, 'against')
  const archive = join(site.folder, 'against.tar')
  await mkdir(folder)
  const paths = ['package.json', 'package-lock.json', 'migrations', 'src']
  await run('git', ['-C', root, 'archive', '--output', archive, commit, ...paths])
  await run('tar', ['-xf', archive, '-C', folder])
  const missing = findMissing(folder)
  if (missing.length === 0) {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  } else {
    tell(`npm ci for ${commit.slice(0, 7)}, which needs ${missing.join(', ')}`)
    const args = ['ci', '--omit=dev', '--omit=optional', '--ignore-scripts', '--no-audit']
    await run('npm', args, { cwd: folder })
  }
  return { name: 'against', program: join(folder, 'src/main.ts') }
}

type Lock = {
  packages: Record<string, { version?: string; dev?: boolean; optional?: boolean }>
}

/** Packages that a tree needs to run, and that are not installed here in that version. */
function findMissing(folder: string): string[] {
  const lockFile = join(root, 'node_modules/.package-lock.json')
  const readLock = (file: string) => (JSON.parse(readFileSync(file, 'utf8')) as Lock).packages
  const installed = existsSync(lockFile) ? readLock(lockFile) : {}
  return Object.entries(readLock(join(folder, 'package-lock.json')))
    .filter(([path, { dev, optional }]) => path !== '' && !dev && !optional)
    .filter(([path, { version }]) => installed[path]?.version !== version)
    .map(([path, { version }]) => `${path.replace(/^.*node_modules\//, '')} ${version}`)
}

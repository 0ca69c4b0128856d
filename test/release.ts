/**
 * The last release, as it was: its code and its migrations. Where a package that it needs is no
 * dependency any more, it stays one of development until the release after it is out.
 *
 * `fixtures/release-0.1.0.tgz` was made by
 * git archive --prefix=release-0.1.0/ 9e397eb package.json migrations src | gzip -9n
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const name = 'release-0.1.0'
const run = promisify(execFile)

export type Release = {
  /** Its `src/main.ts`. */
  main: string
  /** Ends with a slash. */
  folder: URL
  /** Runs a command of it with exactly this environment, and answers what it wrote. */
  run(args: readonly string[], env: Record<string, string>): Promise<string>
  remove(): Promise<void>
}

/** Lays the release out below this folder, where it finds the packages that are installed. */
export async function unpackRelease(): Promise<Release> {
  const place = fileURLToPath(new URL('../.tap/', import.meta.url))
  await mkdir(place, { recursive: true })
  const dir = await mkdtemp(`${place}release-`)
  await run('tar', ['-xzf', fileURLToPath(new URL(`fixtures/${name}.tgz`, import.meta.url))], {
    cwd: dir
  })
  const folder = pathToFileURL(`${dir}/${name}/`)
  const main = fileURLToPath(new URL('src/main.ts', folder))
  return {
    main,
    folder,
    async run(args, env) {
      const all = ['--disable-warning=ExperimentalWarning', main, ...args]
      const { stdout } = await run(process.execPath, all, {
        env: { PATH: process.env.PATH ?? '', ...env }
      })
      return stdout
    },
    remove: () => rm(dir, { recursive: true, force: true })
  }
}

/** The commands of a document, run as its reader would. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'

/** What stands in the shell blocks of a document. */
export function commandsOf(document: string): string {
  return [...document.matchAll(/^ *```sh\n(.*?)^ *```$/gms)].map(([, block]) => block).join('\n')
}

/**
 * Runs the commands in one shell, in a folder of their own, with `given` in the place of what a
 * document can't know. Answers are 2xx, but where a comment at the end of their line names another
 * status. Answers what was printed.
 */
export async function follow(
  t: Test,
  commands: string,
  given: Readonly<Record<string, string>>
): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'guide-'))
  t.teardown(() => rm(dir, { recursive: true }))
  const shell = Object.entries(given).reduce(
    (all, [written, meant]) => all.replaceAll(written, meant),
    commands
  )
  const script = `set -eu -o pipefail
curl() { command curl -w '%{stderr}%{http_code} %{url}\\n' --max-time 30 "$@"; }
PATH=${dirname(process.execPath)}:$PATH
${shell}`
  const child = spawn('bash', ['-c', script], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] })
  const [said, statuses, [exit]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit')
  ])
  t.equal(exit, 0, `${said.slice(-500)}${statuses}`)
  const expected = [...commands.matchAll(/^.*# (\d{3})$/gm)].map(([, status]) => status)
  const odd = statuses.split('\n').filter((line) => /^\d{3} /.test(line) && !/^2/.test(line))
  t.same(
    odd.map((line) => line.slice(0, 3)),
    expected,
    statuses
  )
  return said
}

import { readdir } from 'node:fs/promises'
import t from 'tap'
import { restartAccountIds } from './test-service.ts'

/** How many processes run the tests; each has a file in `test/shares/`. */
export const shares = 12

/** The test files that process `share` runs, 0 to `shares` - 1: every twelfth of all, in order. */
export async function filesOf(share: number): Promise<string[]> {
  const files = await readdir(import.meta.dirname, { recursive: true })
  return files
    .filter((file) => file.endsWith('.test.ts') && !file.startsWith('shares'))
    .sort()
    .filter((_, index) => index % shares === share)
}

/** What one test may take, ms; the process has as long as its files need. */
const timeoutMs = 240_000

/**
 * Runs them one after the other in this process, since loading the service takes longer than most
 * of them. Each file still runs by itself, in a process of its own.
 */
export async function runShare(share: number): Promise<void> {
  t.beforeEach((t) => {
    if ((t.options.timeout ?? Infinity) > timeoutMs) t.setTimeout(timeoutMs)
  })
  for (const file of await filesOf(share)) {
    // Its tests are queued behind this one, and the next file behind them. The root test would end
    // if it had nothing to do while a file is loaded.
    await t.test(file, async () => {
      restartAccountIds()
      await import(`./${file}`)
    })
  }
}

/** What the callers of a drill were told: a line of JSON each, in a file that outlives the database. */
import { appendFileSync, readFileSync } from 'node:fs'
import type { Account, Payment, Posting, Refund } from '../../clients/typescript/src/index.ts'

/** What each account owes at first, minor units. */
export const owed = 10_000_000

/** One answer of the service, and when it had come, ms. */
export type Entry = {
  at: number
  payment?: Payment
  refund?: Refund
  account?: Account
  /** What billing took. */
  posting?: Posting
  /** Of the feed: where its reader will go on. */
  after?: string
}

/** Written at once: what is acknowledged is known, whatever happens next. */
export function note(file: string, told: Omit<Entry, 'at'>): void {
  appendFileSync(file, `${JSON.stringify({ at: Date.now(), ...told })}\n`)
}

/** All that was told, in its order. */
export function readJournal(file: string): Entry[] {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  return lines.map((line): Entry => JSON.parse(line))
}

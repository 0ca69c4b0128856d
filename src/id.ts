import { randomInt } from 'node:crypto'
import { readTime } from './database-clock.ts'

/** Crockford's alphabet: sorts as its values do, and has no letters that look like digits. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
const places = { time: 9, random: 7 } as const
const largestMs = 32 ** places.time - 1
const largestRandom = 32 ** places.random - 1

type IdPrefix =
  | 'pay'
  | 'cli'
  | 'chg'
  | 'adj'
  | 'txn'
  | 'cap'
  | 'can'
  | 'ref'
  | 'rev'
  | 'dsp'
  | 'dis'
  | 'crd'
  | 'reg'
  | 'evt'
  | 'whe'
  | 'whd'
  | 'set'
  | 'ntf'
  | 'bil'

let lastMs = 0
let lastRandom = 0

/**
 * A new id: prefix, `_` and 16 characters of which 9 are the time (ms, 45 bits) and 7 are random
 * (35 bits). Ids of one process grow strictly, so that they sort as they were made. Not a secret.
 */
export function newId(prefix: IdPrefix): string {
  const ms = readTime().getTime()
  if (ms > lastMs) {
    lastMs = ms
    // Of the lower half, so that there is room to count up. Node keeps random bytes for it.
    lastRandom = randomInt(2 ** 34)
  } else {
    lastRandom += 1
    if (lastRandom > largestRandom) {
      lastMs += 1
      lastRandom = 0
    }
  }
  return `${prefix}_${encode(lastMs, places.time)}${encode(lastRandom, places.random)}`
}

/** The smallest id that can have been made at `time` or later, for a range of ids. */
export function smallestIdAt(prefix: IdPrefix, time: Date): string {
  const ms = Math.min(Math.max(time.getTime(), 0), largestMs)
  return `${prefix}_${encode(ms, places.time)}${encode(0, places.random)}`
}

function encode(value: number, length: number): string {
  let text = ''
  for (let rest = value; text.length < length; rest = Math.floor(rest / 32)) {
    text = alphabet[rest % 32] + text
  }
  return text
}

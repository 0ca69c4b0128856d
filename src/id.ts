import { randomBytes } from 'node:crypto'
import { readTime } from './database-clock.ts'

/** Crockford's alphabet: sorts as its values do, and has no letters that look like digits. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
const randomBits = 35n
const largestMs = 2 ** 45 - 1
const largestRandom = (1n << randomBits) - 1n

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

let lastMs = 0n
let lastRandom = 0n

/**
 * A new id: prefix, `_` and 16 characters of which 9 are the time (ms, 45 bits) and 7 are random
 * (35 bits). Ids of one process grow strictly, so that they sort as they were made. Not a secret.
 */
export function newId(prefix: IdPrefix): string {
  const ms = BigInt(readTime().getTime())
  if (ms > lastMs) {
    lastMs = ms
    lastRandom = BigInt(`0x${randomBytes(5).toString('hex')}`) & (largestRandom >> 1n)
  } else {
    lastRandom += 1n
    if (lastRandom > largestRandom) {
      lastMs += 1n
      lastRandom = 0n
    }
  }
  return `${prefix}_${encode((lastMs << randomBits) | lastRandom)}`
}

/** The smallest id that can have been made at `time` or later, for a range of ids. */
export function smallestIdAt(prefix: IdPrefix, time: Date): string {
  const ms = Math.min(Math.max(time.getTime(), 0), largestMs)
  return `${prefix}_${encode(BigInt(ms) << randomBits)}`
}

function encode(bits: bigint): string {
  let text = ''
  for (let shift = 75n; shift >= 0n; shift -= 5n) text += alphabet[Number((bits >> shift) & 31n)]
  return text
}

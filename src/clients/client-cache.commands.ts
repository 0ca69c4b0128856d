/** Who calls, by what they come with: believed for a few seconds without asking again. */
import type { Db } from '../database/database.ts'
import { findClient, recordKeyUse } from './client.store.ts'
import type { Client } from './client.ts'

/** How long a client is believed without asking; a change drops it earlier. */
const cachedForMs = 5_000
const cachedMax = 10_000

/** Whose credential it is, or nobody's: for what reason, in words for its caller. */
export type Identified = { client: Client | null; fault?: string }

/** What was found of a credential, and for how long it is still good, ms. */
type Found = Identified & { expiresInMs?: number }

export type ClientCache = {
  /** Undefined: it must be asked about. */
  recall(hash: Buffer): Identified | undefined
  /** Whether it was somebody's when it was last asked about. */
  wasKnown(hash: Buffer): boolean
  /** Asks whose it is. */
  find(hash: Buffer, credential: string): Promise<Identified>
  /** Forgets what it knew: clients have changed. */
  drop(): void
}

type Cached = Identified & { until: number; drops: number }

/** Clients by the hash of their credential, and credentials that are nobody's. */
export function createClientCache(
  ask: (hash: Buffer, credential: string) => Promise<Found>
): ClientCache {
  const [known, unknown] = [new Map<string, Cached>(), new Map<string, Cached>()]
  let drops = 0
  const asked = new Map<string, { answer: Promise<Identified>; drops: number }>()
  const nameOf = (hash: Buffer) => hash.toString('latin1')

  async function learn(name: string, hash: Buffer, credential: string): Promise<Identified> {
    // A change may come while it is read: then it may be out of date.
    const dropsBefore = drops
    const { expiresInMs = cachedForMs, ...found } = await ask(hash, credential)
    known.delete(name)
    unknown.delete(name)
    const map = found.client === null ? unknown : known
    if (map.size >= cachedMax) map.clear()
    const until = performance.now() + Math.min(cachedForMs, expiresInMs)
    map.set(name, { ...found, until, drops: dropsBefore })
    return found
  }

  return {
    recall(hash) {
      const name = nameOf(hash)
      const cached = known.get(name) ?? unknown.get(name)
      const isGood = cached?.drops === drops && cached.until > performance.now()
      return isGood ? cached : undefined
    },
    wasKnown: (hash) => known.has(nameOf(hash)),
    async find(hash, credential) {
      const name = nameOf(hash)
      const under = asked.get(name)
      // All who come with it while it is asked about share the answer.
      if (under?.drops === drops) return await under.answer
      const one = { answer: learn(name, hash, credential), drops }
      asked.set(name, one)
      try {
        return await one.answer
      } finally {
        if (asked.get(name) === one) asked.delete(name)
      }
    },
    drop() {
      drops += 1
    }
  }
}

/** Clients by their keys. `onFault`: the use of a key could not be written down. */
export function createKeyCache(db: Db, onFault: (error: unknown) => void): ClientCache {
  return createClientCache(async (hash) => {
    const found = await findClient(db, hash)
    if (found === undefined) return { client: null }
    // For people: a request is served all the same.
    if (found.isUseDue) recordKeyUse(db, hash).catch(onFault)
    return found
  })
}

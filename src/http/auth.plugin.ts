import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { findClient, hashKey, recordKeyUse } from '../clients/client.store.ts'
import type { Client, Scope } from '../clients/client.ts'
import type { Db } from '../database/database.ts'
import { Problem } from '../problem.ts'
import type { RateLimits } from './rate-limit.plugin.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a client needs for this route; a route without it needs no key. */
    scope?: Scope
  }
  interface FastifyRequest {
    client: Client | null
  }
}

/** How long a client is believed without asking the database; a change drops it earlier. */
const cachedForMs = 5_000
const cachedMax = 10_000

export type ClientCache = {
  /** Whose key it is; null: nobody's; undefined: the database must be asked. */
  recall(hash: Buffer): Client | null | undefined
  /** Whether it was somebody's when it was last asked about. */
  wasKnown(hash: Buffer): boolean
  /** Asks the database. */
  find(hash: Buffer): Promise<Client | null>
  /** Forgets what it knew: clients have changed. */
  drop(): void
}

type Cached = { client: Client | null; until: number; drops: number }

/**
 * Clients by the hash of their key, and keys that are nobody's, for a few seconds. `onFault`: the
 * use of a key could not be written down.
 */
export function createClientCache(db: Db, onFault: (error: unknown) => void): ClientCache {
  const [known, unknown] = [new Map<string, Cached>(), new Map<string, Cached>()]
  let drops = 0
  const asked = new Map<string, { answer: Promise<Client | null>; drops: number }>()
  const nameOf = (hash: Buffer) => hash.toString('latin1')

  async function ask(name: string, hash: Buffer): Promise<Client | null> {
    // A change may come while it is read: then it may be out of date.
    const dropsBefore = drops
    const found = await findClient(db, hash)
    known.delete(name)
    unknown.delete(name)
    const map = found === undefined ? unknown : known
    if (map.size >= cachedMax) map.clear()
    const client = found?.client ?? null
    const until = performance.now() + Math.min(cachedForMs, found?.expiresInMs ?? cachedForMs)
    map.set(name, { client, until, drops: dropsBefore })
    // For people: a request is served all the same.
    if (found?.isUseDue) recordKeyUse(db, hash).catch(onFault)
    return client
  }

  return {
    recall(hash) {
      const name = nameOf(hash)
      const cached = known.get(name) ?? unknown.get(name)
      const isGood = cached?.drops === drops && cached.until > performance.now()
      return isGood ? cached.client : undefined
    },
    wasKnown: (hash) => known.has(nameOf(hash)),
    async find(hash) {
      const name = nameOf(hash)
      const under = asked.get(name)
      // All who come with a key while it is asked about share the answer.
      if (under?.drops === drops) return await under.answer
      const one = { answer: ask(name, hash), drops }
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

/** How to authenticate (RFC 6750, 3); `error` where a key was sent and is not enough. */
function challenge(error = ''): string {
  return `Bearer realm="one-off-payments"${error}`
}

/**
 * 401 without a valid key, 403 without the scope that the route asks for; 429 to whoever comes too
 * often, with a key or, where none is needed or valid, from one address.
 */
export function addAuthentication(
  app: FastifyInstance,
  clients: ClientCache,
  limits: RateLimits
): void {
  app.decorateRequest('client', null)
  app.addHook('onRequest', (request, reply, done) => {
    const { scope, unlimited } = request.routeOptions.config
    if (unlimited) return done()
    const hash = scope === undefined ? undefined : hashOf(request)
    const known = hash && clients.recall(hash)
    // Most are: nobody is asked, and nothing counted.
    if (known && !limits.areCounted) {
      admit(request, known, scope as Scope)
      return done()
    }
    authenticate(request, reply, scope).then(() => done(), done)
  })

  async function authenticate(request: FastifyRequest, reply: FastifyReply, scope?: Scope) {
    if (scope === undefined) return await limits.ofAddress(request, reply)
    const hash = hashOf(request)
    const client = hash === undefined ? null : await identify(request, hash)
    if (client === null) {
      await limits.ofAddress(request, reply)
      const isWrong = /^Bearer +\S/i.test(request.headers.authorization ?? '')
      const detail = 'Send `Authorization: Bearer <key>` with a valid key.'
      throw new Problem('unauthenticated', detail, {
        challenge: challenge(isWrong ? ', error="invalid_token"' : '')
      })
    }
    await limits.ofClient(request, reply, client.id)
    admit(request, client, scope)
  }

  /** Keys can't be guessed; but each that is tried would be a query. */
  async function identify(request: FastifyRequest, hash: Buffer): Promise<Client | null> {
    const recalled = clients.recall(hash)
    if (recalled !== undefined) return recalled
    if (!clients.wasKnown(hash)) await limits.refuseGuesses(request)
    const client = await clients.find(hash)
    if (client === null) await limits.countGuess(request)
    return client
  }
}

/** Of the key that it comes with, where that can be one. */
function hashOf({ headers: { authorization = '' } }: FastifyRequest): Buffer | undefined {
  const [, key] = /^Bearer +([\x21-\x7e]{1,200})$/i.exec(authorization) ?? []
  return key === undefined ? undefined : hashKey(key)
}

function admit(request: FastifyRequest, client: Client, scope: Scope): void {
  if (!client.scopes.includes(scope)) {
    throw new Problem('scope_missing', `This request needs the scope ${scope}.`, {
      challenge: challenge(`, error="insufficient_scope", scope="${scope}"`)
    })
  }
  request.client = client
}

/** The client of a request whose route names a scope. */
export function clientOf(request: FastifyRequest): Client {
  if (request.client === null) throw new Error(`${request.url} has no scope in its route`)
  return request.client
}

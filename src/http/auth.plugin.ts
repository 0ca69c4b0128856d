import type { FastifyInstance, FastifyRequest } from 'fastify'
import { findClient, hashKey } from '../clients/client.store.ts'
import type { Client, Scope } from '../clients/client.ts'
import type { Db } from '../database/database.ts'
import { Problem } from '../problem.ts'

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

export type ClientCache = { find(key: string): Promise<Client | undefined>; drop(): void }

/** Clients by the hash of their key, for a few seconds. Unknown keys are not remembered. */
export function createClientCache(db: Db): ClientCache {
  const known = new Map<string, { client: Client; until: number }>()
  let drops = 0
  return {
    async find(key) {
      const hash = hashKey(key)
      const name = hash.toString('latin1')
      const cached = known.get(name)
      if (cached !== undefined && cached.until > performance.now()) return cached.client
      const dropsBefore = drops
      const found = await findClient(db, hash)
      if (found === undefined) {
        known.delete(name)
        return undefined
      }
      if (known.size >= cachedMax) known.clear()
      // A change may have come while it was read: then it may be out of date.
      if (drops === dropsBefore) {
        const untilMs = Math.min(cachedForMs, found.expiresInMs)
        known.set(name, { client: found.client, until: performance.now() + untilMs })
      }
      return found.client
    },
    drop() {
      drops += 1
      known.clear()
    }
  }
}

/** How to authenticate (RFC 6750, 3); `error` where a key was sent and is not enough. */
function challenge(error = ''): string {
  return `Bearer realm="one-off-payments"${error}`
}

/** 401 without a valid key, 403 without the scope that the route asks for. */
export function addAuthentication(app: FastifyInstance, clients: ClientCache): void {
  app.decorateRequest('client', null)
  app.addHook('onRequest', async (request) => {
    const { scope } = request.routeOptions.config
    if (scope === undefined) return
    const { authorization = '' } = request.headers
    const [, key] = /^Bearer +([\x21-\x7e]{1,200})$/i.exec(authorization) ?? []
    const client = key === undefined ? undefined : await clients.find(key)
    if (client === undefined) {
      const isWrong = /^Bearer +\S/i.test(authorization)
      const detail = 'Send `Authorization: Bearer <key>` with a valid key.'
      throw new Problem('unauthenticated', detail, {
        challenge: challenge(isWrong ? ', error="invalid_token"' : '')
      })
    }
    if (!client.scopes.includes(scope)) {
      throw new Problem('scope_missing', `This request needs the scope ${scope}.`, {
        challenge: challenge(`, error="insufficient_scope", scope="${scope}"`)
      })
    }
    request.client = client
  })
}

/** The client of a request whose route names a scope. */
export function clientOf(request: FastifyRequest): Client {
  if (request.client === null) throw new Error(`${request.url} has no scope in its route`)
  return request.client
}

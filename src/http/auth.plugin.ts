import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { hashKey, keyPrefix } from '../clients/client.store.ts'
import type { Client, Scope } from '../clients/client.ts'
import type { ClientCache, Identified } from '../clients/client-cache.commands.ts'
import { resourcePath } from '../oauth/oauth.ts'
import { Problem } from '../problem.ts'
import type { Context } from '../service-context.ts'
import type { RateLimits } from './rate-limit.plugin.ts'
import { configOf } from './route-config.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a client needs for this route; a route without it needs no key. */
    scope?: Scope
  }
  interface FastifyRequest {
    client: Client | null
  }
}

/** Longer than any key; a token is as long as the headers may be. */
const keyMax = 200

/**
 * 401 without a valid key or access token, 403 without the scope that the route asks for; 429 to
 * whoever comes too often, with a key or, where none is needed or valid, from one address.
 */
export function addAuthentication(
  app: FastifyInstance,
  { clients, oauth, publicUrl }: Pick<Context, 'clients' | 'oauth' | 'publicUrl'>,
  limits: RateLimits
): void {
  const metadata = oauth && `, resource_metadata="${publicUrl}${resourcePath}"`

  app.decorateRequest('client', null)
  app.addHook('onRequest', (request, reply, done) => {
    const { scope, unlimited } = configOf(request)
    if (unlimited) return done()
    const sent = scope === undefined ? undefined : credentialOf(request)
    const hash = sent && hashKey(sent)
    const known = hash && cacheOf(sent).recall(hash)?.client
    // Most are: nobody is asked, and nothing counted.
    if (known && !limits.areCounted) {
      admit(request, known, scope as Scope)
      return done()
    }
    authenticate(request, reply, scope, sent).then(() => done(), done)
  })

  async function authenticate(
    request: FastifyRequest,
    reply: FastifyReply,
    scope?: Scope,
    sent?: string
  ) {
    if (scope === undefined) return await limits.ofAddress(request, reply)
    const { client, fault } =
      sent === undefined ? { client: null } : await identify(request, sent, cacheOf(sent))
    if (client === null) {
      await limits.ofAddress(request, reply)
      throw unauthenticated(request, fault)
    }
    await limits.ofClient(request, reply, client.id)
    admit(request, client, scope)
  }

  /** Keys can't be guessed; but each that is tried would be a query, or a signature to verify. */
  async function identify(
    request: FastifyRequest,
    sent: string,
    cache: ClientCache
  ): Promise<Identified> {
    const hash = hashKey(sent)
    const recalled = cache.recall(hash)
    if (recalled !== undefined) return recalled
    if (!cache.wasKnown(hash)) await limits.refuseGuesses(request)
    const found = await cache.find(hash, sent)
    if (found.client === null) await limits.countGuess(request)
    return found
  }

  /** What it can be is seen by how it begins. */
  function cacheOf(sent: string): ClientCache {
    return oauth === null || sent.startsWith(keyPrefix) ? clients : oauth.clients
  }

  /** Of what it comes with, where that can be a key or a token. */
  function credentialOf({ headers }: FastifyRequest): string | undefined {
    const [, sent] = /^Bearer +([\x21-\x7e]+)$/i.exec(headers.authorization ?? '') ?? []
    const isTooLong = sent !== undefined && sent.length > keyMax && cacheOf(sent) === clients
    return isTooLong ? undefined : sent
  }

  function unauthenticated(request: FastifyRequest, fault?: string): Problem {
    const isWrong = /^Bearer +\S/i.test(request.headers.authorization ?? '')
    const why = fault === undefined ? '' : `, error_description="${fault}"`
    const detail = fault ?? 'Send `Authorization: Bearer <key>` with a valid key.'
    return new Problem('unauthenticated', detail, {
      challenge: challenge(isWrong ? `, error="invalid_token"${why}` : '')
    })
  }

  /** How to authenticate (RFC 6750, 3); `error` where what was sent is not enough. */
  function challenge(error: string): string {
    return `Bearer realm="one-off-payments"${error}${metadata ?? ''}`
  }

  function admit(request: FastifyRequest, client: Client, scope: Scope): void {
    if (!client.scopes.includes(scope)) {
      throw new Problem('scope_missing', `This request needs the scope ${scope}.`, {
        challenge: challenge(`, error="insufficient_scope", scope="${scope}"`)
      })
    }
    request.client = client
  }
}

/** The client of a request whose route names a scope. */
export function clientOf(request: FastifyRequest): Client {
  if (request.client === null) throw new Error(`${request.url} has no scope in its route`)
  return request.client
}

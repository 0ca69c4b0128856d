import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '../problem.ts'
import { clientOf } from './auth.plugin.ts'
import { preconditionOf } from './etag.plugin.ts'
import type { OnceAnswer } from './idempotency.commands.ts'
import { type Claim, fingerprintOf } from './idempotency.store.ts'
import { pathOf } from './problems.plugin.ts'
import { configOf } from './route-config.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Its work is done once per Idempotency-Key, which every request must have. */
    idempotent?: boolean
  }
  interface FastifyRequest {
    claim: Claim | null
  }
}

/** Reads the key of requests that need one: a key that is missing or malformed is a problem. */
export function addIdempotency(app: FastifyInstance): void {
  app.decorateRequest('claim', null)
  // Once the body is read and valid, since the key stands for what it says.
  app.addHook('preHandler', (request, _, done) => {
    if (!configOf(request).idempotent) return done()
    const key = request.headers['idempotency-key']
    if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) {
      throw new Problem('idempotency_key_missing', 'Send 1 to 255 visible ASCII characters.')
    }
    const fingerprint = fingerprintOf(request.method, pathOf(request), request.body)
    const precondition = preconditionOf(request)
    request.claim = { clientId: clientOf(request).id, key, fingerprint, precondition }
    done()
  })
}

/** The key of a request whose route is idempotent, and what it stands for. */
export function claimOf({ claim, url }: FastifyRequest): Claim {
  if (claim === null) throw new Error(`${url} is not idempotent by its route`)
  return claim
}

/** An answer that goes out byte for byte as it was saved. */
export function sendSaved<R extends FastifyReply>(reply: R, answer: OnceAnswer): R {
  if (answer.replayed) reply.header('idempotent-replayed', 'true')
  const { status, body } = answer
  const type = status < 400 ? 'application/json; charset=utf-8' : 'application/problem+json'
  return reply.code(status).type(type).send(body) as R
}

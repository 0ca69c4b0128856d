import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '../problem.ts'
import { clientOf } from './auth.plugin.ts'
import { type Claim, fingerprintOf, type Reply } from './idempotency.store.ts'
import { pathOf } from './problems.plugin.ts'

/** The Idempotency-Key of a request and what it stands for; missing or malformed is a problem. */
export function claimOf(request: FastifyRequest): Claim {
  const key = request.headers['idempotency-key']
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new Problem('idempotency_key_missing', 'Send 1 to 255 visible ASCII characters.')
  }
  const fingerprint = fingerprintOf(request.method, pathOf(request), request.body)
  return { clientId: clientOf(request).id, key, fingerprint }
}

/** An answer that goes out byte for byte as it was saved. */
export function sendSaved(reply: FastifyReply, answer: Reply & { replayed: boolean }): never {
  if (answer.replayed) reply.header('idempotent-replayed', 'true')
  const { status, body } = answer
  const type = status < 400 ? 'application/json; charset=utf-8' : 'application/problem+json'
  return reply.code(status).type(type).send(body) as never
}

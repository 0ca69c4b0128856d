import type { FastifyRequest } from 'fastify'
import { Problem } from '../problem.ts'
import { clientOf } from './auth.plugin.ts'
import { type Claim, fingerprintOf } from './idempotency.store.ts'
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

import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '../problem.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** It is never refused for how often it comes: probes, and the provider's notifications. */
    unlimited?: boolean
  }
}

const windowS = 60
/** Keys of which no client is known, from one address within the window. */
const guessesMax = 100

type Limiter = ReturnType<FastifyInstance['createRateLimit']>

export type RateLimits = {
  /** Whether requests of clients that are known are counted. */
  areCounted: boolean
  /** Counts a request of a client that is known. Throws `rate_limited`. */
  ofClient(request: FastifyRequest, reply: FastifyReply, clientId: string): Promise<void>
  /** Counts a request without a valid key, by its address. Throws `rate_limited`. */
  ofAddress(request: FastifyRequest, reply: FastifyReply): Promise<void>
  /** Refuses an address from which too many keys were wrong. Throws `rate_limited`. */
  refuseGuesses(request: FastifyRequest): Promise<void>
  /** Counts a key that is wrong. */
  countGuess(request: FastifyRequest): Promise<void>
}

/**
 * Limits for each client, and for each address (an IPv6 network of 64 bits) where no key is needed:
 * `perMinute` requests, null for none. Wrong keys are limited whatever it says. Each instance
 * counts for itself, and at most 5,000 of each: then it forgets the one that was idle longest.
 */
export async function createRateLimits(
  app: FastifyInstance,
  perMinute: number | null
): Promise<RateLimits> {
  // Without waiting for it, it would limit nothing.
  await app.register(rateLimit, { global: false, timeWindow: windowS * 1000 })
  const max = perMinute ?? 0
  const clients = new WeakMap<FastifyRequest, string>()
  const byAddress = app.createRateLimit({ max })
  const byClient = app.createRateLimit({
    max,
    keyGenerator: (request) => clients.get(request) as string
  })
  const guesses = app.createRateLimit({ max: guessesMax })

  async function count(
    limiter: Limiter,
    name: string,
    request: FastifyRequest,
    reply: FastifyReply
  ) {
    const { remaining, ttlInSeconds, isExceeded } = await take(limiter, request)
    // draft-ietf-httpapi-ratelimit-headers-10
    reply.header('ratelimit-policy', `"${name}";q=${max};w=${windowS}`)
    reply.header('ratelimit', `"${name}";r=${remaining};t=${ttlInSeconds}`)
    if (isExceeded) throw exceeded(`At most ${max} requests in ${windowS} s.`, ttlInSeconds)
  }

  return {
    areCounted: perMinute !== null,
    async ofClient(request, reply, clientId) {
      if (perMinute === null) return
      clients.set(request, clientId)
      await count(byClient, 'client', request, reply)
    },
    async ofAddress(request, reply) {
      if (perMinute !== null) await count(byAddress, 'address', request, reply)
    },
    async refuseGuesses(request) {
      const { remaining, ttlInSeconds } = await take(guesses, request, { increment: false })
      if (remaining === 0) throw exceeded('Too many keys were wrong.', ttlInSeconds)
    },
    async countGuess(request) {
      await take(guesses, request)
    }
  }
}

async function take(limiter: Limiter, request: FastifyRequest, options?: { increment: boolean }) {
  const taken = await limiter(request, options)
  if (taken.isAllowed) throw new Error('nobody is exempt from this limit')
  return taken
}

function exceeded(detail: string, retryAfterS: number): Problem {
  return new Problem('rate_limited', detail, { retryAfterS })
}

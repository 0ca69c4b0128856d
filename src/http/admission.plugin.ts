/**
 * How many requests are worked on at the same time. What comes beyond that waits a moment for its
 * turn and is then refused, so that what was begun ends soon: whoever got 503 after a second would
 * else have got nothing after ten.
 */
import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Problem } from '../problem.ts'
import { readWait } from './prefer.ts'
import { configOf } from './route-config.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** With whom it waits for its turn; by default by its method. */
    lane?: Lane
    /** Whether a caller may wait here for a change, as it prefers (`Prefer: wait`). */
    waits?: boolean
  }
}

/** `outcomes`: what tells us what became of a payment. Probes are in no lane. */
type Lane = 'writes' | 'reads' | 'outcomes'

/** Requests of a lane in hand: a share of each, so that no kind of them holds up another. */
const mostInHand: Readonly<Record<Lane, number>> = { writes: 64, reads: 128, outcomes: 256 }
/** Further ones wait so long, ms: not all the same, or all who came at once would come again. */
const turnWithinMs = { least: 400, most: 800 } as const
/** And no more than so many. */
const mostWaiting = 2_000

type Admission = {
  /** The same calls, during which the request that makes them is not in hand: others work. */
  whileAway<Calls extends object>(calls: Calls): Calls
}

/**
 * Gives each request its turn once its body is there, so that a slow sender takes none from others.
 * Without a turn it is answered 503 `overloaded`.
 */
export function addAdmission(
  app: FastifyInstance,
  most: Readonly<Record<Lane, number>> = mostInHand
): Admission {
  const queues = {
    writes: createQueue(most.writes),
    reads: createQueue(most.reads),
    outcomes: createQueue(most.outcomes)
  }
  app.addHook('preValidation', (request, reply, done) => {
    const lane = laneOf(request)
    // Who has gone already would never give its turn back.
    if (lane === undefined || reply.raw.destroyed) return done()
    queues[lane].takeTurn(reply.raw, (hasTurn) => {
      const detail = 'More requests have come than can be answered soon.'
      if (hasTurn) done()
      else done(new Problem('overloaded', detail, { retryAfterS: 1 }))
    })
  })
  return { whileAway: (calls) => wrap(calls, queues.writes) }
}

/** A caller who waits for a change is in no lane: that takes nothing but a socket. */
function laneOf(request: FastifyRequest) {
  const { method, headers, is404 } = request
  const config = configOf(request)
  const isGet = method === 'GET' || method === 'HEAD'
  if (config.lane !== undefined) return config.lane
  const waits = config.waits === true && (readWait(headers.prefer) ?? 0) > 0
  if (config.quiet || is404 || waits) return undefined
  return isGet ? 'reads' : 'writes'
}

type Queue = ReturnType<typeof createQueue>

function createQueue(most: number) {
  let inHand = 0
  const waiting = new Set<() => void>()

  function enter(): void {
    inHand += 1
  }

  function leave(): void {
    inHand -= 1
    const [next] = waiting
    if (inHand < most) next?.()
  }

  /** Tells whether it got its turn, which ends with the answer. */
  function takeTurn(answer: ServerResponse, tell: (hasTurn: boolean) => void): void {
    const begin = () => {
      enter()
      answer.once('close', leave)
      tell(true)
    }
    if (inHand < most) begin()
    else if (waiting.size >= mostWaiting) tell(false)
    else waitForTurn(answer, begin, () => tell(false))
  }

  function waitForTurn(answer: ServerResponse, begin: () => void, giveUp: () => void): void {
    const end = (next: () => void) => {
      waiting.delete(take)
      clearTimeout(timer)
      answer.off('close', goAway)
      next()
    }
    const take = () => end(begin)
    const goAway = () => end(giveUp)
    const { least, most: longest } = turnWithinMs
    const timer = setTimeout(goAway, least + Math.random() * (longest - least))
    answer.once('close', goAway)
    waiting.add(take)
  }

  return { takeTurn, enter, leave }
}

/** The calls of an object: while one waits for its answer it is not in hand. */
function wrap<Calls extends object>(calls: Calls, { leave, enter }: Queue): Calls {
  const wrapped = Object.entries(calls).map(([name, call]) => {
    if (typeof call !== 'function') return [name, call]
    const counted = (...args: unknown[]) => {
      const answer = call.apply(calls, args)
      if (!(answer instanceof Promise)) return answer
      leave()
      return answer.finally(enter)
    }
    return [name, counted]
  })
  return Object.fromEntries(wrapped) as Calls
}

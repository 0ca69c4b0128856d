/** Many more creates than can be made: how soon each is answered, and what goes on meanwhile. */
import http from 'node:http'
import { setTimeout } from 'node:timers/promises'
import type { LoadResult } from './load-client.ts'
import { untilCalm } from './machine.ts'
import { type Plan, toRequest } from './operations.ts'
import { thousands } from './report.ts'
import { type Site, tellLoad } from './site.ts'
import { faultLines, type Outcome, quantile, type Stage } from './stage.ts'
import type { Target } from './targets.ts'

type Overload = {
  /** Creates a second, with as many connections as give the most. */
  best: { connections: number; rate: number }
  rounds: Round[]
}

type Round = {
  callers: string
  /** Answers 201 a second. */
  rate: number
  refused: number
  p99Ms: number
  mostMs: number
  liveMs: Quantiles
  readyMs: Quantiles
  /** Notifications beside the creates: how many of how many were taken, and the longest. */
  notifications: { sent: number; taken: number; mostMs: number }
  faults: string[]
}

type Quantiles = { p50: number; p99: number; most: number }

const connections = 1_000
const seconds = 8
const probeEveryMs = 100
const notifyEveryMs = 50
/** Of the creates and the notifications: no other operation has these numbers. */
const numbers = { create: 300_000_000, webhook: 700_000_000 }

/** 1,000 connections against the most that 16 or 64 give, by callers who wait and who do not. */
export async function measureOverload({ site, service: target }: Stage): Promise<Outcome> {
  let first = numbers.create
  const create = async (count: number, refusedRestMs: number): Promise<LoadResult> => {
    const { apiKey, port } = target
    first += 1_000_000
    const plan: Plan = {
      ...{ operation: 'create', server: 'service', port, connections: count, seconds, first },
      ...{ most: 1_000_000, apiKey, hmacKey: site.hmacKey, refusedRestMs }
    }
    await tellLoad(site.load, { prepare: plan })
    await untilCalm()
    return (await tellLoad<{ result: LoadResult }>(site.load, { go: true })).result
  }
  await create(16, 0)
  let best = { connections: 0, rate: 0 }
  for (const count of [16, 64]) {
    const rate = toRate(await create(count, 0))
    if (rate > best.rate) best = { connections: count, rate }
  }
  await target.seed(numbers.webhook, 10_000)
  const rounds: Round[] = []
  for (const [callers, restMs] of [
    ['who wait as Retry-After says', 1_000],
    ['who ask again at once', 0]
  ] as const) {
    const watch = startWatch(site, target, numbers.webhook + rounds.length * 5_000)
    const result = await create(connections, restMs)
    const { 503: refused = 0, ...others } = result.failures
    const faults = Object.entries(others).map(([what, times]) => `${times} × ${what}`)
    const { p99Ms, mostMs } = result
    const watched = await watch.end()
    rounds.push({ callers, rate: toRate(result), refused, p99Ms, mostMs, ...watched, faults })
  }
  const passed = rounds.every(({ faults }) => faults.length === 0)
  return { text: toTable({ best, rounds }), passed, raw: { best, rounds } }
}

function toRate({ count, seconds: took, failures }: LoadResult): number {
  const failed = Object.values(failures).reduce((sum, times) => sum + times, 0)
  return (count - failed) / took
}

/** Asks whether it lives and is ready, and sends notifications, each over a new connection. */
function startWatch(site: Site, { port, apiKey }: Target, first: number) {
  const took = { live: [] as number[], ready: [] as number[] }
  const notifications = { sent: 0, taken: 0, mostMs: 0 }
  let isOver = false

  async function probe(name: 'live' | 'ready'): Promise<void> {
    while (!isOver) {
      const { ms } = await ask(port, `/health/${name}`)
      took[name].push(ms)
      await setTimeout(probeEveryMs)
    }
  }
  async function notify(): Promise<void> {
    const plan: Plan = {
      ...{ operation: 'webhook', server: 'service', port, apiKey, hmacKey: site.hmacKey },
      ...{ connections: 1, seconds: 0, first, most: 0 }
    }
    while (!isOver) {
      const [, body] = toRequest(plan, first + notifications.sent).split('\r\n\r\n')
      notifications.sent += 1
      const { status, ms } = await ask(port, '/webhooks/adyen', body)
      if (status === 202) notifications.taken += 1
      notifications.mostMs = Math.max(notifications.mostMs, ms)
      await setTimeout(notifyEveryMs)
    }
  }
  const ended = Promise.all([probe('live'), probe('ready'), notify()])
  return {
    async end() {
      isOver = true
      await ended
      return { liveMs: toQuantiles(took.live), readyMs: toQuantiles(took.ready), notifications }
    }
  }
}

function ask(port: number, path: string, body?: string): Promise<{ status: number; ms: number }> {
  const startedAt = performance.now()
  return new Promise((resolve) => {
    const end = (status: number) => resolve({ status, ms: performance.now() - startedAt })
    const headers = { 'content-type': 'application/json' }
    const method = body === undefined ? 'GET' : 'POST'
    const asking = http.request({ port, host: '127.0.0.1', path, method, headers, agent: false })
    asking.on('error', () => end(0))
    asking.on('response', (response) => {
      response.resume().on('end', () => end(response.statusCode ?? 0))
    })
    asking.end(body)
  })
}

function toQuantiles(values: number[]): Quantiles {
  const at = (share: number) => quantile(values, share)
  return { p50: at(0.5), p99: at(0.99), most: at(1) }
}

function toTable({ best, rounds }: Overload): string {
  const row = (round: Round) => {
    const { liveMs, readyMs, notifications } = round
    const cells = [
      round.callers,
      `${thousands(round.rate)}, **${(round.rate / best.rate).toFixed(2)}**`,
      thousands(round.refused),
      `${thousands(round.p99Ms)}, ${thousands(round.mostMs)}`,
      ...[liveMs, readyMs].map(({ p99, most }) => `${thousands(p99)}, ${thousands(most)}`),
      `${notifications.taken} of ${notifications.sent}, ${thousands(notifications.mostMs)}`
    ]
    return `| ${cells.join(' | ')} |`
  }
  return [
    `The most is ${thousands(best.rate)} creates a second, with ${best.connections} connections.`,
    '',
    '| 1,000 callers | created/s, of the most (goal 0.8) | refused | p99, longest ms (goal 1,000) | ' +
      'live p99, longest ms (goal 100) | ready p99, longest ms (goal 100) | ' +
      'notifications taken, longest ms |',
    '|---|---|---|---|---|---|---|',
    ...rounds.map(row),
    ...faultLines(rounds.flatMap(({ faults }) => faults))
  ].join('\n')
}

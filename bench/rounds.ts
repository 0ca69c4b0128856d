/** Rounds: one operation, one server, some seconds, and what it took. */
import type { LoadMessage, LoadResult } from './load-client.ts'
import { type CpuReading, readCpu, untilCalm } from './machine.ts'
import type { Operation, Plan, ServerName } from './operations.ts'
import { hear } from './processes.ts'
import type { Site } from './site.ts'
import type { Target } from './targets.ts'

export type Bench = {
  site: Site
  targets: Record<ServerName, Target>
  connections: number
  roundSeconds: number
  warmUpSeconds: number
  /** Progress, for people. */
  tell(line: string): void
}

export type Round = {
  /** Answers a second. */
  rate: number
  p50Ms: number
  p99Ms: number
  /** From the last answer until all that was accepted is applied, s; 0 where that is at once. */
  backlogSeconds: number
  /** Answers a second, up to the moment when all was applied. */
  appliedRate: number
  cpu: RoundCpu | undefined
  /** What must not happen: answers that are not 2xx, writes that are not there. */
  faults: string[]
}

/** Work that is still due after the answers counts in, for it belongs to them. */
export type RoundCpu = {
  /** Of a request, µs. */
  serverUs: number
  postgresUs: number
  /** Of the round, in processors: 0.5 is half of one. */
  bench: number
  elsewhere: number
}

/** A floor's round and a round of ours right after it, or the other way round. */
export type Pair = Record<ServerName, Round>

/** A round is noisy when others used more than this of a processor. */
const elsewhereMax = 0.2
const pairsWanted = 3
/** Noisy pairs are measured again, but not for ever. */
const repeatsMax = 2
const backlogWithinMs = 60_000
/** More than any server here takes in; as many payments are made to be paid. */
const webhooksPerSecond = 8_000

const firstNumbers: Record<Operation, number> = {
  read: 0,
  webhook: 1_000_000,
  create: 100_000_000
}

export function isNoisy({ floor, service }: Pair): boolean {
  return [floor, service].some(({ cpu }) => cpu !== undefined && cpu.elsewhere > elsewhereMax)
}

/** Warms both servers up and measures them in turns; answers the quietest pairs, in order. */
export async function measure(bench: Bench, operation: Operation): Promise<Pair[]> {
  const next = { floor: firstNumbers[operation], service: firstNumbers[operation] }
  const run = async (name: ServerName, seconds: number, settled: boolean) => {
    const first = next[name]
    const most = operation === 'webhook' ? Math.ceil(seconds * webhooksPerSecond) : 10_000_000
    next[name] += operation === 'webhook' ? most : 1_000_000
    return await runRound(bench, bench.targets[name], { operation, seconds, first, most }, settled)
  }
  for (const name of ['floor', 'service'] as const) {
    bench.tell(`${operation}: warming up ${name}`)
    await run(name, bench.warmUpSeconds, false)
  }
  const pairs: Pair[] = []
  while (
    pairs.filter((pair) => !isNoisy(pair)).length < pairsWanted &&
    pairs.length < pairsWanted + repeatsMax
  ) {
    const pair: Partial<Pair> = {}
    const order = ['floor', 'service'] as const
    for (const name of pairs.length % 2 === 0 ? order : order.toReversed()) {
      const round = await run(name, bench.roundSeconds, true)
      pair[name] = round
      bench.tell(`${operation}, round ${pairs.length + 1}, ${name}: ${describe(round)}`)
    }
    pairs.push(pair as Pair)
  }
  return pairs.toSorted((one, other) => noiseOf(one) - noiseOf(other)).slice(0, pairsWanted)
}

function noiseOf(pair: Pair): number {
  return isNoisy(pair)
    ? Math.max(pair.floor.cpu?.elsewhere ?? 0, pair.service.cpu?.elsewhere ?? 0)
    : 0
}

type Stint = Pick<Plan, 'operation' | 'seconds' | 'first' | 'most'>

async function runRound(
  bench: Bench,
  target: Target,
  stint: Stint,
  settled: boolean
): Promise<Round> {
  const { site, connections } = bench
  const { tallies, apiKey, port, name } = target
  if (stint.operation === 'webhook') await target.seed(stint.first, stint.most)
  const plan: Plan = { ...stint, server: name, port, connections, apiKey, hmacKey: site.hmacKey }
  await tellLoad(site, { prepare: plan })
  if (settled) {
    await settle(target)
    await untilCalm()
  }
  const pids = {
    server: target.pid,
    postgres: site.postgresPid,
    bench: [site.load.pid, site.stub.pid]
  }
  const writtenBefore = await count(target, tallies[stint.operation])
  const startedAt = performance.now()
  const before = readCpu(pids)
  const { result } = await tellLoad<{ result: LoadResult }>(site, { go: true })
  const backlogSeconds = stint.operation === 'webhook' ? await untilApplied(target) : 0
  const after = readCpu(pids)
  const elapsedSeconds = (performance.now() - startedAt) / 1_000
  const faults = Object.entries(result.failures).map(([what, times]) => `${times} × ${what}`)
  const answered = result.count - Object.values(result.failures).reduce((a, b) => a + b, 0)
  const written = (await count(target, tallies[stint.operation])) - writtenBefore
  if (stint.operation !== 'read' && written !== answered) {
    faults.push(`${answered} answered 2xx, ${written} written`)
  }
  return {
    rate: result.count / result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    backlogSeconds,
    appliedRate: result.count / (result.seconds + backlogSeconds),
    cpu: before && after && toRoundCpu(before, after, result.count, elapsedSeconds),
    faults
  }
}

async function tellLoad<T>({ load }: Site, message: LoadMessage): Promise<T> {
  load.process.send(message)
  return await hear<T>(load.process)
}

/** What autovacuum and the checkpointer would do at some time is done now, for both alike. */
async function settle({ db }: Target): Promise<void> {
  await db.query('vacuum (analyze)')
  await db.query('checkpoint')
}

async function count({ db }: Target, statement: string): Promise<number> {
  const { rows } = await db.query<Record<string, string>>(statement)
  return Number(Object.values(rows[0] ?? {})[0])
}

/** Waits until nothing is due; answers how long that took, s. */
async function untilApplied(target: Target): Promise<number> {
  const { backlog } = target
  const startedAt = performance.now()
  if (backlog === undefined) return 0
  for (;;) {
    const waitedMs = performance.now() - startedAt
    if ((await count(target, backlog)) === 0 || waitedMs > backlogWithinMs) return waitedMs / 1_000
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

function toRoundCpu(
  before: CpuReading,
  after: CpuReading,
  requests: number,
  elapsedSeconds: number
): RoundCpu {
  const server = after.server - before.server
  const postgres = after.postgres - before.postgres
  const bench = after.bench - before.bench
  const machine = after.machine - before.machine
  return {
    serverUs: (server / requests) * 1e6,
    postgresUs: (postgres / requests) * 1e6,
    bench: bench / elapsedSeconds,
    elsewhere: Math.max(0, machine - server - postgres - bench) / elapsedSeconds
  }
}

function describe(round: Round): string {
  const { rate, p50Ms, p99Ms, backlogSeconds, cpu, faults } = round
  const parts = [
    `${Math.round(rate)}/s, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`,
    ...(backlogSeconds > 0 ? [`all applied ${backlogSeconds.toFixed(1)} s later`] : []),
    ...(cpu === undefined
      ? []
      : [
          `CPU ${cpu.serverUs.toFixed(0)} + ${cpu.postgresUs.toFixed(0)} µs a request`,
          `load client and stub ${cpu.bench.toFixed(2)}, elsewhere ${cpu.elsewhere.toFixed(2)} of a processor`
        ]),
    ...faults
  ]
  return parts.join('; ')
}

/** Rounds: one row, one server, some seconds, and what it took. */
import { type Counted, startCounting } from './counters.ts'
import type { LoadResult } from './load-client.ts'
import { type CpuReading, readCpu, untilCalm } from './machine.ts'
import { type Plan, replayed, type ServerName } from './operations.ts'
import type { Row } from './rows.ts'
import { send } from './seed.ts'
import { type Site, tellLoad } from './site.ts'
import { startTwo, type Target } from './targets.ts'

export type Bench = {
  site: Site
  /** In the order in which they are shown. */
  targets: readonly Target[]
  roundSeconds: number
  warmUpSeconds: number
  /** Progress, for people. */
  tell(line: string): void
}

export type Round = {
  /** Requests done a second, what they make due included. */
  rate: number
  /** Answers a second. */
  answeredRate: number
  p50Ms: number
  p99Ms: number
  /** From the last answer until all that was accepted is applied, s; 0 where that is at once. */
  backlogSeconds: number
  cpu: RoundCpu | undefined
  /** Of a request. */
  counted: Counted
  /** What must not happen: answers that are not 2xx, writes that are not there or too many. */
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
  /** Taken away by the host. */
  stolen: number
}

/** A round of each target, right after one another. */
export type Lap = Partial<Record<ServerName, Round>>

/** A lap is noisy beyond one of these: processors; the floor's rate from its median, a share. */
const limits = { elsewhere: 0.2, stolen: 0.05, floorSpread: 0.1 }
const lapsWanted = 3
/** Noisy laps are measured again, but not for ever. */
const repeatsMax = 2
const backlogWithinMs = 60_000
/** More than any server answers. */
const mostPerSecond = 100_000
/** Before it is known how many a target takes. */
const warmUpWebhooksPerSecond = 4_000
/** So many times what it took in the warm-up is made ready to be paid. */
const webhookReserve = 1.6

/** How noisy a lap was among all of its row: above 1 it does not count if another can be had. */
export function noiseOf(lap: Lap, laps: readonly Lap[]): number {
  const floors = laps.flatMap(({ floor }) => floor?.rate ?? [])
  const spread = lap.floor === undefined ? 0 : Math.abs(lap.floor.rate / median(floors) - 1)
  const cpus = Object.values(lap).flatMap(({ cpu }) => cpu ?? [])
  return Math.max(
    spread / limits.floorSpread,
    ...cpus.map(({ elsewhere }) => elsewhere / limits.elsewhere),
    ...cpus.map(({ stolen }) => stolen / limits.stolen)
  )
}

export function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** Numbers of payments: no two rounds of a run share one. */
let nextNumber = 10_000_000

/** The first of so many numbers that no payment has had. */
export function takeNumbers(count: number): number {
  nextNumber += count
  return nextNumber - count
}

/** Warms the servers up and measures them in turns; all laps that it took, in order. */
export async function measure(bench: Bench, row: Row): Promise<Lap[]> {
  const { site, tell } = bench
  const targets = bench.targets.filter(({ name }) => row.hasFloor || name !== 'floor')
  const fronts = await Promise.all(
    targets.map(async (target) =>
      row.instances === undefined ? { target, stop: () => {} } : await startTwo(site, target)
    )
  )
  site.stub.process.send({ delayMs: row.adyenMs ?? 0 })
  const runs: Array<{ target: Target; run: Run }> = []
  for (const { target } of fronts) {
    tell(`${row.id}: warming up ${target.name}`)
    runs.push({ target, run: await warmUp(bench, row, target) })
  }
  const laps: Lap[] = []
  const isQuiet = (lap: Lap) => noiseOf(lap, laps) <= 1
  while (laps.length < lapsWanted + repeatsMax && laps.filter(isQuiet).length < lapsWanted) {
    const lap: Lap = {}
    for (const { target, run } of laps.length % 2 === 0 ? runs : runs.toReversed()) {
      const round = await run()
      lap[target.name] = round
      tell(`${row.id}, lap ${laps.length + 1}, ${target.name}: ${describe(round)}`)
    }
    laps.push(lap)
  }
  site.stub.process.send({ delayMs: 0 })
  for (const { stop } of fronts) await stop()
  return laps
}

/** The quietest laps, as many as are wanted. */
export function quietest(laps: readonly Lap[]): Lap[] {
  return laps
    .toSorted((one, other) => noiseOf(one, laps) - noiseOf(other, laps))
    .slice(0, lapsWanted)
}

type Run = () => Promise<Round>

/** What a round of the row is, once the target is warm and has what the row needs. */
async function warmUp(bench: Bench, row: Row, target: Target): Promise<Run> {
  const { roundSeconds, warmUpSeconds } = bench
  const { operation } = row
  const path = row.page === undefined ? undefined : await findPage(target, row.page)
  const shared = { ...(path !== undefined && { path }) }
  if (operation === 'replay') {
    const first = takeNumbers(replayed)
    const make = { ...row, operation: 'create' } as const
    await runRound(bench, target, make, { seconds: 60, first, most: replayed })
    const again = (seconds: number) =>
      runRound(bench, target, row, { seconds, first, most: mostPerSecond * seconds })
    await again(warmUpSeconds)
    return () => again(roundSeconds)
  }
  const run = async (seconds: number, perSecond: number) => {
    const most = Math.ceil(seconds * perSecond)
    const stint = { ...shared, seconds, first: takeNumbers(most), most }
    return await runRound(bench, target, row, stint)
  }
  if (operation !== 'webhook') {
    await run(warmUpSeconds, mostPerSecond)
    return () => run(roundSeconds, mostPerSecond)
  }
  const { answeredRate } = await run(warmUpSeconds, warmUpWebhooksPerSecond)
  return () => run(roundSeconds, answeredRate * webhookReserve)
}

/** The path of a page of all payments, found by going there from the first. */
async function findPage({ port, apiKey }: Target, page: number): Promise<string> {
  let path = '/v1/payments?limit=20'
  for (let n = 1; n < page; n++) {
    const answer = await send('GET', `http://127.0.0.1:${port}${path}`, apiKey)
    const { nextCursor } = answer as { nextCursor: string | null }
    if (nextCursor === null) throw new Error(`there is no page ${n + 1} of the payments`)
    path = `/v1/payments?limit=20&cursor=${encodeURIComponent(nextCursor)}`
  }
  return path
}

type Stint = Pick<Plan, 'seconds' | 'first' | 'most' | 'path'>

async function runRound(bench: Bench, target: Target, row: Row, stint: Stint): Promise<Round> {
  const { site } = bench
  const { apiKey, port, name } = target
  const { operation, connections } = row
  if (operation === 'webhook') await target.seed(stint.first, stint.most)
  const whole = { server: name, port, connections, apiKey, hmacKey: site.hmacKey }
  const plan: Plan = { ...stint, ...whole, operation }
  await tellLoad(site.load, { prepare: plan })
  await settle(target)
  await untilCalm()
  const tally = target.tallies[operation === 'webhook' ? 'webhook' : 'create']
  const writtenBefore = await count(target, tally)
  const pids = {
    server: target.pids,
    postgres: site.postgresPid,
    bench: [
      site.load.pid,
      site.stub.pid,
      ...(target.balancer === undefined ? [] : [target.balancer])
    ]
  }
  const endCounting = await startCounting(site, target)
  const startedAt = performance.now()
  const before = readCpu(pids)
  const { result } = await tellLoad<{ result: LoadResult }>(site.load, { go: true })
  const backlogSeconds = operation === 'webhook' ? await untilApplied(target) : 0
  const after = readCpu(pids)
  const elapsedSeconds = (performance.now() - startedAt) / 1_000
  const counted = await endCounting()
  const answered = result.count - Object.values(result.failures).reduce((a, b) => a + b, 0)
  const written = (await count(target, tally)) - writtenBefore
  const wanted = operation === 'create' || operation === 'webhook' ? answered : 0
  return {
    rate: result.count / (result.seconds + backlogSeconds),
    answeredRate: result.count / result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    backlogSeconds,
    cpu: before && after && toRoundCpu(before, after, result.count, elapsedSeconds),
    counted: perRequest(counted, result.count),
    faults: [
      ...Object.entries(result.failures).map(([what, times]) => `${times} × ${what}`),
      ...(written === wanted ? [] : [`${answered} answered 2xx, ${written} written`])
    ]
  }
}

function perRequest({ statements, walBytes, imageBytes }: Counted, requests: number): Counted {
  return {
    statements: statements / requests,
    walBytes: walBytes / requests,
    imageBytes: imageBytes / requests
  }
}

/** What autovacuum and the checkpointer would do at some time is done now, for all alike. */
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
    elsewhere: Math.max(0, machine - server - postgres - bench) / elapsedSeconds,
    stolen: (after.stolen - before.stolen) / elapsedSeconds
  }
}

function describe(round: Round): string {
  const { rate, p50Ms, p99Ms, backlogSeconds, cpu, counted, faults } = round
  const { statements, walBytes } = counted
  const parts = [
    `${Math.round(rate)}/s, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`,
    ...(backlogSeconds > 0 ? [`all applied ${backlogSeconds.toFixed(1)} s later`] : []),
    `${statements.toFixed(2)} statements, ${Math.round(walBytes)} bytes of WAL`,
    ...(cpu === undefined
      ? []
      : [
          `CPU ${cpu.serverUs.toFixed(0)} + ${cpu.postgresUs.toFixed(0)} µs a request`,
          `bench ${cpu.bench.toFixed(2)}, elsewhere ${cpu.elsewhere.toFixed(2)}, ` +
            `stolen ${cpu.stolen.toFixed(2)} of a processor`
        ]),
    ...faults.map((fault) => `FAULT: ${fault}`)
  ]
  return parts.join('; ')
}

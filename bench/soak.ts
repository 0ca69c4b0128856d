/** `npm run bench -- soak`: mixed load at an even pace for minutes, and what memory does. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { LoadResult } from './load-client.ts'
import { readMemory, untilCalm } from './machine.ts'
import type { Operation, Plan } from './operations.ts'
import { startHelper } from './processes.ts'
import { thousands } from './report.ts'
import { median, takeNumbers } from './rounds.ts'
import { tellLoad } from './site.ts'
import { faultLines, type Outcome, type Stage } from './stage.ts'
import type { Target } from './targets.ts'

/** With how many connections; each rests after an answer, so that at most 100 a second come. */
const mix: ReadonlyArray<{ operation: Operation; connections: number }> = [
  { operation: 'create', connections: 4 },
  { operation: 'read', connections: 4 },
  { operation: 'webhook', connections: 4 },
  { operation: 'list', connections: 1 }
]
const restMs = 10
const sampleMs = 500
const goals = { idleMb: 120, peakMb: 200 }

type Minute = {
  lowMb: number
  medianMb: number
  highMb: number
  requests: number
  faults: string[]
}

export async function measureSoak(stage: Stage): Promise<Outcome> {
  const { site, service, minutes, tell } = stage
  const [pid = 0] = service.pids
  const loads = await Promise.all(mix.map(() => startHelper('load-client.ts', {}, site.cleaner)))
  await untilCalm()
  await sleep(2_000)
  const idleMb = readMemory(pid) ?? Number.NaN
  const lived: Minute[] = []
  for (let n = 1; n <= minutes; n++) {
    const plans = mix.map((one) => toPlan(service, site.hmacKey, one))
    for (const { operation, first, most } of plans) {
      if (operation === 'webhook') await service.seed(first, most)
    }
    await Promise.all(loads.map((load, at) => tellLoad(load, { prepare: plans[at] as Plan })))
    const samples: number[] = []
    const sampler = setInterval(() => samples.push(readMemory(pid) ?? Number.NaN), sampleMs)
    const results = await Promise.all(
      loads.map((load) => tellLoad<{ result: LoadResult }>(load, { go: true }))
    )
    clearInterval(sampler)
    const minute = toMinute(
      samples,
      results.map(({ result }) => result)
    )
    lived.push(minute)
    tell(`minute ${n}: ${Math.round(minute.medianMb)} MB, ${minute.requests} requests`)
  }
  const peakMb = readMemory(pid, 'most') ?? Number.NaN
  const faults = lived.flatMap((minute, n) => minute.faults.map((one) => `minute ${n + 1}: ${one}`))
  const raw = { idleMb, peakMb, minutes: lived }
  return { text: toTable(raw, faults), passed: faults.length === 0, raw }
}

function toPlan(
  { name, port, apiKey }: Target,
  hmacKey: string,
  { operation, connections }: (typeof mix)[number]
): Plan {
  const most = (60 * connections * 1_000) / restMs
  return {
    ...{ operation, server: name, port, connections, seconds: 60, first: takeNumbers(most), most },
    ...{ restMs, apiKey, hmacKey, path: '/v1/payments?limit=20' }
  }
}

function toMinute(samples: number[], results: LoadResult[]): Minute {
  return {
    lowMb: Math.min(...samples),
    medianMb: median(samples),
    highMb: Math.max(...samples),
    requests: results.reduce((sum, { count }) => sum + count, 0),
    faults: results.flatMap(({ failures }, at) =>
      Object.entries(failures).map(([what, times]) => `${mix[at]?.operation}: ${times} × ${what}`)
    )
  }
}

function toTable(
  { idleMb, peakMb, minutes }: { idleMb: number; peakMb: number; minutes: Minute[] },
  faults: string[]
): string {
  const mb = (value: number) => value.toFixed(0)
  // The first minute fills caches and makes room; what comes after must stay where it is.
  const growth = (minutes.at(-1)?.medianMb ?? Number.NaN) - (minutes[1]?.medianMb ?? Number.NaN)
  return [
    '| minute of mixed load | memory, MB: lowest | median | highest | requests |',
    '|---|---|---|---|---|',
    ...minutes.map(
      ({ lowMb, medianMb, highMb, requests }, n) =>
        `| ${n + 1} | ${mb(lowMb)} | ${mb(medianMb)} | ${mb(highMb)} | ${thousands(requests)} |`
    ),
    '',
    `Idle ${mb(idleMb)} MB (goal ${goals.idleMb}), peak ${mb(peakMb)} MB (goal ${goals.peakMb})` +
      (minutes.length > 2
        ? `; from minute 2 to the last the median grew by ${mb(growth)} MB.`
        : '.'),
    ...faultLines(faults)
  ].join('\n')
}

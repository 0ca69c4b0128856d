/** How long the service takes from spawn to ready on an existing database, and its memory then. */
import { join } from 'node:path'
import { readCpuOf, readMemory, untilCalm } from './machine.ts'
import { findFreePort, startMain, untilReady } from './processes.ts'
import { thousands } from './report.ts'
import { median } from './rounds.ts'
import type { Site } from './site.ts'
import type { Outcome, Stage } from './stage.ts'
import { productionEnv, type Target } from './targets.ts'

type StartUp = {
  /** From spawn to the first 200 of /health/ready, ms. */
  readyMs: number
  /** Processor time until then, which a busy machine does not lengthen much, ms. */
  cpuMs: number | undefined
  /** Resident memory after some seconds of rest, MB; undefined where it can't be read. */
  idleMb: number | undefined
}

const restMs = 2_000
const starts = 3
const goals = { readyMs: 700, idleMb: 120, peakMb: 200 }

/** Starts in turns: each build, without a compile cache and with one that is warm. */
export async function measureStartUp({ site, builds, against = '' }: Stage): Promise<Outcome> {
  const kinds = builds.flatMap((target) => {
    const name = target.name === 'against' ? against : target.name
    const cacheFolder = join(site.folder, `compile-cache-${target.name}`)
    const runs = () => [] as StartUp[]
    return [
      { target, name: `${name}, without a compile cache`, cacheFolder: undefined, runs: runs() },
      { target, name: `${name}, with a warm compile cache`, cacheFolder, runs: runs() }
    ]
  })
  for (const { target, cacheFolder } of kinds) {
    if (cacheFolder !== undefined) await startOnce(site, target, cacheFolder, 0)
  }
  for (let n = 0; n < starts; n++) {
    for (const { target, cacheFolder, runs } of kinds) {
      await untilCalm()
      runs.push(await startOnce(site, target, cacheFolder, restMs))
    }
  }
  const peaks = builds.map(({ name, pids: [pid = 0] }) => ({ name, mb: readMemory(pid, 'most') }))
  const shown = (value: number | undefined) => (value === undefined ? '–' : thousands(value))
  const text = [
    `| start, median of ${starts} | from spawn to ready, ms (goal ${goals.readyMs}) | ` +
      `CPU until then, ms | idle, MB (goal ${goals.idleMb}) |`,
    '|---|---|---|---|',
    ...kinds.map(({ name, runs }) => {
      const of = (read: (run: StartUp) => number | undefined) =>
        shown(medianOfKnown(runs.map(read)))
      const cells = [of(({ readyMs }) => readyMs), of(({ cpuMs }) => cpuMs)]
      return `| ${[name, ...cells, of(({ idleMb }) => idleMb)].join(' | ')} |`
    }),
    '',
    ...peaks.map(
      ({ name, mb }) =>
        `Peak of ${name === 'against' ? against : name} in this run: ${shown(mb)} MB ` +
        `(goal ${goals.peakMb}).`
    )
  ].join('\n')
  const raw = { starts: kinds.map(({ name, runs }) => ({ name, runs })), peaks }
  return { text, passed: true, raw }
}

function medianOfKnown(values: ReadonlyArray<number | undefined>): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : median(known)
}

async function startOnce(
  site: Site,
  { name, build }: Target,
  cacheFolder: string | undefined,
  idleMs: number
): Promise<StartUp> {
  const port = await findFreePort()
  const env = {
    ...productionEnv(site, port, name),
    ...(cacheFolder !== undefined && { NODE_COMPILE_CACHE: cacheFolder })
  }
  const startedAt = performance.now()
  const log = join(site.folder, 'start-up.log')
  const child = startMain([], env, log, site.cleaner, build?.program)
  await untilReady(port, child, log)
  const readyMs = performance.now() - startedAt
  const cpuMs = readCpuOf(child.pid)
  await new Promise((resolve) => setTimeout(resolve, idleMs))
  const idleMb = readMemory(child.pid)
  await child.stop()
  return { readyMs, cpuMs, idleMb }
}

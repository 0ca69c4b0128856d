/** How long the service takes from spawn to ready on an existing database, and its memory then. */
import { join } from 'node:path'
import { readCpuOf, readMemory, untilCalm } from './machine.ts'
import { findFreePort, startMain, untilReady } from './processes.ts'
import type { Site } from './site.ts'
import { productionEnv } from './targets.ts'

export type StartUp = {
  /** From spawn to the first 200 of /health/ready, ms. */
  readyMs: number
  /** Processor time until then, which a busy machine does not lengthen much, ms. */
  cpuMs: number | undefined
  /** Resident memory after some seconds of rest, MB; undefined where it can't be read. */
  idleMb: number | undefined
}

const restMs = 2_000
const starts = 3

/** The medians of three starts; with `cacheFolder`, of starts after one that filled the cache. */
export async function measureStartUp(site: Site, cacheFolder?: string): Promise<StartUp> {
  if (cacheFolder !== undefined) await startOnce(site, cacheFolder, 0)
  const runs: StartUp[] = []
  for (let n = 0; n < starts; n++) {
    await untilCalm()
    runs.push(await startOnce(site, cacheFolder, restMs))
  }
  return {
    readyMs: median(runs.map(({ readyMs }) => readyMs)),
    cpuMs: medianOfKnown(runs.map(({ cpuMs }) => cpuMs)),
    idleMb: medianOfKnown(runs.map(({ idleMb }) => idleMb))
  }
}

function medianOfKnown(values: ReadonlyArray<number | undefined>): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : median(known)
}

async function startOnce(
  site: Site,
  cacheFolder: string | undefined,
  idleMs: number
): Promise<StartUp> {
  const port = await findFreePort()
  const env = {
    ...productionEnv(site, port),
    ...(cacheFolder !== undefined && { NODE_COMPILE_CACHE: cacheFolder })
  }
  const startedAt = performance.now()
  const log = join(site.folder, 'start-up.log')
  const child = startMain([], env, log, site.cleaner)
  await untilReady(port, child, log)
  const readyMs = performance.now() - startedAt
  const cpuMs = readCpuOf(child.pid)
  await new Promise((resolve) => setTimeout(resolve, idleMs))
  const idleMb = readMemory(child.pid)
  await child.stop()
  return { readyMs, cpuMs, idleMb }
}

export function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN
}

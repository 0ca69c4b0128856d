/** How long the service takes from spawn to ready on an existing database, and its memory then. */
import { join } from 'node:path'
import { readMemory } from './machine.ts'
import { findFreePort, startMain, untilReady } from './processes.ts'
import type { Site } from './site.ts'
import { productionEnv } from './targets.ts'

export type StartUp = {
  /** From spawn to the first 200 of /health/ready, ms. */
  readyMs: number
  /** Resident memory after some seconds of rest, MB; undefined where it can't be read. */
  idleMb: number | undefined
}

const restMs = 2_000
const starts = 3

/** The medians of three starts; with `cacheFolder`, of starts after one that filled the cache. */
export async function measureStartUp(site: Site, cacheFolder?: string): Promise<StartUp> {
  if (cacheFolder !== undefined) await startOnce(site, cacheFolder, 0)
  const runs: StartUp[] = []
  for (let n = 0; n < starts; n++) runs.push(await startOnce(site, cacheFolder, restMs))
  const memories = runs.flatMap(({ idleMb }) => (idleMb === undefined ? [] : [idleMb]))
  return {
    readyMs: median(runs.map(({ readyMs }) => readyMs)),
    idleMb: memories.length === 0 ? undefined : median(memories)
  }
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
  const child = startMain([], env, join(site.folder, 'start-up.log'), site.cleaner)
  await untilReady(port, child)
  const readyMs = performance.now() - startedAt
  await new Promise((resolve) => setTimeout(resolve, idleMs))
  const idleMb = readMemory(child.pid)
  await child.stop()
  return { readyMs, idleMb }
}

export function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN
}

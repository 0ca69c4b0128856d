/** What is broken on an embedded PostgreSQL: instances, the database, the release. */
import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { startPostgres } from '../sandbox/postgres.ts'
import { findBinaries, runnableBinaries } from '../sandbox/postgres-binaries.ts'
import { unpackRelease } from '../test/release.ts'
import { type Ground, main, migrate, openGround, type Place, places } from './ground.ts'
import type { Load } from './load.ts'
import { endure, type Outcome, type Stage, untilBusy } from './trial.ts'

const run = promisify(execFile)

/** The database is away so long at most before it is started again, ms. */
const longestAwayMs = 1_500

async function openSite({ cleaner, folder }: Stage, program?: string): Promise<Site> {
  const dir = join(folder, 'postgres')
  let postgres = await startPostgres({ dir })
  cleaner.add(() => postgres.stop())
  const ground = await openGround(cleaner, {
    ...{ folder, serverUrl: postgres.url },
    ...(program !== undefined && { program })
  })
  return {
    ground,
    data: join(dir, 'data'),
    async restart() {
      postgres = await startPostgres({ dir })
    }
  }
}
type Site = { ground: Ground; data: string; restart(): Promise<void> }

/** Both instances, each at moments of its own: now and then none is there. */
export async function killInstances(stage: Stage): Promise<Outcome> {
  const { ground } = await openSite(stage)
  const harm = async (count: number, load: Load) => {
    let left = count
    const keepKilling = async (place: Place) => {
      while (left > 0) {
        left -= 1
        await untilBusy(load)
        await ground.kill(place)
        await ground.start(place)
      }
    }
    await Promise.all(places.map(keepKilling))
  }
  return { ...(await endure(stage, ground, { atOnce: 8, harm })), notes: [] }
}

/** As a power cut of its machine: nothing is written any more, and recovery is left to the start. */
export async function stopDatabase(stage: Stage): Promise<Outcome> {
  const { ground, data, restart } = await openSite(stage)
  const { uid, gid } = await stat(data)
  const user = process.getuid?.() === 0 ? { uid, gid } : undefined
  const native = await runnableBinaries(findBinaries(), user)
  const harm = async (count: number, load: Load) => {
    for (let n = 0; n < count; n++) {
      await untilBusy(load)
      await run(join(native, 'bin/pg_ctl'), ['stop', '-m', 'immediate', '-D', data], user)
      await setTimeout(Math.random() * longestAwayMs)
      await restart()
    }
  }
  return { ...(await endure(stage, ground, { atOnce: 4, harm })), notes: [] }
}

/** The last release, this version, the last release again, and so on: one instance after another. */
export async function changeRelease(stage: Stage): Promise<Outcome> {
  const release = await unpackRelease()
  stage.cleaner.add(() => release.remove())
  const { ground } = await openSite(stage, release.main)
  let isNew = false
  const harm = async (_: number, load: Load) => {
    isNew = !isNew
    if (isNew) await migrate(main, ground.ownerUrl)
    for (const place of places) {
      await untilBusy(load)
      await ground.stop(place)
      await ground.start(place, isNew ? main : release.main)
    }
  }
  return { ...(await endure(stage, ground, { atOnce: 1, harm })), notes: [] }
}

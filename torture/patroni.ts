/** The leader of a Patroni cluster is killed, and comes back as a standby before the next one is. */
import { startCluster } from './cluster.ts'
import { openGround } from './ground.ts'
import type { Load } from './load.ts'
import { endure, type Outcome, type Stage, untilBusy } from './trial.ts'

export async function killLeaders(stage: Stage): Promise<Outcome> {
  const { cleaner, folder, tell } = stage
  tell('etcd, three nodes and HAProxy start')
  const cluster = await startCluster(cleaner, folder)
  const ground = await openGround(cleaner, { folder, serverUrl: cluster.url })
  const outages: number[] = []
  const harm = async (_: number, load: Load) => {
    await untilBusy(load)
    const begun = performance.now()
    const name = await cluster.killLeader()
    await cluster.untilLed()
    const outageS = (performance.now() - begun) / 1_000
    outages.push(outageS)
    tell(`node ${name} was killed; ${outageS.toFixed(1)} s without a leader`)
  }
  const outcome = await endure(stage, ground, { atOnce: 1, harm, mend: cluster.mend })
  const [least, most] = [Math.min(...outages), Math.max(...outages)].map((one) => one.toFixed(1))
  return { ...outcome, notes: [`${least} to ${most} s without a leader`] }
}

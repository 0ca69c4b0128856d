/** Callers who wait for a change: what they cost an instance, and how soon another wakes them. */
import { setTimeout } from 'node:timers/promises'
import { readMemory, untilCalm } from './machine.ts'
import { hear, startHelper } from './processes.ts'
import type { Site } from './site.ts'
import { startInstance, type Target } from './targets.ts'
import type { WaitingMessage, WaitingPlan, WaitingResult } from './waiting-client.ts'

export type Waiting = WaitingResult & {
  callers: number
  changes: number
  /** By how much they raise the resident memory of their instance, MB; undefined: not readable. */
  memoryMb: number | undefined
  /** Connections to the database, of both instances, before they came and while they wait. */
  connectionsBefore: number
  connections: number
}

const callers = 5_000
const changes = 1_000
const changesPerSecond = 100
/** The numbers of the payments that are waited for: no operation has them. */
const first = 900_000_000
/** After which memory and connections are read, ms. */
const restMs = 3_000

/** 5,000 callers wait on a second instance; the first is told of 1,000 changes. */
export async function measureWaiting(site: Site, target: Target): Promise<Waiting> {
  await target.seed(first, callers)
  const other = await startInstance(site, 'other.log')
  const { process } = await startHelper('waiting-client.ts', {}, site.cleaner)
  const tell = async <T>(message: WaitingMessage): Promise<T> => {
    process.send(message)
    return await hear<T>(process)
  }
  const { apiKey, port } = target
  const plan: WaitingPlan = {
    port: other.port,
    first,
    callers,
    changes: {
      ...{ operation: 'webhook', server: 'service', port, apiKey, hmacKey: site.hmacKey },
      ...{ connections: 1, seconds: 0, first, most: changes }
    },
    changesPerSecond
  }
  await untilCalm()
  const memoryBefore = readMemory(other.pid)
  const connectionsBefore = await countConnections(target)
  await tell({ open: plan })
  await setTimeout(restMs)
  const memory = readMemory(other.pid)
  const connections = await countConnections(target)
  const { result } = await tell<{ result: WaitingResult }>({ change: true })
  await other.stop()
  const memoryMb = memory && memoryBefore && memory - memoryBefore
  return { ...result, callers, changes, memoryMb, connectionsBefore, connections }
}

async function countConnections({ db }: Target): Promise<number> {
  const { rows } = await db.query<{ count: string }>(
    `select count(*) from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid()`
  )
  return Number(rows[0]?.count)
}

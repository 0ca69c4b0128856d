/** Callers who wait for a change: what they cost an instance, and how soon another wakes them. */
import { setTimeout } from 'node:timers/promises'
import { readMemory, untilCalm } from './machine.ts'
import { hear, startHelper } from './processes.ts'
import { thousands } from './report.ts'
import { faultLines, type Outcome, type Stage } from './stage.ts'
import { startInstance, type Target } from './targets.ts'
import type { WaitingMessage, WaitingPlan, WaitingResult } from './waiting-client.ts'

type Waiting = WaitingResult & {
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
export async function measureWaiting({ site, service: target }: Stage): Promise<Outcome> {
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
  const waiting = { ...result, callers, changes, memoryMb, connectionsBefore, connections }
  return { text: toTable(waiting), passed: result.faults.length === 0, raw: waiting }
}

async function countConnections({ db }: Target): Promise<number> {
  const { rows } = await db.query<{ count: string }>(
    `select count(*) from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid()`
  )
  return Number(rows[0]?.count)
}

function toTable(waiting: Waiting): string {
  const { callers, changes, memoryMb, connections, connectionsBefore, faults } = waiting
  const ms = (value: number) => value.toFixed(1)
  const memory = memoryMb === undefined ? '–' : memoryMb.toFixed(0)
  return [
    `| ${thousands(callers)} callers wait on a second instance | memory, MB (goal 100) | ` +
      'connections to the database, before and with them |',
    '|---|---|---|',
    `| | ${memory} | ${connectionsBefore}, ${connections} |`,
    '',
    `| ${thousands(changes)} changes told to the first | p50 ms | p99 ms (goal 100) | longest ms |`,
    '|---|---|---|---|',
    '| from sending the notification until the caller has its answer | ' +
      `${ms(waiting.p50Ms)} | ${ms(waiting.p99Ms)} | ${ms(waiting.mostMs)} |`,
    ...faultLines(faults)
  ].join('\n')
}

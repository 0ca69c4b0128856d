/**
 * From the commit of an event until a reader of the feed has it, while payments are created as fast
 * as they can be. PostgreSQL keeps the time of each commit (`track_commit_timestamp`, taken just
 * before the commit is made durable), by the clock of the machine that the reader is on.
 */
import { setTimeout } from 'node:timers/promises'
import type { FeedMessage, FeedNotes } from './feed-reader.ts'
import type { LoadResult } from './load-client.ts'
import { untilCalm } from './machine.ts'
import type { Plan } from './operations.ts'
import { type Child, hear, startHelper } from './processes.ts'
import { takeNumbers } from './rounds.ts'
import { tellLoad } from './site.ts'
import { faultLines, inTurns, medianOf, type Outcome, quantile, type Stage } from './stage.ts'
import type { Target } from './targets.ts'

type Told = {
  /** Creates a second meanwhile. */
  rate: number
  p50Ms: number
  p99Ms: number
  mostMs: number
  events: number
  faults: string[]
}

const connections = 16
const goalMs = 60
/** After the last create, in which all must have been told, ms. */
const lastMs = 2_000

export async function measureFeed(stage: Stage): Promise<Outcome> {
  const reader = await startHelper('feed-reader.ts', {}, stage.site.cleaner)
  const turns = await inTurns(stage, (target) => readWhileCreating(stage, target, reader))
  await reader.stop()
  const rows = turns.map(({ shown, results }) => {
    const of = (read: (told: Told) => number) => medianOf(results, read).toFixed(0)
    const ms = [of(({ p50Ms }) => p50Ms), of(({ p99Ms }) => p99Ms), of(({ mostMs }) => mostMs)]
    return `| ${shown} | ${of(({ rate }) => rate)} | ${ms.join(' | ')} |`
  })
  const faults = turns.flatMap(({ shown, results }) =>
    results.flatMap((told) => told.faults.map((fault) => `${shown}: ${fault}`))
  )
  const text = [
    `| event committed → told at the feed | creates a second, ${connections} connections | ` +
      `p50 ms | p99 ms (goal ${goalMs}) | longest ms |`,
    '|---|---|---|---|---|',
    ...rows,
    ...faultLines(faults)
  ].join('\n')
  return { text, passed: faults.length === 0, raw: turns }
}

async function readWhileCreating(
  { site, quick }: Stage,
  { name, port, apiKey, db, commits }: Target,
  reader: Child
): Promise<Told> {
  const seconds = quick ? 2 : 5
  const tell = (message: FeedMessage) => reader.process.send(message)
  tell({ read: { port, apiKey } })
  await hear(reader.process)
  await untilCalm()
  const most = 20_000 * seconds
  const whole = { server: name, port, apiKey, hmacKey: site.hmacKey, connections, seconds }
  const plan: Plan = { ...whole, operation: 'create', first: takeNumbers(most), most }
  await tellLoad(site.load, { prepare: plan })
  const { result } = await tellLoad<{ result: LoadResult }>(site.load, { go: true })
  await setTimeout(lastMs)
  tell({ end: true })
  const { notes } = await hear<FeedNotes>(reader.process)
  const committed = await db.query<{ id: string; at: number }>(commits, [notes.map(([id]) => id)])
  const commitOf = new Map(committed.rows.map(({ id, at }) => [id, Number(at)]))
  const took = notes.map(([id, at]) => at - (commitOf.get(id) ?? Number.NaN))
  const failed = Object.values(result.failures).reduce((sum, times) => sum + times, 0)
  const unknown = took.filter(Number.isNaN).length
  return {
    rate: result.count / result.seconds,
    p50Ms: quantile(took, 0.5),
    p99Ms: quantile(took, 0.99),
    mostMs: quantile(took, 1),
    events: notes.length,
    faults: [
      ...(failed === 0 ? [] : [`${failed} creates failed`]),
      ...(unknown === 0 ? [] : [`of ${unknown} events the commit is not known`]),
      ...(notes.length === result.count - failed
        ? []
        : [`${result.count - failed} payments were made, ${notes.length} events told`])
    ]
  }
}

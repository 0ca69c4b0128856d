/**
 * Webhooks out: how many deliveries a second one endpoint gets. Payments are made first; then the
 * endpoint is, and asks for their events again, so that all are due at once and nothing else is.
 */
import { setTimeout } from 'node:timers/promises'
import type { LoadResult } from './load-client.ts'
import { untilCalm } from './machine.ts'
import type { Plan } from './operations.ts'
import { type Child, hear, startHelper } from './processes.ts'
import type { Received, ReceiverMessage } from './receiver.ts'
import { takeNumbers } from './rounds.ts'
import { send } from './seed.ts'
import { tellLoad } from './site.ts'
import { faultLines, inTurns, medianOf, type Outcome, type Stage } from './stage.ts'
import type { Target } from './targets.ts'

type Deliveries = { rate: number; count: number; faults: string[] }

/** Events that are delivered in a turn. */
const events = 3_000
/** After which what was made is in the feed, ms. */
const announcedMs = 2_000

export async function measureDeliveries(stage: Stage): Promise<Outcome> {
  const receiver = await startHelper<{ port: number }>('receiver.ts', {}, stage.site.cleaner)
  const turns = await inTurns(stage, (target) => deliver(stage, target, receiver))
  await receiver.stop()
  const faults = turns.flatMap(({ shown, results }) =>
    results.flatMap((one) => one.faults.map((fault) => `${shown}: ${fault}`))
  )
  const text = [
    `| webhook out, ${events} events due to one endpoint | deliveries a second |`,
    '|---|---|',
    ...turns.map(
      ({ shown, results }) => `| ${shown} | ${medianOf(results, ({ rate }) => rate).toFixed(0)} |`
    ),
    ...faultLines(faults)
  ].join('\n')
  return { text, passed: faults.length === 0, raw: turns }
}

async function deliver(
  { site }: Stage,
  { name, port, apiKey, db }: Target,
  receiver: Child & { said: { port: number } }
): Promise<Deliveries> {
  const from = await readTime(db)
  const first = takeNumbers(events)
  const whole = { server: name, port, apiKey, hmacKey: site.hmacKey, connections: 16, seconds: 60 }
  const plan: Plan = { ...whole, operation: 'create', first, most: events }
  await tellLoad(site.load, { prepare: plan })
  await tellLoad<{ result: LoadResult }>(site.load, { go: true })
  await setTimeout(announcedMs)
  const to = await readTime(db)
  await untilCalm()

  const base = `http://127.0.0.1:${port}/v1/webhook-endpoints`
  const url = `http://127.0.0.1:${receiver.said.port}/${first}`
  const endpoint = await send('POST', base, apiKey, { url, events: ['*'] }, `endpoint-${first}`)
  const { id } = endpoint as { id: string }
  const begunAt = Date.now()
  const { count } = (await send('POST', `${base}/${id}/replay`, apiKey, { from, to })) as {
    count: number
  }
  receiver.process.send({ expect: count } satisfies ReceiverMessage)
  const { count: got, unsigned, lastAt } = await hear<Received>(receiver.process)
  await send('PATCH', `${base}/${id}`, apiKey, { status: 'disabled' })
  const faults = [
    ...(count === events ? [] : [`${events} payments were made, ${count} events are due`]),
    ...(got === count ? [] : [`${count} events were due, ${got} came`]),
    ...(unsigned === 0 ? [] : [`${unsigned} deliveries had no id or no signature`])
  ]
  return { rate: got / ((lastAt - begunAt) / 1_000), count: got, faults }
}

async function readTime(db: Target['db']): Promise<string> {
  const { rows } = await db.query<{ now: Date }>('select clock_timestamp() as now')
  return (rows[0] as { now: Date }).now.toISOString()
}

/**
 * The load client, a process of its own: keeps a number of connections busy with one request each
 * at a time, over bare sockets, because it shares the cores with what it measures. It costs some
 * 15 µs of CPU a request; a general HTTP load generator costs two or three times that.
 */
import net from 'node:net'
import { isWhole, type Plan, toRequest } from './operations.ts'

export type LoadMessage = { prepare: Plan } | { go: true }

export type LoadResult = {
  /** Answers received. */
  count: number
  /** From the first request to the last answer, s. */
  seconds: number
  p50Ms: number
  p99Ms: number
  /** The longest. */
  mostMs: number
  /** How many answers had a status that is not 2xx, by status; `broken` for lost connections. */
  failures: Record<string, number>
}

/** Larger than what any server answers in a round. */
const answersMax = 2_000_000

let plan: Plan | undefined
let prepared: string[] = []

process.on('message', (message: LoadMessage) => {
  if ('prepare' in message) {
    plan = message.prepare
    prepared = prepare(plan)
    process.send?.({ ready: true })
  } else if (plan !== undefined) {
    run(plan).then((result) => process.send?.({ result }))
  }
})
process.on('disconnect', () => process.exit(0))
process.send?.({ ready: true })

/** Signed items are made before the round; other requests cost too little for that. */
function prepare(plan: Plan): string[] {
  if (plan.operation !== 'webhook') return []
  return Array.from({ length: plan.most }, (_, place) => toRequest(plan, plan.first + place))
}

async function run(plan: Plan): Promise<LoadResult> {
  const latencies = new Float64Array(answersMax)
  const failures: Record<string, number> = {}
  const startedAt = performance.now()
  const endAt = startedAt + plan.seconds * 1_000
  let sent = 0
  let count = 0
  let lastAt = startedAt

  const next = () => {
    if (sent >= plan.most || performance.now() >= endAt) return undefined
    sent += 1
    return prepared[sent - 1] ?? toRequest(plan, plan.first + sent - 1)
  }
  const onAnswer = (status: number, ms: number) => {
    latencies[count] = ms
    count += 1
    lastAt = performance.now()
    if (status < 200 || status > 299) failures[status] = (failures[status] ?? 0) + 1
  }
  const connections = Array.from({ length: plan.connections }, async () => {
    if (!(await keepBusy(plan, next, onAnswer))) failures.broken = (failures.broken ?? 0) + 1
  })
  await Promise.all(connections)

  const sorted = latencies.subarray(0, count).sort()
  const percentile = (share: number) => sorted[Math.floor((count - 1) * share)] ?? 0
  return {
    count,
    seconds: (lastAt - startedAt) / 1_000,
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
    mostMs: percentile(1),
    failures
  }
}

/**
 * Sends what `next` gives over one connection, each after the answer to the last, until it gives
 * nothing more. False where the connection broke while an answer was due.
 */
function keepBusy(
  { port, restMs = 0, refusedRestMs = 0 }: Plan,
  next: () => string | undefined,
  onAnswer: (status: number, ms: number) => void
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    let received = ''
    let sentAt = 0

    const send = () => {
      const request = next()
      if (request === undefined) {
        resolve(true)
        socket.end()
        return
      }
      sentAt = performance.now()
      socket.write(request, 'latin1')
    }
    socket.on('connect', send)
    socket.on('data', (part) => {
      received += part.toString('latin1')
      if (!isWhole(received)) return
      const status = Number(received.slice(9, 12))
      onAnswer(status, performance.now() - sentAt)
      received = ''
      const rest = status === 503 ? Math.max(restMs, refusedRestMs) : restMs
      if (rest > 0) setTimeout(send, rest)
      else send()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(false))
  })
}

/** A storm of one key: many callers send the same create at once, and each gets its payment. */
import { once } from 'node:events'
import net from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { isWhole, type Plan, toRequest } from './operations.ts'
import { takeNumbers } from './rounds.ts'
import { faultLines, inTurns, medianOf, type Outcome, quantile, type Stage } from './stage.ts'
import type { Target } from './targets.ts'

type Storms = {
  /** From the sending of a storm until its first, and its last caller has the payment, ms. */
  firstMs: number[]
  lastMs: number[]
  /** Answers that told a caller to come again. */
  deferred: number
  faults: string[]
}

const callers = 100
/** The first is still under way; more are in hand than an instance takes. */
const comeAgain = [409, 503]
/** A caller who is told to come again gives up after so many times. */
const triesMax = 20

export async function measureStorm(stage: Stage): Promise<Outcome> {
  const count = stage.quick ? 10 : 20
  const turns = await inTurns(stage, (target) => runStorms(target, stage.site.hmacKey, count))
  const rows = turns.map(({ shown, results }) => {
    const of = (read: (storms: Storms) => number) => medianOf(results, read)
    const cells = [
      shown,
      ...[0.5, 1].flatMap((share) => [
        of(({ firstMs }) => quantile(firstMs, share)).toFixed(0),
        of(({ lastMs }) => quantile(lastMs, share)).toFixed(0)
      ]),
      (of(({ deferred }) => deferred) / count).toFixed(1)
    ]
    return `| ${cells.join(' | ')} |`
  })
  const faults = turns.flatMap(({ shown, results }) =>
    results.flatMap((storms) => storms.faults.map((fault) => `${shown}: ${fault}`))
  )
  const text = [
    `| ${callers} callers at once with one key | first has the payment, p50 ms | last, p50 ms | ` +
      'first, longest ms | last, longest ms | told to come again, a storm |',
    '|---|---|---|---|---|---|',
    ...rows,
    ...faultLines(faults)
  ].join('\n')
  return { text, passed: faults.length === 0, raw: turns }
}

async function runStorms(target: Target, hmacKey: string, count: number): Promise<Storms> {
  const { port, apiKey, name, db } = target
  const first = takeNumbers(count)
  const whole = { server: name, port, apiKey, hmacKey, connections: callers, seconds: 0 }
  const plan: Plan = { ...whole, operation: 'create', first, most: count }
  const storms: Storms = { firstMs: [], lastMs: [], deferred: 0, faults: [] }
  const sockets = Array.from({ length: callers }, () =>
    net.connect({ port, host: '127.0.0.1', noDelay: true })
  )
  await Promise.all(sockets.map((socket) => once(socket, 'connect')))
  for (let n = first; n < first + count; n++) {
    const startedAt = performance.now()
    const got = await Promise.all(sockets.map((socket) => insist(socket, toRequest(plan, n))))
    storms.firstMs.push(Math.min(...got.map(({ at }) => at)) - startedAt)
    storms.lastMs.push(Math.max(...got.map(({ at }) => at)) - startedAt)
    storms.deferred += got.reduce((sum, { tries }) => sum + tries - 1, 0)
    const payments = new Set(got.map(({ payment }) => payment))
    if (payments.size > 1) storms.faults.push(`one key got ${[...payments].join(' and ')}`)
    const { rows } = await db.query('select from payment where idempotency_key = $1', [
      `bench-${n}`
    ])
    if (rows.length !== 1) storms.faults.push(`one key made ${rows.length} payments`)
  }
  for (const socket of sockets) socket.destroy()
  return storms
}

/** Asks until there is a payment, as `Retry-After` says. */
async function insist(socket: net.Socket, request: string) {
  for (let tries = 1; ; tries++) {
    const answer = await ask(socket, request)
    const at = performance.now()
    const status = Number(answer.slice(9, 12))
    if (!comeAgain.includes(status) || tries === triesMax) {
      const [, payment = `${status}`] = /"id":"(\w+)"/.exec(answer) ?? []
      return { at, tries, payment: status === 201 ? payment : `the status ${status}` }
    }
    await setTimeout(1_000 * Number(/\r\nretry-after: *(\d+)/i.exec(answer)?.[1] ?? 1))
  }
}

function ask(socket: net.Socket, request: string): Promise<string> {
  return new Promise((resolve) => {
    let received = ''
    const end = () => {
      socket.off('data', onData).off('close', end)
      resolve(received)
    }
    const onData = (part: Buffer) => {
      received += part.toString('latin1')
      if (isWhole(received)) end()
    }
    socket.on('data', onData).on('close', end)
    socket.write(request, 'latin1')
  })
}

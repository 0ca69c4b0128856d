/** A rolling restart of two instances behind a balancer, under load: nothing may fail. */
import { once } from 'node:events'
import net from 'node:net'
import { setTimeout } from 'node:timers/promises'
import {
  isWhole,
  type Operation,
  operations,
  type Plan,
  seededId,
  toRequest
} from './operations.ts'
import { startHelper } from './processes.ts'
import type { Site } from './site.ts'
import { type Instance, startInstance, type Target } from './targets.ts'

const kinds = [...operations, 'wait'] as const
type Kind = Operation | 'wait'

export type Restart = Record<Kind, { sent: number; failed: number; mostMs: number }> & {
  /** From the first request to the last answer, s. */
  seconds: number
  /** From each SIGTERM to the end of its process, s. */
  stops: number[]
  faults: string[]
}

const requestsPerSecond = 60
const requestsAtLeast = 3_000
/** Callers who wait for a payment that does not change, and ask again. */
const waiting = 20
const waitS = 15
/** After a request that failed, ms. */
const restMs = 1_000
/** What the service has where nothing else is said. */
const drainS = '10'
/** The balancer has seen what is new. */
const settleMs = 4_500
/** The numbers of these payments: no operation has them. */
const first = 800_000_000
const payments = 20_000

export async function measureRestart(site: Site, target: Target): Promise<Restart> {
  await target.seed(first, payments)
  const env = { DRAIN_S: drainS }
  const instances = [
    await startInstance(site, 'first.log', { env }),
    await startInstance(site, 'second.log', { env })
  ]
  const ports = instances.map(({ port }) => port)
  const { said } = await startHelper<{ port: number }>(
    'balancer.ts',
    { BALANCER_PORTS: ports.join() },
    site.cleaner
  )
  await setTimeout(settleMs)
  const load = startLoad(said.port, target.apiKey, site.hmacKey)
  const stops: number[] = []
  for (const [place, instance] of instances.entries()) {
    await setTimeout(settleMs)
    stops.push(await stop(instance))
    instances[place] = await startInstance(site, 'again.log', { env, port: instance.port })
  }
  await setTimeout(settleMs)
  const result = await load.end()
  for (const instance of instances) await stop(instance)
  return { ...result, stops }
}

async function stop({ process }: Instance): Promise<number> {
  const begun = performance.now()
  const ended = once(process, 'exit')
  process.kill('SIGTERM')
  await ended
  return (performance.now() - begun) / 1_000
}

/** Requests of all kinds in turn at an even pace, and callers who wait, until it is ended. */
function startLoad(port: number, apiKey: string, hmacKey: string) {
  const tallies = Object.fromEntries(
    kinds.map((kind) => [kind, { sent: 0, failed: 0, mostMs: 0 }])
  ) as Record<Kind, Restart[Kind]>
  const faults: string[] = []
  const begun = performance.now()
  const underWay = new Set<Promise<void>>()
  let isOver = false

  async function send(kind: Kind, request: string): Promise<void> {
    const tally = tallies[kind]
    tally.sent += 1
    const sentAt = performance.now()
    const { status, text } = await ask(port, request)
    tally.mostMs = Math.max(tally.mostMs, performance.now() - sentAt)
    if (status >= 200 && status <= 299) return
    tally.failed += 1
    const at = ((sentAt - begun) / 1_000).toFixed(1)
    faults.push(`${kind} at ${at} s: ${status === 0 ? 'no answer' : `${status} ${text}`}`)
    await setTimeout(restMs)
  }

  const plan = { server: 'service', port, connections: 1, seconds: 0, apiKey, hmacKey } as const
  async function keepSending(): Promise<void> {
    for (let n = 0; !isOver || n < requestsAtLeast; n++) {
      const operation = operations[n % operations.length] as Operation
      const whole: Plan = { ...plan, operation, first, most: payments }
      const sending = send(operation, toRequest(whole, first + n))
      underWay.add(sending)
      void sending.then(() => underWay.delete(sending))
      const due = begun + ((n + 1) * 1_000) / requestsPerSecond
      await setTimeout(Math.max(0, due - performance.now()))
    }
    await Promise.all(underWay)
  }
  async function keepWaiting(n: number): Promise<void> {
    const request =
      `GET /v1/payments/${seededId('service', first + payments - 1 - n)} HTTP/1.1\r\n` +
      `host: 127.0.0.1:${port}\r\nprefer: wait=${waitS}\r\nauthorization: Bearer ${apiKey}\r\n\r\n`
    while (!isOver) await send('wait', request)
  }

  const ended = [keepSending(), ...Array.from({ length: waiting }, (_, n) => keepWaiting(n))]
  return {
    async end() {
      isOver = true
      await Promise.all(ended)
      return { ...tallies, faults, seconds: (performance.now() - begun) / 1_000 }
    }
  }
}

/** The answer, over a connection of its own; status 0 where there is none. */
async function ask(port: number, request: string): Promise<{ status: number; text: string }> {
  return await new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    let received = ''
    socket.on('connect', () => socket.write(request, 'latin1'))
    socket.on('data', (part) => {
      received += part.toString('latin1')
      if (!isWhole(received)) return
      const [, text = ''] = received.split('\r\n\r\n')
      resolve({ status: Number(received.slice(9, 12)), text })
      socket.destroy()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve({ status: 0, text: '' }))
  })
}

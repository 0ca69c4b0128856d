/** A rolling restart of two instances behind a balancer, under load: nothing may fail. */
import { once } from 'node:events'
import net from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { get, isWhole, type Plan, seededId, toRequest } from './operations.ts'
import { startBalancer } from './processes.ts'
import { thousands } from './report.ts'
import { faultLines, type Outcome, type Stage } from './stage.ts'
import { type Instance, startInstance } from './targets.ts'

const operations = ['create', 'read', 'webhook'] as const
const kinds = [...operations, 'wait'] as const
type Kind = (typeof kinds)[number]

type Restart = Record<Kind, { sent: number; failed: number; mostMs: number }> & {
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

export async function measureRestart({ site, service: target }: Stage): Promise<Outcome> {
  await target.seed(first, payments)
  const env = { DRAIN_S: drainS }
  const instances = [
    await startInstance(site, 'first.log', { env }),
    await startInstance(site, 'second.log', { env })
  ]
  const { said } = await startBalancer(instances, site.cleaner)
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
  const restart = { ...result, stops }
  return { text: toTable(restart), passed: result.faults.length === 0, raw: restart }
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
      const operation = operations[n % operations.length] as (typeof operations)[number]
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
    const path = `/v1/payments/${seededId('service', first + payments - 1 - n)}`
    const request = get({ port, apiKey }, path, `prefer: wait=${waitS}\r\n`)
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

function toTable(restart: Restart): string {
  const { seconds, stops, faults } = restart
  const rows = (['create', 'read', 'webhook', 'wait'] as const).map((kind) => {
    const { sent, failed, mostMs } = restart[kind]
    return `| ${kind} | ${thousands(sent)} | ${failed} | ${thousands(mostMs)} |`
  })
  const stopped = stops.map((one) => one.toFixed(1)).join(' and ')
  return [
    '| rolling restart of two instances | sent | failed (goal 0) | longest ms |',
    '|---|---|---|---|',
    ...rows,
    `\n- ${seconds.toFixed(0)} s in all; the instances had stopped after ${stopped} s.`,
    ...faultLines(faults)
  ].join('\n')
}

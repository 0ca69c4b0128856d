/**
 * Callers who wait for payments on one instance while another is told of changes: a process of its
 * own, so that both ends of a change are timed by one clock.
 */
import net from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { get, type Plan, seededId, toRequest } from './operations.ts'

export type WaitingPlan = {
  /** Where callers wait, one for each payment from this number on. */
  port: number
  first: number
  callers: number
  /** What the other instance is told: the payments of the first callers are paid. */
  changes: Plan
  changesPerSecond: number
}
export type WaitingMessage = { open: WaitingPlan } | { change: true }

/** From the sending of a change to one instance until its caller has the answer of the other, ms. */
export type WaitingResult = { p50Ms: number; p99Ms: number; mostMs: number; faults: string[] }

/** The longest that the service lets a caller wait, s. */
const waitS = 30
/** So many callers connect at once. */
const openAtOnce = 100

type Answer = { at: number; text: string }
type Caller = { socket: net.Socket; answer: Promise<Answer> }

let plan: WaitingPlan | undefined
const callers: Caller[] = []
/** Those that were answered, or whose connection broke. */
const over = new Set<Caller>()

process.on('message', async (message: WaitingMessage) => {
  if ('open' in message) {
    plan = message.open
    while (callers.length < plan.callers) await openSome(plan)
    process.send?.({ waiting: callers.length })
  } else if (plan !== undefined) {
    process.send?.({ result: await change(plan) })
    for (const { socket } of callers) socket.destroy()
  }
})
process.on('disconnect', () => process.exit(0))
process.send?.({ ready: true })

async function openSome({ port, first, changes }: WaitingPlan): Promise<void> {
  const opened = Array.from({ length: openAtOnce }, async (_, place) => {
    const id = seededId('service', first + callers.length + place)
    const socket = await connect(port)
    const answer = receive(socket)
    const { apiKey } = changes
    socket.write(get({ port, apiKey }, `/v1/payments/${id}`, `prefer: wait=${waitS}\r\n`))
    const caller = { socket, answer }
    answer.then(() => over.add(caller))
    return caller
  })
  callers.push(...(await Promise.all(opened)))
}

/** Sends the changes at an even pace, each on a connection of its own. */
async function change({ changes, changesPerSecond }: WaitingPlan): Promise<WaitingResult> {
  const faults: string[] = []
  const requests = Array.from({ length: changes.most }, (_, n) =>
    toRequest(changes, changes.first + n)
  )
  const latencies = requests.map(async (request, n) => {
    await setTimeout((n * 1_000) / changesPerSecond)
    const socket = await connect(changes.port)
    const taken = receive(socket)
    const sentAt = performance.now()
    socket.write(request)
    const { at, text } = await (callers[n] as Caller).answer
    if (!text.includes('"status":"captured"')) faults.push(`caller ${n} was told ${text}`)
    await taken
    socket.destroy()
    return at - sentAt
  })
  const sorted = (await Promise.all(latencies)).sort((one, other) => one - other)
  const before = over.size - changes.most
  if (before > 0) faults.push(`${before} callers whose payment did not change were answered`)
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] as number
  return { p50Ms: at(0.5), p99Ms: at(0.99), mostMs: at(1), faults }
}

function connect(port: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket))
    socket.on('error', reject)
  })
}

/** The first part of an answer, which holds all of it: it is short. */
function receive(socket: net.Socket): Promise<Answer> {
  return new Promise((resolve) => {
    socket.once('data', (part) => resolve({ at: performance.now(), text: part.toString('latin1') }))
    socket.once('close', () => resolve({ at: Number.NaN, text: 'nothing: the connection broke' }))
  })
}

/** A consumer of webhooks as a client would write it: a real server that checks signatures. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { Webhook } from 'standardwebhooks'
import type { Test } from 'tap'

// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
export type Found = any

export type Message = {
  id: string
  at: number
  path: string
  headers: IncomingMessage['headers']
  body: string
  event: Found
}
/** What it answers to its n-th request, from 1; undefined for nothing at all. */
export type Answering = (message: Message, n: number) => AnswerOf | Promise<AnswerOf>
type AnswerOf = number | { status: number; headers?: Record<string, string>; body?: string }

export type Consumer = Awaited<ReturnType<typeof startConsumer>>

/** Takes what is signed by `secret`, which may become known later; keeps it in its order. */
export async function startConsumer(t: Test, answering: Answering = () => 204) {
  /** All that came, and what of it was answered with 2xx. */
  const seen: Message[] = []
  const taken: Message[] = []
  const faults: unknown[] = []
  let connections = 0
  let server: Server | undefined
  let port = 0
  const state = { secrets: [] as string[], answering }

  async function receive(request: IncomingMessage): Promise<AnswerOf> {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    const body = Buffer.concat(parts).toString()
    const headers = request.headers as Record<string, string>
    const event = verify(body, headers)
    const id = String(headers['webhook-id'])
    const message = { id, at: Date.now(), path: String(request.url), headers, body, event }
    seen.push(message)
    const answer = await state.answering(message, seen.length)
    const status = typeof answer === 'number' ? answer : answer.status
    if (status >= 200 && status < 300) taken.push(message)
    return answer
  }

  function verify(body: string, headers: Record<string, string>): Found {
    if (state.secrets.length === 0) return JSON.parse(body)
    for (const secret of state.secrets) {
      try {
        new Webhook(secret).verify(body, headers)
      } catch (error) {
        faults.push(error)
      }
    }
    return JSON.parse(body)
  }

  async function start(): Promise<void> {
    const own = createServer((request, response) => {
      receive(request).then(
        (answer) => {
          const {
            status,
            headers = {},
            body = ''
          } = typeof answer === 'number' ? { status: answer } : answer
          response.writeHead(status, headers).end(body)
        },
        (error) => {
          faults.push(error)
          response.destroy()
        }
      )
    })
    own.on('connection', () => {
      connections += 1
    })
    own.listen(port, '127.0.0.1')
    await once(own, 'listening')
    port = (own.address() as { port: number }).port
    server = own
  }

  /** Ends it at once, with what it has not answered. */
  async function kill(): Promise<void> {
    const own = server
    server = undefined
    if (own === undefined) return
    own.close()
    own.closeAllConnections()
    await once(own, 'close')
  }

  await start()
  t.teardown(kill)
  return {
    ...{ seen, taken, faults, state, start, kill },
    url: `http://127.0.0.1:${port}/events`,
    connections: () => connections,
    /** Each event as it was taken the first time, in their order. */
    events: () => taken.filter((one, at) => taken.findIndex(({ id }) => id === one.id) === at)
  }
}

/** Asks until `isDone`, for `seconds` at most. */
export async function eventually<T>(
  ask: () => T | Promise<T>,
  isDone: (found: T) => boolean,
  seconds = 20
): Promise<T> {
  const giveUpAt = Date.now() + seconds * 1000
  for (;;) {
    const found = await ask()
    if (isDone(found)) return found
    if (Date.now() > giveUpAt) throw new Error(`not in time: ${JSON.stringify(found)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

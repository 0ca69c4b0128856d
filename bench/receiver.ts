/** Takes webhooks, as a client's endpoint does, a process of its own: 204 at once, and counts. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'

export type ReceiverMessage = { expect: number }
export type Received = {
  /** Different messages: repetitions count once. */
  count: number
  /** Without a signature, or without an id. */
  unsigned: number
  /** When the last new one came, ms of the clock; 0: none. */
  lastAt: number
}

const within = 30_000
const seen = new Set<string>()
let unsigned = 0
let lastAt = 0
let onMessage = () => {}

const server = http.createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    const { 'webhook-id': id, 'webhook-signature': signature } = request.headers
    if (typeof id === 'string' && typeof signature === 'string') {
      if (!seen.has(id)) lastAt = Date.now()
      seen.add(id)
    } else unsigned += 1
    response.writeHead(204).end()
    onMessage()
  })
})

/** Answers when so many have come since the last answer, or after some time. */
process.on('message', ({ expect }: ReceiverMessage) => {
  const end = () => {
    clearTimeout(timer)
    onMessage = () => {}
    const received: Received = { count: seen.size, unsigned, lastAt }
    process.send?.(received)
    seen.clear()
    unsigned = 0
    lastAt = 0
  }
  const timer = setTimeout(end, within)
  onMessage = () => {
    if (seen.size >= expect) end()
  }
  onMessage()
})

server.keepAliveTimeout = 600_000
server.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port })
})
process.on('disconnect', () => process.exit(0))

/**
 * Stands in for Adyen, a process of its own: answers every `POST /v72/sessions` at once with a valid
 * session, or after `delayMs`, unless it is told to hang there, and takes every capture and says so.
 * It keeps nothing, so that its cost is the same for all servers.
 */
import http from 'node:http'
import type { AddressInfo } from 'node:net'

export type Told = { hangs?: boolean; delayMs?: number }

let sessions = 0
let told: Told = {}

const server = http.createServer((request, response) => {
  const [, kind] = /\/(sessions|captures)$/.exec(request.url ?? '') ?? []
  if (request.method !== 'POST' || kind === undefined) {
    response.writeHead(404).end()
    return
  }
  let text = ''
  request.setEncoding('utf8')
  request.on('data', (part) => {
    text += part
  })
  request.on('end', () => {
    const { hangs = false, delayMs = 0 } = kind === 'sessions' ? told : {}
    if (hangs) return
    const asked = JSON.parse(text)
    const answer = kind === 'sessions' ? toSession(asked) : toCapture(asked)
    const send = () => {
      response.writeHead(201, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(answer)
      })
      response.end(answer)
    }
    if (delayMs > 0) setTimeout(send, delayMs)
    else send()
  })
})

function toSession(asked: Record<string, unknown>): string {
  sessions += 1
  const id = `CS${sessions.toString(16).toUpperCase().padStart(16, '0')}`
  return JSON.stringify({
    id,
    url: `https://test.adyen.link/${id}`,
    amount: asked.amount,
    expiresAt: asked.expiresAt,
    merchantAccount: asked.merchantAccount,
    mode: 'hosted',
    reference: asked.reference,
    returnUrl: asked.returnUrl
  })
}

function toCapture({ reference }: Record<string, unknown>): string {
  process.send?.({ captured: reference, at: Date.now() })
  return JSON.stringify({ pspReference: `MOD-${reference}`, reference, status: 'received' })
}

process.on('message', (message: Told) => {
  told = message
})

server.keepAliveTimeout = 600_000
server.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port })
})
process.on('disconnect', () => process.exit(0))

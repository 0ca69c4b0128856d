/**
 * Stands in for Adyen, a process of its own: answers every `POST /v72/sessions` at once with a valid
 * session. It keeps nothing, so that its cost is the same for both servers.
 */
import http from 'node:http'
import type { AddressInfo } from 'node:net'

let sessions = 0

const server = http.createServer((request, response) => {
  if (request.method !== 'POST' || !request.url?.endsWith('/sessions')) {
    response.writeHead(404).end()
    return
  }
  let text = ''
  request.setEncoding('utf8')
  request.on('data', (part) => {
    text += part
  })
  request.on('end', () => {
    const answer = toSession(JSON.parse(text))
    response.writeHead(201, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(answer)
    })
    response.end(answer)
  })
})

function toSession(asked: Record<string, unknown>): string {
  sessions += 1
  const id = `CS${sessions.toString(16).toUpperCase().padStart(16, '0')}`
  return JSON.stringify({
    id,
    url: `https://checkout.example/pay/${id}`,
    amount: asked.amount,
    expiresAt: asked.expiresAt,
    merchantAccount: asked.merchantAccount,
    mode: 'hosted',
    reference: asked.reference,
    returnUrl: asked.returnUrl
  })
}

server.keepAliveTimeout = 600_000
server.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port })
})
process.on('disconnect', () => process.exit(0))

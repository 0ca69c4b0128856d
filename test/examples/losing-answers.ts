/** What stands between a program and the service, and loses answers on their way. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'

/** Its address; no answer of a POST to the path comes through, though it is done. */
export async function losingAnswers(t: Test, service: string, path: string): Promise<string> {
  const server = createServer(async (request, response) => {
    const { method = '', url = '', headers } = request
    const { authorization = '', 'idempotency-key': key } = headers
    const body = method === 'GET' ? undefined : await text(request)
    const answer = await fetch(`${service}${url}`, {
      method,
      headers: {
        authorization,
        ...(key !== undefined && { 'idempotency-key': String(key) }),
        ...(body !== undefined && { 'content-type': 'application/json' })
      },
      ...(body !== undefined && { body })
    })
    if (method === 'POST' && url === path) return request.socket.destroy()
    response.writeHead(answer.status, { 'content-type': 'application/json' })
    return response.end(await answer.text())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

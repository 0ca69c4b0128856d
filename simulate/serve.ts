import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Cleaner } from '../bench/processes.ts'
import { cut } from '../sandbox/simulator/cut.ts'

/** Longer than any group takes: a connection ends only where it is cut. */
const keepAliveMs = 600_000

/** An HTTP server on loopback, until all is cleaned; answers its origin. What throws is cut. */
export async function serve(
  cleaner: Cleaner,
  on: (req: IncomingMessage, res: ServerResponse) => Promise<void>
): Promise<string> {
  const server = http.createServer((req, res) => {
    on(req, res).catch(() => cut(res.socket))
  })
  server.keepAliveTimeout = keepAliveMs
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleaner.add(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

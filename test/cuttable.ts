import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import pg from 'pg'
import type { Test } from 'tap'
import { cut } from '../sandbox/simulator/cut.ts'

/**
 * A way to a database that can be cut, or on which the connections that are open can fall silent;
 * PostgreSQL may listen on a socket in a folder.
 */
export async function cuttable(t: Test, url: string) {
  const { host, port, user, password, database } = new pg.Client(url)
  const sockets = new Set<Socket>()
  const pairs: Array<[Socket, Socket]> = []
  let isCut = false
  const server = createServer((client) => {
    if (isCut) return cut(client)
    const target = host.startsWith('/')
      ? connect(`${host}/.s.PGSQL.${port}`)
      : connect({ host, port })
    for (const socket of [client, target]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
    }
    client.pipe(target).pipe(client)
    pairs.push([client, target])
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address() as { port: number }
  const proxied = new URL('postgresql://127.0.0.1')
  proxied.port = String(address.port)
  proxied.username = user ?? ''
  proxied.password = typeof password === 'string' ? password : ''
  proxied.pathname = `/${database}`
  return {
    url: proxied.href,
    cut() {
      isCut = true
      for (const socket of sockets) socket.destroy()
    },
    mend() {
      isCut = false
    },
    /** What is asked arrives, and is done; no answer comes back. */
    deafen() {
      for (const [client, target] of pairs) target.unpipe(client).resume()
    },
    silence() {
      for (const [client, target] of pairs) {
        client.unpipe(target).resume()
        target.unpipe(client).resume()
      }
    }
  }
}

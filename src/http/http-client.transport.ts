import type { IncomingHttpHeaders } from 'node:http'
import type { LookupFunction } from 'node:net'
import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { Agent, buildConnector, errors } from 'undici'

/** For an answer to begin, and between two parts of it: what streams has no other deadline, ms. */
const silenceMs = 30_000

type HttpClientOptions = {
  /** Connections to one origin at once; further calls wait for one. Unbounded by default. */
  connections?: number
  /** A connection that was idle this long is closed, before something on the way forgets it, ms. */
  idleMs: number
  /** How names are resolved, by protocol; by default as the operating system does it. */
  lookup?: (protocol: string) => LookupFunction
}

export type HttpCall = {
  origin: string
  /** Path and query, sent as they are: `URL` would encode what must stay raw. */
  path: string
  method: string
  headers: Readonly<Record<string, string>>
  body?: string | Buffer
  /** Ends the call at its deadline, wherever it is: resolving, connecting, waiting or reading. */
  signal?: AbortSignal
}

export type HttpAnswer = {
  status: number
  headers: IncomingHttpHeaders
  /** To be read, or left by `break`, which closes the connection. */
  body: AsyncIterable<Buffer>
}

/**
 * The client for everything that this service asks of others. Connections are kept; a certificate
 * must be good, whatever the environment says; no proxy of the environment is used; a redirect is
 * an answer like any other.
 */
export function createHttpClient({ connections, idleMs, lookup }: HttpClientOptions) {
  /** Errors of connections that had brought an answer before. */
  const ofKept = new WeakSet<Error>()
  const connectorOf = (protocol: string) =>
    buildConnector({
      rejectUnauthorized: true,
      allowH2: false,
      ...(lookup && { lookup: lookup(protocol) })
    })
  const [plain, secure] = [connectorOf('http:'), connectorOf('https:')]
  const agent = new Agent({
    connections: connections ?? null,
    keepAliveTimeout: idleMs,
    keepAliveMaxTimeout: idleMs,
    headersTimeout: silenceMs,
    bodyTimeout: silenceMs,
    connect(target, callback) {
      const connect = target.protocol === 'https:' ? secure : plain
      connect(target, (...result) => {
        const [, socket] = result
        socket?.on('error', (error) => socket.bytesRead > 0 && ofKept.add(error))
        callback(...result)
      })
    }
  })

  /**
   * Throws where there is no answer. A call is made once more where a kept connection turned out to
   * have been closed by the other side: callers make sure that each may be repeated, by a key.
   */
  async function send(call: HttpCall): Promise<HttpAnswer> {
    try {
      return await sendOnce(call)
    } catch (error) {
      if (isClosed(error) && ofKept.has(error)) return await sendOnce(call)
      throw error
    }
  }

  async function sendOnce(call: HttpCall): Promise<HttpAnswer> {
    try {
      const { statusCode, headers, body } = await agent.request(call)
      return { status: statusCode, headers, body }
    } catch (error) {
      if (!isUpgrade(error)) throw error
      return { status: 101, headers: {}, body: Readable.from([]) }
    }
  }

  return { send, close: () => agent.destroy() }
}

/** By whatever packet. */
function isClosed(error: unknown): error is Error {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ECONNRESET' || error instanceof errors.SocketError
}

/** An answer that nobody asked for; undici makes an error of it. */
function isUpgrade(error: unknown): boolean {
  return error instanceof errors.SocketError && error.message === 'bad upgrade'
}

/**
 * The beginning of a body, `bytesMax` at most. The rest of a larger one is not waited for: its
 * connection is closed. `onFault`: what to do where it breaks off; by default that is thrown.
 */
export async function readUpTo(
  bytesMax: number,
  body: HttpAnswer['body'],
  onFault: (error: unknown) => void = rethrow
): Promise<{ bytes: Buffer; isWhole: boolean }> {
  const parts: Buffer[] = []
  let size = 0
  try {
    for await (const part of body) {
      parts.push(part)
      size += part.length
      if (size > bytesMax) break
    }
  } catch (error) {
    onFault(error)
  }
  // Only from then on is the connection free for the next call, which else opens another.
  await setImmediate()
  return { bytes: Buffer.concat(parts).subarray(0, bytesMax), isWhole: size <= bytesMax }
}

function rethrow(error: unknown): never {
  throw error
}

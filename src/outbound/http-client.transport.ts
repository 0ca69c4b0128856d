import type { IncomingHttpHeaders } from 'node:http'
import type { LookupFunction } from 'node:net'
import { Agent, buildConnector, type Dispatcher, errors } from 'undici'

/** For an answer to begin, and between two parts of it: what streams has no other deadline, ms. */
const silenceMs = 30_000

type HttpClientOptions = {
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
  headers: Readonly<Record<string, string | undefined>>
  body?: string | Buffer | null
}

type Bounds = {
  /** Then it is over, wherever it is: resolving, connecting, sending or reading, ms. */
  withinMs: number
  /** Of the body that is read; the rest of a larger one is not waited for. */
  bytesMax: number
  /** Ends it before its time. */
  signal?: AbortSignal
}

export type HttpAnswer = {
  status: number
  headers: IncomingHttpHeaders
  /** What there is of it, `bytesMax` at most. */
  body: Buffer
  /** Why that is not all. */
  fault?: Error
}

/** A bound was reached; `lateMs`: how long after its time that was seen. */
export class OutOfBounds extends Error {
  readonly bound: 'time' | 'size'
  readonly lateMs: number
  constructor(bound: 'time' | 'size', lateMs = 0) {
    super(bound === 'time' ? 'no answer in time' : 'the answer is too large')
    this.bound = bound
    this.lateMs = lateMs
  }
}

/**
 * The client for everything that this service asks of others. Connections are kept; a certificate
 * must be good, whatever the environment says; no proxy of the environment is used; a redirect is
 * an answer like any other. It opens as many connections as there are calls at once: callers bound
 * those.
 */
export function createHttpClient({ idleMs, lookup }: HttpClientOptions) {
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
   * Calls, and reads the answer. Throws where there is none; one whose status is known has a
   * `fault` instead. A call is made once more where a kept connection turned out to have been
   * closed by the other side: callers make sure that each may be repeated, by a key.
   */
  function send(call: HttpCall, bounds: Bounds): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      bounds.signal?.throwIfAborted()
      const isKept = (error: Error) => ofKept.has(error)
      // It has a deadline as a whole.
      const options = { ...call, headersTimeout: 0, bodyTimeout: 0 }
      const begin = () => agent.dispatch(options, handler)
      const handler = receive(bounds, isKept, begin, resolve, reject)
      begin()
    })
  }

  /** The beginning of an answer, and the rest as it comes: to be read, or left by `break`. */
  async function open(call: HttpCall) {
    const { statusCode, body } = await agent.request(call)
    return { status: statusCode, body }
  }

  return { send, open, close: () => agent.destroy() }
}

/** Gathers what undici tells of a call; `begin` makes the same call once more. */
function receive(
  { withinMs, bytesMax, signal }: Bounds,
  isKept: (error: Error) => boolean,
  begin: () => void,
  resolve: (answer: HttpAnswer) => void,
  reject: (error: unknown) => void
): Dispatcher.DispatchHandler {
  const parts: Buffer[] = []
  let size = 0
  let head: Pick<HttpAnswer, 'status' | 'headers'> | undefined
  let connection: Dispatcher.DispatchController | undefined
  let isSecond = false
  let isOver = false

  function end(fault?: Error): void {
    isOver = true
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
    if (head === undefined) {
      reject(fault)
      return
    }
    const [first, ...more] = parts
    const body = first !== undefined && more.length === 0 ? first : Buffer.concat(parts)
    const answer = { ...head, body: body.subarray(0, bytesMax), ...(fault && { fault }) }
    // Only from then on is the connection free for the next call, which else opens another.
    queueMicrotask(() => setImmediate(resolve, answer))
  }

  /** What is under way then ends with its connection. */
  function cut(fault: Error): void {
    if (isOver) return
    end(fault)
    connection?.abort(fault)
  }

  const abort = () => cut(signal?.reason)
  signal?.addEventListener('abort', abort)
  // After a pause of the process what arrived meanwhile is read first, and then its time is over.
  const endAt = performance.now() + withinMs
  const timer = setTimeout(() => {
    setImmediate(cut, new OutOfBounds('time', performance.now() - endAt))
  }, withinMs)

  return {
    onRequestStart(controller) {
      // Its time ended before there was a connection, which is left for others.
      if (isOver) throw new errors.RequestAbortedError()
      connection = controller
    },
    onResponseStart(_, status, headers) {
      if (status >= 200) head = { status, headers }
    },
    onResponseData(_, part) {
      parts.push(part)
      size += part.length
      if (size > bytesMax) cut(new OutOfBounds('size'))
    },
    onResponseEnd: () => isOver || end(),
    onResponseError(_, error) {
      if (isOver) return
      if (isUpgrade(error)) head = { status: 101, headers: {} }
      const mayRepeat = head === undefined && !isSecond && isClosed(error) && isKept(error)
      isSecond = true
      if (mayRepeat) queueMicrotask(begin)
      else end(error)
    }
  }
}

/** By whatever packet. */
function isClosed(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ECONNRESET' || error instanceof errors.SocketError
}

/** An answer that nobody asked for; undici makes an error of it. */
function isUpgrade(error: Error): boolean {
  return error instanceof errors.SocketError && error.message === 'bad upgrade'
}

/**
 * What is answered on a connection before a route sees a request: to what the parser refuses, to
 * what takes too long, and to the few things that Node would answer by itself. All of it has the
 * one shape of every error, and is logged and counted once.
 */
import { randomUUID } from 'node:crypto'
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Problem, toProblemDocument } from '../problem.ts'
import { headersOf } from './problems.plugin.ts'
import { endBody, type OnAnswer, recordAnswer } from './request.plugin.ts'
import { configOf } from './route-config.ts'

type Deps = {
  publicUrl: string
  log: FastifyBaseLogger
  onAnswer: OnAnswer
  /** Counts a request that is refused before a key is asked for. Throws `rate_limited`. */
  countRefusal(request: FastifyRequest, reply: FastifyReply): Promise<void>
}

/** Options of Fastify for an app that `addConnections` is called on. */
export function connectionOptions(getApp: () => FastifyInstance, deps: Deps) {
  return {
    // Node would answer by itself; here a rule of ours does, below.
    http: { requireHostHeader: false },
    clientErrorHandler: (error: NodeJS.ErrnoException, socket: Socket) => {
      refuse(error, socket, deps)
    },
    // A path that can't be read has no route, and passes no hook. Of such a request Fastify knows
    // no proxy: all that come through one are counted together, and apart from any other.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      reply.raw.once('finish', () => recordAnswer(request, reply, deps.onAnswer))
      const refuse = (why: Error) =>
        getApp().errorHandler(why as Parameters<FastifyInstance['errorHandler']>[0], request, reply)
      deps.countRefusal(request, reply).then(() => refuse(error), refuse)
    }
  } as const
}

type Exchange = { raw: IncomingMessage; response: ServerResponse }

/** The last request that each connection has brought. */
const exchanges = new WeakMap<Socket, Exchange>()
const unmetExpectations = new WeakSet<IncomingMessage>()

/** Must come before whatever else looks at a request. */
export function addConnections(app: FastifyInstance, deps: Deps): void {
  // At once, and not in a hook: what follows in the same piece of data is parsed before that.
  app.server.prependListener('request', (raw, response) => {
    exchanges.set(raw.socket, { raw, response })
  })
  // Node takes one that has said nothing for busy, and waits for it until it times out.
  const open = new Set<Socket>()
  app.server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  app.addHook('preClose', async () => {
    for (const socket of open) if (socket.bytesRead === 0) socket.destroy()
  })
  app.server.on('checkExpectation', (raw, response) => {
    unmetExpectations.add(raw)
    app.routing(raw, response)
  })
  // A target that is no path of ours: nothing is allowed there.
  app.server.on('connect', (_, socket) => {
    // Node has let go of it: an error that nobody hears would end the process.
    socket.on('error', () => socket.destroy())
    const problem = new Problem('method_not_allowed', 'This server is no proxy.')
    answer(socket as Socket, problem, deps, { allow: '' })
  })
  app.addHook('onRequest', (request, reply, done) => {
    const problem = findFault(request.raw)
    if (problem === undefined) return done()
    if (problem.code === 'expectation_failed') reply.header('connection', 'close')
    if (configOf(request).unlimited) throw problem
    deps.countRefusal(request, reply).then(() => done(problem), done)
  })
}

/** Of these Node silently takes the first: whoever stands before us might take the last. */
const sentOnce: ReadonlySet<string> = new Set(['host', 'authorization', 'content-type'])
const host = /^(\[[0-9a-f:.]+\]|[\w.~%!$&'()*+,;=-]+)(:\d{1,5})?$/i

/**
 * RFC 9112: a request of HTTP/1.1 names one host (3.2); a body that is coded in any other way than
 * `chunked` would be taken as it is (6.1).
 */
function findFault(raw: IncomingMessage): Problem | undefined {
  if (unmetExpectations.has(raw)) {
    return new Problem('expectation_failed', 'Nothing but 100-continue can be expected.')
  }
  const { rawHeaders, headers, httpVersion } = raw
  const met: string[] = []
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] as string).toLowerCase()
    if (sentOnce.has(name)) met.push(name)
  }
  const twice = new Set(met.filter((name, place) => met.indexOf(name) < place))
  const errors = [...twice].map((name) => ({ pointer: `/${name}`, detail: 'is sent twice' }))
  if (headers.host === undefined && httpVersion === '1.1') {
    errors.push({ pointer: '/host', detail: 'is required' })
  } else if (headers.host !== undefined && !host.test(headers.host)) {
    errors.push({ pointer: '/host', detail: 'is no host' })
  }
  if ((headers['transfer-encoding'] ?? 'chunked').toLowerCase() !== 'chunked') {
    errors.push({ pointer: '/transfer-encoding', detail: 'can be chunked alone' })
  }
  if (errors.length === 0) return undefined
  return new Problem('request_invalid', 'A fault in the headers.', { errors })
}

/** What Node's parser and its deadlines refuse. */
function refuse(error: NodeJS.ErrnoException, socket: Socket, deps: Deps): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const problem = toProblem(error)
  const last = exchanges.get(socket)
  if (last === undefined || last.response.writableFinished) {
    answer(socket, problem, deps)
    return
  }
  // An answer is due already; nothing that comes after it on this connection can be read.
  if (!last.response.headersSent) last.response.setHeader('connection', 'close')
  if (!last.raw.complete) endBody(last.raw, problem)
}

function toProblem({ code, message }: NodeJS.ErrnoException): Problem {
  const extras = { cause: code }
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Problem('request_timeout', 'The request took too long to arrive.', extras)
    case 'HPE_HEADER_OVERFLOW':
      return new Problem('headers_too_large', 'At most 16 KiB.', extras)
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Problem('body_too_large', 'Its chunks have too long extensions.', extras)
    default:
      // The parser's words name a rule, and nothing of what was sent.
      return new Problem('request_invalid', `This is no HTTP: ${message}.`, extras)
  }
}

/** Writes what no `reply` is there for, and closes the connection. */
function answer(socket: Socket, problem: Problem, deps: Deps, more: Record<string, string> = {}) {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const { status } = problem
  const requestId = randomUUID().replaceAll('-', '')
  const place = { publicUrl: deps.publicUrl, instance: '', requestId }
  const body = JSON.stringify(toProblemDocument(problem, place))
  const headers = {
    ...headersOf(requestId, deps.publicUrl),
    ...more,
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(body)),
    date: new Date().toUTCString(),
    connection: 'close'
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`)
  socket.destroySoon()
  deps.onAnswer('none', 'none', status, 0)
  deps.log.info({ reqId: requestId, status, reason: problem.cause }, 'request')
}

import http from 'node:http'
import https from 'node:https'
import httpClientException from '@adyen/api-library/lib/src/httpClient/httpClientException.js'
import type { Trace } from '../provider.ts'
import { AdyenOutcomeUnknown } from './answer.ts'

const HttpClientException = httpClientException.default

/** The other side had closed a kept connection before it saw the request. */
class StaleConnection extends AdyenOutcomeUnknown {}

const responseSizeMaxBytes = 1024 * 1024
const socketsMax = 256
/** A socket that was idle this long is closed, before something on the way forgets it. */
const idleMs = 30_000

export type TransportOptions = {
  apiKey: string
  /** From the first byte sent to the last one received, waiting for a socket included. */
  deadlineMs: number
  /** Another origin that speaks Adyen's Checkout API, in place of Adyen's. */
  origin?: string | undefined
}

/** What Adyen's library hands to its HTTP client. */
type LibraryRequest = {
  method?: string
  headers?: Record<string, string>
  params?: Record<string, string>
  idempotencyKey?: string
  /** A deadline of this call alone, ms; never later than the one of all calls. */
  timeout?: number
}

type Call = {
  url: string
  method: string
  headers: Record<string, string>
  body: string | Buffer
  deadlineMs: number
}

export type AdyenTransport = ReturnType<typeof createTransport>

/**
 * The HTTP client under Adyen's library: connections are kept, a call has one deadline in all, and
 * whatever is not an answer that can be read is `AdyenOutcomeUnknown`. The library's own client
 * opens a connection for each call, has an idle timeout only, and lets an empty or truncated 2xx
 * pass as an empty object.
 */
export function createTransport({ apiKey, deadlineMs, origin }: TransportOptions) {
  const agentOptions = {
    keepAlive: true,
    maxSockets: socketsMax,
    scheduling: 'lifo',
    timeout: idleMs
  } as const
  const agents = { 'http:': new http.Agent(agentOptions), 'https:': new https.Agent(agentOptions) }

  /** As Adyen's `ClientInterface` has it; the library's URL gets our origin where one is set. */
  async function request(
    endpoint: string,
    body: string | Buffer,
    _config: unknown,
    _isApiKeyRequired: boolean,
    options: LibraryRequest = {}
  ): Promise<string> {
    const url = new URL(endpoint)
    for (const [name, value] of Object.entries(options.params ?? {})) {
      url.searchParams.set(name, value)
    }
    return await send({
      url: relocate(url.href),
      method: options.method ?? 'POST',
      headers: {
        ...options.headers,
        ...(options.idempotencyKey && { 'idempotency-key': options.idempotencyKey })
      },
      body,
      deadlineMs: Math.min(options.timeout ?? deadlineMs, deadlineMs)
    })
  }

  /** A GET whose path and query go out exactly as given. */
  async function getRaw(url: string, trace: Trace | undefined, withinMs: number): Promise<string> {
    return await send({
      url: relocate(url),
      method: 'GET',
      headers: { ...trace },
      body: '',
      deadlineMs: Math.min(withinMs, deadlineMs)
    })
  }

  function relocate(url: string): string {
    return origin === undefined ? url : url.replace(/^https:\/\/[^/]+(\/checkout)?/, origin)
  }

  /** Once more where a kept connection turned out to be closed; every call has its key for that. */
  async function send(call: Call): Promise<string> {
    const startedAt = performance.now()
    try {
      return await sendOnce(call)
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error
      const leftMs = call.deadlineMs - (performance.now() - startedAt)
      return await sendOnce({ ...call, deadlineMs: Math.max(1, leftMs) })
    }
  }

  function sendOnce(call: Call): Promise<string> {
    return new Promise((resolve, reject) => {
      const outgoing = start(call)
      let isAnswered = false
      const fail = (cause: unknown) => {
        clearTimeout(deadline)
        outgoing.destroy()
        if (isVerdict(cause)) reject(cause)
        else if (outgoing.reusedSocket && !isAnswered && isReset(cause))
          reject(new StaleConnection('reset'))
        else reject(new AdyenOutcomeUnknown(describe(cause), { cause }))
      }
      const deadline = setTimeout(
        () => fail(`no answer within ${call.deadlineMs} ms`),
        call.deadlineMs
      )
      outgoing.on('error', fail)
      outgoing.on('response', (response) => {
        isAnswered = true
        readAnswer(response).then((text) => {
          clearTimeout(deadline)
          resolve(text)
        }, fail)
      })
      outgoing.end(call.body)
    })
  }

  function start({ url, method, headers, body }: Call): http.ClientRequest {
    const [, origin = '', path = ''] = /^(https?:\/\/[^/]+)(\/.*)$/s.exec(url) ?? []
    const { protocol, hostname, port } = new URL(origin)
    const secure = protocol === 'https:'
    // The path goes as it is: `URL` would encode what must stay raw.
    return (secure ? https : http).request({
      agent: agents[secure ? 'https:' : 'http:'],
      hostname,
      port,
      path,
      method,
      headers: {
        ...headers,
        'x-api-key': apiKey,
        ...(body.length > 0 && {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body)
        })
      }
    })
  }

  return {
    request,
    getRaw,
    close(): void {
      for (const agent of Object.values(agents)) agent.destroy()
    }
  }
}

/** The text of a 2xx that holds a JSON object; anything else is thrown. */
async function readAnswer(response: http.IncomingMessage): Promise<string> {
  const { statusCode = 0, headers } = response
  const text = await readText(response)
  if (statusCode === 204) return ''
  const json = parseObject(text)
  if (statusCode >= 200 && statusCode < 300) {
    if (json === undefined) throw new AdyenOutcomeUnknown(`HTTP ${statusCode} without JSON`)
    return text
  }
  throw new HttpClientException({
    message: `Adyen answered HTTP ${statusCode}`,
    statusCode,
    responseHeaders: headers,
    responseBody: text,
    ...(typeof json?.errorCode === 'string' && { errorCode: json.errorCode }),
    ...(json !== undefined && { apiError: json as never })
  })
}

async function readText(response: http.IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of response) {
    size += part.length
    if (size > responseSizeMaxBytes) throw new Error('the answer is too large')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(text)
    const isObject = typeof json === 'object' && json !== null && !Array.isArray(json)
    return isObject ? { ...json } : undefined
  } catch {
    return undefined
  }
}

function isReset(cause: unknown): boolean {
  return cause instanceof Error && (cause as NodeJS.ErrnoException).code === 'ECONNRESET'
}

function isVerdict(cause: unknown): cause is Error {
  return cause instanceof AdyenOutcomeUnknown || cause instanceof HttpClientException
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

import httpClientException from '@adyen/api-library/lib/src/httpClient/httpClientException.js'
import {
  createHttpClient,
  type HttpAnswer,
  type HttpCall,
  readUpTo
} from '../http/http-client.transport.ts'
import type { Trace } from '../provider.ts'
import { AdyenOutcomeUnknown } from './answer.ts'

const HttpClientException = httpClientException.default

const responseSizeMaxBytes = 1024 * 1024
const connectionsMax = 256
const idleMs = 30_000

type TransportOptions = {
  apiKey: string
  /** From the start of a call to the last byte received, waiting for a connection included. */
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

type CallDetails = Pick<HttpCall, 'method' | 'headers' | 'body'>

export type AdyenTransport = ReturnType<typeof createTransport>

/**
 * The HTTP client under Adyen's library: whatever is not an answer that can be read is
 * `AdyenOutcomeUnknown`. The library's own client opens a connection for each call, has an idle
 * timeout only, and lets an empty or truncated 2xx pass as an empty object.
 */
export function createTransport({ apiKey, deadlineMs, origin: ours }: TransportOptions) {
  const client = createHttpClient({ connections: connectionsMax, idleMs })

  /** As Adyen's `ClientInterface` has it; the library's URL gets our origin where one is set. */
  async function request(
    endpoint: string,
    body: string | Buffer,
    _config: unknown,
    _isApiKeyRequired: boolean,
    options: LibraryRequest = {}
  ): Promise<string> {
    const { method = 'POST', params = {}, idempotencyKey, timeout = deadlineMs } = options
    const url = new URL(endpoint)
    for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value)
    const headers = {
      ...options.headers,
      ...(idempotencyKey && { 'idempotency-key': idempotencyKey }),
      ...(body.length > 0 && { 'content-type': 'application/json' })
    }
    return await send(url.href, { method, headers, ...(body.length > 0 && { body }) }, timeout)
  }

  /** A GET whose path and query go out exactly as given. */
  async function getRaw(url: string, trace: Trace | undefined, withinMs: number): Promise<string> {
    return await send(url, { method: 'GET', headers: { ...trace } }, withinMs)
  }

  async function send(url: string, call: CallDetails, withinMs: number): Promise<string> {
    const target = ours === undefined ? url : url.replace(/^https:\/\/[^/]+(\/checkout)?/, ours)
    const [, origin = '', path = ''] = /^(https?:\/\/[^/]+)(\/.*)$/s.exec(target) ?? []
    const ms = Math.min(withinMs, deadlineMs)
    const signal = AbortSignal.timeout(ms)
    const headers = { ...call.headers, 'x-api-key': apiKey }
    try {
      return await readAnswer(await client.send({ ...call, origin, path, headers, signal }))
    } catch (cause) {
      if (cause instanceof AdyenOutcomeUnknown || cause instanceof HttpClientException) throw cause
      const said = cause instanceof Error ? cause.message : String(cause)
      throw new AdyenOutcomeUnknown(signal.aborted ? `no answer within ${ms} ms` : said, { cause })
    }
  }

  return { request, getRaw, close: client.close }
}

/** The text of a 2xx that holds a JSON object; anything else is thrown. */
async function readAnswer({ status: statusCode, headers, body }: HttpAnswer): Promise<string> {
  const { bytes, isWhole } = await readUpTo(responseSizeMaxBytes, body)
  if (!isWhole) throw new AdyenOutcomeUnknown('the answer is too large')
  if (statusCode === 204) return ''
  const responseBody = bytes.toString()
  const json = parseObject(responseBody)
  if (statusCode >= 200 && statusCode < 300) {
    if (json === undefined) throw new AdyenOutcomeUnknown(`HTTP ${statusCode} without JSON`)
    return responseBody
  }
  throw new HttpClientException({
    message: `Adyen answered HTTP ${statusCode}`,
    statusCode,
    responseHeaders: headers,
    responseBody,
    ...(typeof json?.errorCode === 'string' && { errorCode: json.errorCode }),
    ...(json !== undefined && { apiError: json as never })
  })
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

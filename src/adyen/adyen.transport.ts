import httpClientException from '@adyen/api-library/lib/src/httpClient/httpClientException.js'
import {
  createHttpClient,
  type HttpAnswer,
  type HttpCall,
  OutOfBounds
} from '../http/http-client.transport.ts'
import { type CallKind, callKinds, type Trace } from '../provider.ts'
import {
  AdyenNotAsked,
  AdyenOutcomeUnknown,
  isDefinite,
  isHttpError,
  isRunning,
  isTransient
} from './answer.ts'
import { createGate, type Gate, type Health } from './gate.transport.ts'

const HttpClientException = httpClientException.default

const responseSizeMaxBytes = 1024 * 1024
const idleMs = 30_000

/**
 * Which calls are of a kind, by method and path: the first that fits, and a look-up where none
 * does. And how many of it go out at once.
 */
const callsOf: Readonly<Record<CallKind, { call: RegExp; atOnce: number }>> = {
  pages: { call: /^POST \/\S*sessions$/, atOnce: 128 },
  links: { call: /^POST \/\S*paymentLinks$/, atOnce: 64 },
  cardPayments: { call: /^POST \/\S*payments$/, atOnce: 128 },
  cardReturns: { call: /^POST \/\S*payments\/details$/, atOnce: 64 },
  captures: { call: /^POST \/\S*\/captures$/, atOnce: 100 },
  refunds: { call: /^POST \/\S*\/refunds$/, atOnce: 100 },
  cancellations: { call: /^(POST \/\S*\/(cancels|reversals)$|PATCH )/, atOnce: 100 },
  cards: { call: /^(GET|DELETE) \/\S*storedPaymentMethods/, atOnce: 40 },
  lookups: { call: /^GET /, atOnce: 100 }
}
/** A deadline that comes so much too late says more of this process than of Adyen. */
const lateMs = 250

/** Not serving at the moment, says whoever stands before Adyen. */
const notServing = [502, 503, 504]

export type TransportOptions = {
  apiKey: string
  /** Called where Adyen stops answering calls of a kind, and where it does again. */
  onChange?: ((kind: CallKind, isAnswering: boolean) => void) | undefined
  /** Called with the first answer of use after others that were not. */
  onRecovered?: ((kind: CallKind) => void) | undefined
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
export function createTransport(options: TransportOptions) {
  const { apiKey, deadlineMs, origin: ours } = options
  const client = createHttpClient({ idleMs })
  const gateEntries = callKinds.map((kind) => [kind, openGate(kind, options)])
  const gates = Object.fromEntries(gateEntries) as Record<CallKind, Gate>

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
    const headers = { ...call.headers, 'x-api-key': apiKey }
    return await gates[kindOf(call.method, path)].run(ms, async (leftMs) => {
      try {
        const bounds = { withinMs: leftMs, bytesMax: responseSizeMaxBytes }
        return readAnswer(await client.send({ ...call, origin, path, headers }, bounds))
      } catch (cause) {
        throw isKnown(cause) ? cause : toUnknown(cause, ms)
      }
    })
  }

  return {
    request,
    getRaw,
    gateOf: (kind: CallKind): Pick<Gate, 'pauseMs' | 'isTrialDue'> => gates[kind],
    close: () => void client.close()
  }
}

function openGate(kind: CallKind, { onChange, onRecovered }: TransportOptions): Gate {
  return createGate({
    atOnce: callsOf[kind].atOnce,
    readHealth,
    notSent: (why) => new AdyenNotAsked(why),
    onChange: (isAnswering) => onChange?.(kind, isAnswering),
    onRecovered: () => onRecovered?.(kind)
  })
}

function kindOf(method: string, path: string): CallKind {
  const call = `${method} ${path.split('?', 1)[0]}`
  const kinds = Object.keys(callsOf) as CallKind[]
  return kinds.find((kind) => callsOf[kind].call.test(call)) ?? 'lookups'
}

const isKnown = (error: unknown) =>
  error instanceof AdyenOutcomeUnknown || error instanceof HttpClientException

function toUnknown(cause: unknown, withinMs: number): AdyenOutcomeUnknown {
  const said = cause instanceof Error ? cause.message : String(cause)
  if (!(cause instanceof OutOfBounds)) return new AdyenOutcomeUnknown(said, { cause })
  if (cause.bound === 'size') return new AdyenOutcomeUnknown(said, { cause, isAnswered: true })
  const isOurs = cause.lateMs > lateMs
  return new AdyenOutcomeUnknown(`no answer within ${withinMs} ms`, { cause, isOurs })
}

function readHealth(error: unknown): Health {
  if (error instanceof AdyenOutcomeUnknown) {
    if (error.isOurs) return 'untold'
    return error.isAnswered ? 'troubled' : 'silent'
  }
  if (!isHttpError(error)) return 'troubled'
  if (isRunning(error)) return 'untold'
  const { statusCode } = error
  if (notServing.includes(statusCode)) return 'silent'
  if (statusCode >= 500 && isTransient(error)) return 'silent'
  return isDefinite(error) ? 'well' : 'troubled'
}

/** The text of a 2xx that holds a JSON object; anything else is thrown. */
function readAnswer({ status: statusCode, headers, body, fault }: HttpAnswer): string {
  if (fault !== undefined) throw fault
  if (statusCode === 204) return ''
  const responseBody = body.toString()
  const json = parseObject(responseBody)
  if (statusCode >= 200 && statusCode < 300) {
    if (json !== undefined) return responseBody
    throw new AdyenOutcomeUnknown(`HTTP ${statusCode} without JSON`, { isAnswered: true })
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
    return isObject ? (json as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

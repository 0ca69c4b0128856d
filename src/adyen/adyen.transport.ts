import httpClientException from '@adyen/api-library/lib/src/httpClient/httpClientException.js'
import {
  createHttpClient,
  type HttpAnswer,
  OutOfBounds
} from '../outbound/http-client.transport.ts'
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

/** How many calls of a kind go out at once, each over a connection of its own. */
const atOnce: Readonly<Record<CallKind, number>> = {
  pages: 128,
  links: 64,
  cardPayments: 128,
  cardReturns: 64,
  captures: 100,
  refunds: 100,
  cancellations: 100,
  cards: 40,
  lookups: 100
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
  /** From the start of a call to the last byte received, waiting for its turn included. */
  deadlineMs: number
  /** Where the Checkout API is, with its version. */
  baseUrl: string
}

export type AdyenCall = {
  kind: CallKind
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Path and query after the base URL, sent as they are. */
  path: string
  /** Sent as JSON. */
  body?: object
  /** The idempotency key: without one a call may be repeated as it is. */
  key?: string
  trace?: Trace | undefined
  /** A deadline of this call alone, ms; never later than the one of all calls. */
  withinMs?: number
}

export type AdyenTransport = ReturnType<typeof createTransport>

/**
 * Calls Adyen, in place of the library's HTTP client and serializer: that client opens a connection
 * for each call, has an idle timeout only, and lets an empty or truncated 2xx pass as an empty
 * object. The library's types say what is asked and answered.
 */
export function createTransport(options: TransportOptions) {
  const { apiKey, deadlineMs, baseUrl } = options
  const { origin, pathname } = new URL(baseUrl)
  const client = createHttpClient({ idleMs })
  const gateEntries = callKinds.map((kind) => [kind, openGate(kind, options)])
  const gates = Object.fromEntries(gateEntries) as Record<CallKind, Gate>

  /**
   * The JSON object of a 2xx as it came: of `Answer`, any member may be missing or another, and
   * dates are texts. Empty where there was no content. Throws what `readError` reads.
   */
  function ask<Answer extends object>(call: AdyenCall): Promise<Partial<Answer>> {
    const { kind, method, path, body, key, trace, withinMs = deadlineMs } = call
    const ms = Math.min(withinMs, deadlineMs)
    const sent = {
      ...{ origin, method, path: pathname + path },
      headers: {
        ...trace,
        'idempotency-key': key,
        'content-type': body && 'application/json',
        'x-api-key': apiKey
      },
      body: body === undefined ? null : JSON.stringify(body)
    }
    return gates[kind].run(ms, async (leftMs) => {
      try {
        const bounds = { withinMs: leftMs, bytesMax: responseSizeMaxBytes }
        return readAnswer(await client.send(sent, bounds)) as Partial<Answer>
      } catch (cause) {
        throw isKnown(cause) ? cause : toUnknown(cause, ms)
      }
    })
  }

  return {
    ask,
    gateOf: (kind: CallKind): Pick<Gate, 'pauseMs' | 'isTrialDue'> => gates[kind],
    close: () => void client.close()
  }
}

function openGate(kind: CallKind, { onChange, onRecovered }: TransportOptions): Gate {
  return createGate({
    atOnce: atOnce[kind],
    readHealth,
    notSent: (why) => new AdyenNotAsked(why),
    onChange: (isAnswering) => onChange?.(kind, isAnswering),
    onRecovered: () => onRecovered?.(kind)
  })
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

/** The object of a 2xx that holds one; anything else is thrown. */
function readAnswer({ status: statusCode, headers, body, fault }: HttpAnswer): object {
  if (fault !== undefined) throw fault
  if (statusCode === 204) return {}
  const responseBody = body.toString()
  const json = parseObject(responseBody)
  if (statusCode >= 200 && statusCode < 300) {
    if (json !== undefined) return json
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
    const json = JSON.parse(text)
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? json : undefined
  } catch {
    return undefined
  }
}

/** A fetch that repeats what is worth repeating, and only where that does nothing twice. */
import { pause } from './pause.ts'
import { isProblem, PaymentsError } from './payments-error.ts'

export type RepeatingOptions = {
  fetch: (request: Request) => Promise<Response>
  authorization: () => Promise<string>
  /** So often at most, after the first try. */
  retries: number
  /** Of one try, without what it asks to wait, ms. */
  timeoutMs: number
}

/** Where the answer does not say when to come back: doubled with each try, ms. */
const firstPauseMs = 250
const longestPauseMs = 8_000
/** An answer that asks for a longer pause is handed to the caller, ms. */
const longestRetryAfterMs = 30_000

export function repeating(options: RepeatingOptions): (request: Request) => Promise<Response> {
  return async (request) => {
    const repeatable = isRepeatable(request)
    for (let tries = 0; ; tries += 1) {
      const isLast = tries >= options.retries
      let pauseMs = backoff(tries)
      try {
        const response = await tryOnce(request, options)
        if (isLast || !(await isWorthRepeating(response, repeatable))) return response
        pauseMs = Math.max(pauseMs, retryAfterMs(response) ?? 0)
        if (pauseMs > longestRetryAfterMs) return response
      } catch (error) {
        request.signal.throwIfAborted()
        if (isLast || !repeatable) {
          throw new PaymentsError('no_answer', `No answer came from ${request.url}`, {
            cause: error
          })
        }
      }
      await pause(pauseMs, request.signal)
    }
  }
}

/**
 * Whether it may be sent again when nobody knows what came of it: reading, pushing the whole of
 * something, or under an Idempotency-Key. Not with If-Match alone: the first try may be why it
 * matches no more.
 */
function isRepeatable({ method, headers }: Request): boolean {
  if (headers.has('idempotency-key')) return true
  return method === 'GET' || (method === 'PUT' && !headers.has('if-match'))
}

/** One try with its whole answer, so that a connection lost within the body counts as no answer. */
async function tryOnce(request: Request, options: RepeatingOptions): Promise<Response> {
  const waitS = /(?:^|,)\s*wait=(\d+)/.exec(request.headers.get('prefer') ?? '')?.[1] ?? 0
  const timeout = new AbortController()
  const timer = setTimeout(
    () => timeout.abort(new Error('It took too long')),
    options.timeoutMs + Number(waitS) * 1000
  )
  try {
    const signal = AbortSignal.any([request.signal, timeout.signal])
    // Where it comes from may be silent as well.
    const authorization = await Promise.race([options.authorization(), rejectedBy(signal)])
    // Followed, a POST would become a GET, whose success is none of what was asked for.
    const redirect = request.method === 'GET' ? 'follow' : 'manual'
    const copy = new Request(request.clone(), { signal, redirect })
    copy.headers.set('authorization', authorization)
    const response = await options.fetch(copy)
    const body = await response.arrayBuffer()
    const { status, statusText, headers } = response
    return new Response(body.byteLength > 0 ? body : null, { status, statusText, headers })
  } finally {
    clearTimeout(timer)
  }
}

function rejectedBy(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

async function isWorthRepeating(response: Response, repeatable: boolean): Promise<boolean> {
  const { status } = response
  // The service has done nothing.
  if (status === 408 || status === 429) return true
  if (!repeatable) return false
  if (status === 500 || status === 503 || status === 504) return true
  if (status !== 409 && status !== 502) return false
  const body = await response
    .clone()
    .json()
    .catch(() => undefined)
  // A 502 of the service itself is final; that of a gateway says nothing.
  if (status === 502) return !isProblem(body)
  return isProblem(body) && body.code === 'idempotency_key_in_flight'
}

/** Between half and the whole of the pause, so that callers don't come back together. */
function backoff(tries: number): number {
  return Math.min(firstPauseMs * 2 ** tries, longestPauseMs) * (0.5 + Math.random() / 2)
}

/** Seconds, or a date (RFC 9110, 10.2.3). */
function retryAfterMs({ headers }: Response): number | undefined {
  const text = headers.get('retry-after')
  if (text === null) return undefined
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isNaN(ms) ? undefined : ms
}

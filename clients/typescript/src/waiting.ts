import type { Calls } from './calls.ts'
import type { Payment } from './openapi.ts'
import { pause } from './pause.ts'

export type WaitOptions = {
  /** For so long at most once the payment was found, ms: 60,000. */
  timeoutMs?: number
  /** When to stop waiting sooner, as for `authorised` of a manual capture; when it has finished. */
  until?: (payment: Payment) => boolean
  signal?: AbortSignal
}

const longestWaitS = 30
/** A service that is about to stop does not wait: not asked again at once, ms. */
const notSoonerMs = 500
/** The last look begins when time is up, and may take so long, ms. */
const lastLookMs = 1_000

/**
 * The payment once it has finished or is as `until` says, and when time is up as it is then: look
 * at its `finished` and `status`. It is told of a change within milliseconds.
 */
export async function waitForPayment(
  calls: Calls,
  id: string,
  { timeoutMs = 60_000, until = ({ finished }) => finished, signal }: WaitOptions = {}
): Promise<Payment> {
  const giveUpAt = performance.now() + timeoutMs
  const stop = signal === undefined ? {} : { signal }
  let { data: payment, response } = await calls.call('get', '/v1/payments/{id}', {
    path: { id },
    ...stop
  })
  for (;;) {
    const startedAt = performance.now()
    const leftMs = giveUpAt - startedAt
    if (until(payment) || payment.finished || leftMs <= 0) return payment
    // What a second does not divide is waited for here.
    const waitS = Math.min(longestWaitS, Math.floor(leftMs / 1000))
    if (waitS === 0) await pause(leftMs, signal)
    const etag = response.headers.get('etag')
    const endsInMs = Math.max(0, giveUpAt - performance.now()) + lastLookMs
    const timeUp = AbortSignal.timeout(Math.ceil(endsInMs))
    const asked = calls.call('get', '/v1/payments/{id}', {
      ...{ path: { id }, waitS, signal: AbortSignal.any([timeUp, ...(signal ? [signal] : [])]) },
      ...(etag !== null && { ifNoneMatch: etag })
    })
    // The pauses of a service that is away are no reason to wait longer than was asked for.
    const seen = await asked.catch((error) => {
      if (error !== timeUp.reason) throw error
    })
    if (seen === undefined) return payment
    if (seen.response.status === 304) {
      const soonest = startedAt + Math.min(notSoonerMs, leftMs)
      await pause(Math.max(0, soonest - performance.now()), signal)
    } else {
      payment = seen.data
      response = seen.response
    }
  }
}

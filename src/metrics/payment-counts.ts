/** What the metrics count of the events of payments. */

import type { CountedEvent } from '../webhooks/announce.store.ts'
import type { Metrics } from './metrics.ts'

type Counted = Pick<Metrics, 'payments' | 'attempts' | 'outcomes' | 'operations'>

const statuses: ReadonlySet<string> = new Set([
  ...['pending', 'authorised', 'captured', 'refused', 'cancelled', 'expired', 'failed']
])
const operations: ReadonlySet<string> = new Set(['capture', 'cancellation', 'refund', 'reversal'])

/** Counts what has just been announced; events of no payment are passed over. */
export function countEvents(metrics: Counted, events: Iterable<CountedEvent>): void {
  for (const event of events) {
    if (event.method === null || event.channel === null) continue
    const { method, channel } = event
    const [subject = '', what = ''] = event.type.split('.')
    if (operations.has(subject)) metrics.operations.inc({ kind: subject, status: what })
    if (subject !== 'payment') continue
    const status = what === 'created' ? 'pending' : what
    if (statuses.has(status)) countStatus(metrics, { ...event, method, channel }, status)
    const outcome = outcomeOf(event, what)
    if (outcome === undefined) continue
    const code = outcome === 'refused' ? event.failureCode : null
    metrics.attempts.inc({ outcome, method, channel, failure_code: code ?? 'none' })
  }
}

type OfPayment = CountedEvent & { method: string; channel: string }

function countStatus(metrics: Counted, event: OfPayment, status: string): void {
  const { method, channel, failureCode, ageS } = event
  const hasEnded = !['pending', 'authorised', 'captured'].includes(status)
  const code = hasEnded ? failureCode : null
  metrics.payments.inc({ status, method, channel, failure_code: code ?? 'none' })
  if (status !== 'pending' && ageS !== null) {
    metrics.outcomes.observe({ status, method }, Math.max(ageS, 0))
  }
}

/** Money that is taken at once was authorised by that; what was taken elsewhere is no attempt. */
function outcomeOf({ method, capture }: CountedEvent, what: string) {
  if (what === 'attemptRefused') return 'refused'
  if (what === 'authorised') return 'authorised'
  if (what !== 'captured' || capture !== 'automatic' || method === 'recorded') return undefined
  return 'authorised'
}

import { currentSpan } from './span.ts'

type Told = { type: string; paymentId: string | null; ageS: number | null }

/** What has become of payments, in the trace of each, as far as what runs is traced. */
export function traceEvents(events: Iterable<Told>): void {
  const span = currentSpan()
  if (span === undefined) return
  for (const { type, paymentId, ageS } of events) {
    if (paymentId === null) continue
    const attributes = { 'payment.age_s': ageS ?? undefined }
    span.begin(type, { paymentId, attributes, isFirst: type === 'payment.created' }).end()
  }
}

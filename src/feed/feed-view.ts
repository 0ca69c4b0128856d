import { toEventView } from '../payments/payment-view.ts'
import type { FeedEvent } from './feed.store.ts'

/** An event as the feed shows it and as webhooks carry it. */
export function toFeedView(event: FeedEvent, providerName: string) {
  const { payment, sequence, type, data, createdAt, accountId } = event
  if (payment !== null && sequence !== null) {
    const { then } = event
    return toEventView(payment, providerName)({ sequence, type, data, payment: then, createdAt })
  }
  return {
    id: event.eventId as string,
    type: type as string,
    createdAt: createdAt.toISOString(),
    accountId: accountId === null ? null : String(accountId),
    paymentId: null,
    sequence: null,
    data
  }
}

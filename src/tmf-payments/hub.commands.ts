import type { Context } from '../service-context.ts'
import type { ToEnvelope } from '../webhooks/envelope.ts'
import { notificationOf, refundOf, toNotification } from './hub.ts'
import { noExtras } from './tmf-payment.ts'
import { findPaymentExtras, findPosts } from './tmf-post.store.ts'

/**
 * How an event is written for a subscriber to the hub: the resource as it was then, with what was
 * posted of it, as GET has it. Null where the subscriber wants no such notification.
 */
export function createNotifier({ db, publicUrl }: Pick<Context, 'db' | 'publicUrl'>): ToEnvelope {
  return async (event, { query }) => {
    const type = notificationOf(event, query)
    if (type === undefined) return null
    const { paymentId } = event
    const refund = refundOf(event)
    const payments = paymentId === null ? undefined : await findPaymentExtras(db, [paymentId])
    const posts = refund === undefined ? undefined : await findPosts(db, [refund.id])
    return toNotification(event, type, publicUrl, {
      payment: payments?.get(paymentId as string) ?? noExtras,
      refund: { sent: posts?.get(refund?.id ?? '') ?? null, updatedAt: event.createdAt }
    })
  }
}

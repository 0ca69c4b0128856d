import type { PaymentView } from './payment.schema.ts'
import { amountRefundable, beginning, isFinished, type Payment } from './payment.ts'

/** The payment as the API shows it. */
export function toPaymentView(payment: Payment, providerName: string): PaymentView {
  return {
    id: payment.id,
    accountId: String(payment.accountId),
    amount: payment.amount,
    channel: payment.channel,
    method: payment.method,
    status: payment.status,
    finished: isFinished(payment.status),
    failure: payment.failure,
    checkout:
      payment.status === 'pending' && payment.checkoutUrl !== null
        ? { url: payment.checkoutUrl, expiresAt: payment.expiresAt.toISOString() }
        : null,
    card: payment.card,
    capture: payment.capture,
    amountCaptured: payment.amountCaptured,
    amountRefunded: payment.amountRefunded,
    amountChargedBack: payment.amountChargedBack,
    amountRefundable: amountRefundable(payment),
    reference: payment.reference,
    description: payment.description,
    metadata: payment.metadata,
    operator: payment.operator,
    provider: { name: providerName, reference: payment.authorisation },
    settlement: null,
    createdAt: payment.createdAt.toISOString(),
    updatedAt: payment.updatedAt.toISOString(),
    finishedAt: payment.finishedAt?.toISOString() ?? null
  }
}

/** The payment as it was when it was created, before anything else happened to it. */
export function asCreated(payment: Payment): Payment {
  return { ...payment, ...beginning, updatedAt: payment.createdAt }
}

/** Changes with every event of the payment, and when its page or its card becomes known. */
export function toETag(payment: Payment): string {
  const page = payment.checkoutUrl === null ? '' : 'c'
  return `"${payment.eventCount}-${payment.updatedAt.getTime().toString(36)}${page}"`
}

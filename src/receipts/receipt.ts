/** What is said of a payment that has brought money, to the customer or to whoever books it. */
import type { Money } from '../money.ts'
import type { ShownPayment } from '../payments/payment.ts'
import { toPaymentView } from '../payments/payment-view.ts'

/** A refund that has gone to the card; minor units. */
export type ReceiptRefund = { id: string; amount: number; createdAt: Date }

/** Whether there is anything to give a receipt for: also where it went back since. */
export function hasReceipt({ amountCaptured }: ShownPayment): boolean {
  return amountCaptured > 0
}

/** As the API shows it. `refunds`: in the order in which they are shown. */
export function toReceiptView(
  payment: ShownPayment,
  refunds: readonly ReceiptRefund[],
  { providerName, merchantName }: { providerName: string; merchantName: string | null }
) {
  const view = toPaymentView(payment, providerName, payment.allocated)
  const { accountId, method, reference, description, provider, card } = view
  const { allocations = [], amountUnallocated = 0 } = view
  const { amountCaptured, amountRefunded, amountChargedBack } = payment
  const amount: Money = { currency: payment.amount.currency, value: amountCaptured }
  return {
    paymentId: payment.id,
    accountId,
    merchantName,
    amount,
    paidAt: (payment.takenAt ?? payment.finishedAt ?? payment.updatedAt).toISOString(),
    method,
    card: card && { brand: card.brand, lastFour: card.lastFour },
    provider,
    reference,
    description,
    allocations,
    amountUnallocated,
    amountRefunded,
    amountChargedBack,
    refunds: refunds.map(({ id, amount: value, createdAt }) => {
      return { id, amount: value, createdAt: createdAt.toISOString() }
    })
  }
}
export type ReceiptView = ReturnType<typeof toReceiptView>

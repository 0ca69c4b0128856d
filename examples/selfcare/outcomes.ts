import type { Payment } from '../../clients/typescript/src/index.ts'

const outcomes: Readonly<Record<Payment['status'], readonly [word: string, text: string]>> = {
  pending: ['Pending', 'We do not know yet whether it was paid. This page changes by itself.'],
  authorised: ['Reserved', 'Your bank has reserved the money.'],
  captured: ['Paid', 'Thank you. Your payment is complete.'],
  refused: ['Declined', 'Your bank declined it. Nothing was taken: try again, or another card.'],
  cancelled: ['Cancelled', 'It was cancelled. Nothing was taken.'],
  expired: ['Expired', 'The time to pay ran out. Nothing was taken.'],
  failed: ['Not completed', 'It could not be completed. Ask us before you pay again.']
}
const wentBack = ['Paid', 'It was paid, and money of it went back to your card.'] as const

/** What of it went back to the card, minor units. */
export const goneOf = (payment: Payment) => payment.amountRefunded + payment.amountChargedBack

/** What a customer is told: in a word, and in full. */
export function outcomeOf(payment: Payment): readonly [word: string, text: string] {
  const isWhole = payment.status !== 'captured' || goneOf(payment) === 0
  return isWhole ? outcomes[payment.status] : wentBack
}

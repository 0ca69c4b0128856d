import { hash } from 'node:crypto'

const paymentId = /^pay_[0-9a-z]{16}$/

export const isPaymentId = (text: string): boolean => paymentId.test(text)

/**
 * Where the trace of a payment begins. Made of its id, so that whoever comes to the payment finds
 * it, on any instance and days later, and nothing is stored for it.
 */
export function traceOfPayment(paymentId: string): { traceId: string; spanId: string } {
  const digits = hash('sha256', paymentId)
  return { traceId: digits.slice(0, 32), spanId: digits.slice(32, 48) }
}

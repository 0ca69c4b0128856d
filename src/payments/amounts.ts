/** Whether an amount that a client sends fits its payment. */
import { fitsCmpDecimals, type Money } from '../money.ts'
import { Problem } from '../problem.ts'
import type { Payment } from './payment.ts'

/**
 * Whether the provider can express an amount. It is not asked about all that is left: the provider
 * took the whole, and reported each part that was taken of it.
 */
export type CanExpress = (amount: Money) => boolean

export function checkCurrency(payment: Payment, { currency }: Money): void {
  const own = payment.amount.currency
  if (currency === own) return
  throw new Problem('currency_mismatch', `Payment ${payment.id} is in ${own}, not ${currency}.`, {
    errors: [{ pointer: '/amount/currency', detail: `It must be ${own}.` }]
  })
}

/** A part of a payment may have decimals that the whole has not. */
export function checkRepresentable(amount: Money, canExpress: CanExpress | undefined): void {
  if (canExpress === undefined || (fitsCmpDecimals(amount) && canExpress(amount))) return
  const detail = 'It has decimals that are not supported.'
  const errors = [{ pointer: '/amount/value', detail }]
  throw new Problem('amount_not_representable', detail, { errors })
}

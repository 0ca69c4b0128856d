import type { Context } from './context.ts'
import { booksOf, isCapturedAutomatically, isPast, modificationsOf } from './modification-books.ts'
import type { Amount } from './money.ts'
import type { Modification, Payment } from './state.ts'

/** A movement of money of a payment, as a settlement report tells it. */
export type Entry = {
  /** Names the fact: each is in one report. */
  key: string
  type: string
  payment: Payment
  pspReference: string
  merchantReference: string
  amount: Amount
  /** 1 to the merchant, -1 from it. */
  sign: 1 | -1
  at: string
}

/** The chargeback itself, where no CHARGEBACK comes with it. */
const OPENED_WITH_CHARGEBACK = 'DISPUTE_OPENED_WITH_CHARGEBACK'

const DISPUTES: Record<string, [type: string, sign: 1 | -1]> = {
  CHARGEBACK: ['Chargeback', -1],
  [OPENED_WITH_CHARGEBACK]: ['Chargeback', -1],
  CHARGEBACK_REVERSED: ['ChargebackReversed', 1],
  SECOND_CHARGEBACK: ['SecondChargeback', -1]
}

/** All that has moved money of a payment, by the simulator's own books. */
export function entriesOf(context: Context, payment: Payment): Entry[] {
  const entry = (
    type: string,
    sign: 1 | -1,
    { id, reference, amount, at }: { id: string; reference: string; amount: Amount; at: string }
  ): Entry => ({
    ...{ key: `${type} ${id}`, type, sign, payment, amount, at },
    pspReference: id,
    merchantReference: reference
  })
  const modifications = modificationsOf(context, payment)
  const { currency } = payment.amount
  const { authorised } = booksOf(payment, modifications, false)
  const automatic = {
    id: payment.captureReference,
    reference: '',
    amount: { currency, value: authorised },
    at: payment.capturedAt ?? payment.createdAt
  }
  // The check of a card that is registered takes nothing, so that nothing of it is settled.
  const isAutomatic = authorised > 0 && isCapturedAutomatically(payment)
  return [
    ...(isAutomatic ? [entry('Settled', 1, automatic)] : []),
    ...modifications.flatMap((one) => {
      const asTold = { ...one, reference: one.reference ?? '', at: one.createdAt }
      if (!one.success) return []
      if (one.kind === 'capture') return hasFailed(one) ? [] : [entry('Settled', 1, asTold)]
      if (one.kind !== 'refund' && one.action !== 'refund') return []
      const refunded = entry('Refunded', -1, asTold)
      const isBooked = context.state.bookings.get(refunded.key) !== undefined
      if (!hasFailed(one)) return [refunded]
      // What failed before it was settled was never taken from the merchant.
      return isBooked ? [refunded, entry('RefundedReversed', 1, asTold)] : []
    }),
    ...payment.disputed.flatMap(({ eventCode, pspReference, amount, at }) => {
      const [type, sign] = DISPUTES[eventCode] ?? []
      if (eventCode === OPENED_WITH_CHARGEBACK && hasChargeback(payment, pspReference)) return []
      if (type === undefined || sign === undefined) return []
      return [entry(type, sign, { id: pspReference, reference: '', amount, at })]
    })
  ]
}

/** A settlement report has had a capture of the payment, so it can no longer be undone. */
export function isSettled(context: Context, payment: Payment): boolean {
  return entriesOf(context, payment).some(
    ({ key, type }) => type === 'Settled' && context.state.bookings.get(key) !== undefined
  )
}

function hasChargeback({ disputed }: Payment, reference: string): boolean {
  return disputed.some(
    ({ eventCode, pspReference }) => eventCode === 'CHARGEBACK' && pspReference === reference
  )
}

function hasFailed({ failedAt }: Modification): boolean {
  return isPast(failedAt)
}

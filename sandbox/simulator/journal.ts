import type { Context } from './context.ts'
import { modificationsOf } from './modification-books.ts'
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

const DISPUTES: Record<string, [type: string, sign: 1 | -1]> = {
  CHARGEBACK: ['Chargeback', -1],
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
  const { capturedAt, captureFailedAt } = payment
  const isCaptured = capturedAt !== null && isPast(capturedAt) && !isPast(captureFailedAt)
  const automatic = { id: captureOf(payment), reference: '', amount: payment.amount }
  return [
    ...(isCaptured ? [entry('Settled', 1, { ...automatic, at: capturedAt })] : []),
    ...modificationsOf(context, payment).flatMap((one) => {
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
      if (type === undefined || sign === undefined) return []
      return [entry(type, sign, { id: pspReference, reference: '', amount, at })]
    })
  ]
}

/** An automatic capture has a reference that no webhook ever told; the same in every report. */
function captureOf({ id }: Payment): string {
  return `${[...id].reverse().join('')}`
}

function hasFailed({ failedAt }: Modification): boolean {
  return isPast(failedAt)
}

function isPast(time: string | null): boolean {
  return time !== null && Date.parse(time) <= Date.now()
}

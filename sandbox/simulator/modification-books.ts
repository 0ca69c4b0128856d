import type { Modification, Payment, State } from './state.ts'

/** Where a payment stands, in minor units. */
export type Books = {
  /** What is reserved, or was when it was captured: adjustments change it. */
  authorised: number
  captured: number
  refunded: number
  cancelled: boolean
  expired: boolean
  /** What a capture may still take, and a refund give back. */
  capturable: number
  refundable: number
}

/** The modifications of a payment, oldest first. */
export function modificationsOf({ state }: { state: State }, payment: Payment): Modification[] {
  return payment.modifications
    .map((id) => state.modifications.get(id))
    .filter((modification) => modification !== undefined)
}

/**
 * Default accounting rules of https://docs.adyen.com/online-payments/capture and .../refund:
 * captures stay within the authorised amount, refunds within what was captured, and a partial
 * capture cancels the remainder unless multiple partial captures are switched on.
 */
export function booksOf(
  payment: Payment,
  modifications: Modification[],
  areCapturesMultiple: boolean
): Books {
  const valid = modifications.filter(({ success, failedAt }) => success && !isPast(failedAt))
  const sum = (belongs: (one: Modification) => boolean) =>
    valid.filter(belongs).reduce((total, { amount }) => total + amount.value, 0)

  const adjustment = valid.findLast(({ kind }) => kind === 'amountUpdate')
  const authorised = (adjustment ?? payment).amount.value
  const expired = isPast(payment.expiredAt)
  const captured = isCapturedAutomatically(payment)
    ? authorised
    : sum(({ kind }) => kind === 'capture')
  const refunded = sum(({ kind, action }) => kind === 'refund' || action === 'refund')
  const cancelled = valid.some(
    ({ kind, action }) => ['cancel', 'technicalCancel'].includes(kind) || action === 'cancel'
  )
  const isOpen = !cancelled && !expired && (captured === 0 || areCapturesMultiple)
  return {
    authorised,
    captured,
    refunded,
    cancelled,
    expired,
    capturable: isOpen ? authorised - captured : 0,
    refundable: Math.max(0, captured - refunded)
  }
}

export function isCapturedAutomatically({ capturedAt, captureFailedAt }: Payment): boolean {
  return isPast(capturedAt) && !isPast(captureFailedAt)
}

export function isPast(time: string | null): boolean {
  return time !== null && Date.parse(time) <= Date.now()
}

/**
 * When a payment whose outcome is not known is looked after next. Pure; all in seconds from now, by
 * the database's clock.
 */
import { pageGraceMs } from '../payments/payment.ts'

/** How long after its page's end a payment ends: its last attempt may be on its way. */
export const pageGraceS = pageGraceMs / 1000

/** A link is looked after this long after it was made, and then every hour while it is open. */
const linkFirstLookS = 600
const linkLookS = 3_600
/** How long the notification may take of a link that the provider reports as paid. */
export const reportedPaidWaitS = 3_600

/** Only a link can be asked about before it ends; one that ends sooner is asked about then. */
export function firstLookS(method: string, lifeS: number): number | null {
  return method === 'paymentLink' && lifeS > linkFirstLookS ? linkFirstLookS : null
}

/**
 * `endsInS`: until the link ends, negative after it. It is not asked about between its end and the
 * end of its grace: what it reports then is not final.
 */
export function nextLinkLookS(endsInS: number): number {
  return linkLookS < endsInS || isOver(endsInS) ? linkLookS : endsInS + pageGraceS
}

/** Whether even the last attempt on a page or link has ended. */
export function isOver(endsInS: number): boolean {
  return endsInS + pageGraceS <= 0
}

/** Asking again what became of a page whose customer came back, until the page ends. */
const returnAskS = [5, 15, 60, 300, 900]
const returnAskMaxS = 3_600
/** The last time is so long before the payment ends. */
const returnLastAskS = 60

/** The pause after the n-th time; `endsInS`: until the payment ends. */
export function nextReturnAskS(attempts: number, endsInS: number): number {
  const next = returnAskS[attempts] ?? returnAskMaxS
  const last = endsInS - returnLastAskS
  return last > 0 ? Math.min(next, last) : next
}

/** Asking for the outcome of a card payment: each pause is as long as the question is old. */
export function nextCardPaymentLookS(triedForMs: number): number {
  return Math.min(Math.max(triedForMs / 1000, 2), 3_600)
}

/**
 * A reservation that is neither captured nor released for so long: Adyen keeps it for 28 days
 * (docs.adyen.com/online-payments/adjust-authorisation), and has two more to say that it expired.
 */
export const reservationMaxS = 30 * 24 * 60 * 60

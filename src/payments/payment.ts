/** The rules of a payment. Pure: no clock, no database, no provider. */
import type { Allocated, NamedAllocation } from '../ledger/ledger.ts'
import type { Money } from '../money.ts'
import type { Authentication } from '../provider/authentication.ts'
import type { PageMethod } from '../provider/page-methods.ts'
import type { CardFace, Customer, Failure } from '../provider.ts'

/** What each status means, to those who read it. */
export const statusMeanings = {
  pending: 'Waits for the customer or the provider; tell the customer nothing final, and ask again',
  authorised: 'The money is reserved: capture it, or cancel and let it go',
  captured: 'Paid: the money is taken and on the account; make no second payment',
  refused: 'Not paid: every attempt was declined; a new payment may be made',
  cancelled: 'Not paid: the customer or a client cancelled it; a new payment may be made',
  expired: 'Not paid: the time to pay or to capture ran out; a new payment may be made',
  failed: 'Not paid: it could not be made, or its money was taken back; see `failure`'
} as const
export type PaymentStatus = keyof typeof statusMeanings
export const statuses = Object.keys(statusMeanings) as readonly PaymentStatus[]

export const channelMeanings = {
  selfcare: 'The customer, in an app or on a website',
  ivr: 'The customer, on the telephone with a machine',
  agent: 'A person who acts for the customer, and is named as `operator`',
  service: 'Another system, with nobody present'
} as const
export type Channel = keyof typeof channelMeanings
export const channels = Object.keys(channelMeanings) as readonly Channel[]

/** How the customer pays. */
export const methodMeanings = {
  hostedPage: "On the payment provider's card page, at once",
  paymentLink: 'On the same page, by a link that is sent',
  registeredCard: 'By a card that the account has registered',
  recorded: 'To another processor: it is only recorded here'
} as const
export type PaymentMethod = keyof typeof methodMeanings
export const methods = Object.keys(methodMeanings) as readonly PaymentMethod[]

/** What can happen to a payment, the statuses it may happen in, and the status it leaves. */
export const moves = {
  // A success that comes late is money all the same.
  authorised: { from: ['pending', 'refused', 'cancelled', 'expired', 'failed'], to: 'authorised' },
  captured: {
    from: ['pending', 'authorised', 'refused', 'cancelled', 'expired', 'failed'],
    to: 'captured'
  },
  refused: { from: ['pending'], to: 'refused' },
  cancelled: { from: ['pending', 'authorised'], to: 'cancelled' },
  expired: { from: ['pending', 'authorised'], to: 'expired' },
  failed: { from: ['pending'], to: 'failed' },
  // Only when nothing captured is left; that it had been captured may be reported later.
  captureFailed: { from: ['captured', 'authorised', 'expired', 'cancelled'], to: 'failed' }
} as const satisfies Record<string, { from: readonly PaymentStatus[]; to: PaymentStatus }>
export type PaymentMove = keyof typeof moves

/** Whether `move` may happen to a payment of this status. */
export function mayMove(status: PaymentStatus, move: PaymentMove): boolean {
  const from: readonly PaymentStatus[] = moves[move].from
  return from.includes(status)
}

/** Nothing more is expected to happen, but for a late success. */
export function isFinished(status: PaymentStatus): boolean {
  return status !== 'pending' && status !== 'authorised'
}

/** Ended without money. */
export function isUnpaid(status: PaymentStatus): boolean {
  return isFinished(status) && status !== 'captured'
}

/**
 * How long after `expiresAt` a page without an outcome ends: its last attempt may be on its way.
 */
export const pageGraceMs = 15 * 60_000
const minuteMs = 60_000
const hourMs = 60 * minuteMs
/**
 * How long the customer has, unless asked otherwise: a page at most 24 h (Adyen, /sessions), a link
 * at most 70 days (Adyen, /paymentLinks). A registered card may need a page for 3-D Secure.
 */
export const lifeMs = {
  hostedPage: { default: hourMs, min: minuteMs, max: 24 * hourMs },
  paymentLink: { default: 24 * hourMs, min: minuteMs, max: 70 * 24 * hourMs },
  registeredCard: { default: hourMs, min: minuteMs, max: 24 * hourMs }
} as const

/** The person who acts for the customer. */
export type Operator = { id: string; reason?: string }

/**
 * What the provider settled of a payment, as its reports say: minor units of `currency`, the
 * settlement's own. `gross` less `fees` is `net`. Of several captures it is the sum, and when and
 * in which batch the last one came.
 */
export type Settlement = {
  /** RFC 3339, UTC; null where the report's time zone leaves a doubt. */
  settledAt: string | null
  batch: string
  gross: number
  fees: number
  net: number
  currency: string
}

/** What a client says of a payment that it wants. */
export type PaymentTerms = {
  accountId: number
  amount: Money
  channel: Channel
  method: PaymentMethod
  capture: 'automatic' | 'manual'
  saveCard: 'never' | 'ask' | 'always'
  /** What its page may offer; null for all that is enabled. */
  paymentMethods: PageMethod[] | null
  returnUrl: string | null
  reference: string | null
  description: string | null
  metadata: Record<string, string> | null
  customer: Customer | null
  operator: Operator | null
  allocations: NamedAllocation[] | null
  registeredCardId: string | null
}

/** A payment as it stands. Amounts are minor units of `amount.currency`. */
export type Payment = PaymentTerms & {
  id: string
  clientId: string
  /** Null for a recorded payment, whose processor's reference is its key. */
  idempotencyKey: string | null
  /** Who took a recorded payment, and its own reference and authorisation code. */
  processor: { name: string; reference: string } | null
  authorisationCode: string | null
  takenAt: Date | null
  expiresAt: Date
  createdAt: Date

  status: PaymentStatus
  cancelledBy: 'customer' | 'client' | null
  failure: Failure | null
  card: CardFace | null
  authentication: Authentication | null
  /** The provider's reference of the authorisation whose money was kept. */
  authorisationReference: string | null
  /** The most that the provider ever reserved of the money that was kept; 0 before there is any. */
  amountAuthorised: number
  amountCaptured: number
  amountRefunded: number
  /** Of refunds that wait for approval, or for the provider. */
  amountRefunding: number
  amountChargedBack: number
  settlement: Settlement | null
  eventCount: number
  updatedAt: Date
  finishedAt: Date | null

  /** The idempotency key of the call that opens the page or charges the card. */
  providerKey: string | null
  /** The page, link or redirect at the provider, once there is one. */
  providerSession: string | null
  checkoutUrl: string | null
}

/** A payment as it is answered: with what its money stands for now, as the ledger has it. */
export type ShownPayment = Payment & { allocated: Allocated }

/** How every payment begins. */
export const beginning = {
  status: 'pending',
  cancelledBy: null,
  failure: null,
  card: null,
  authentication: null,
  authorisationReference: null,
  amountAuthorised: 0,
  amountCaptured: 0,
  amountRefunded: 0,
  amountRefunding: 0,
  amountChargedBack: 0,
  settlement: null,
  eventCount: 1,
  finishedAt: null,
  providerSession: null,
  checkoutUrl: null
} as const satisfies Partial<Payment>

/** What can still be refunded: captured, less what went back, or is on its way. */
export function amountRefundable(payment: Payment): number {
  const { amountCaptured, amountRefunded, amountRefunding, amountChargedBack } = payment
  return Math.max(0, amountCaptured - amountRefunded - amountRefunding - amountChargedBack)
}

/**
 * The idempotency key of the n-th call of an operation: stored with the intent, before the call.
 * 64 characters at most (Adyen, API idempotency).
 */
export function providerKey(id: string, operation: ProviderOperation, n = 1): string {
  return `${id}.${operation}.${n}`
}
export type ProviderOperation =
  | 'session'
  | 'link'
  | 'payment'
  | 'details'
  | 'registration'
  | 'capture'
  | 'cancellation'
  | 'refund'
  | 'reversal'

/** The key that follows, for a call whose error the provider has stored under the last one. */
export function nextProviderKey(key: string): string {
  const dot = key.lastIndexOf('.')
  return `${key.slice(0, dot)}.${Number(key.slice(dot + 1)) + 1}`
}

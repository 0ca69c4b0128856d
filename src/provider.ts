/**
 * What we ask of a payment provider, and what it may tell us. Types only, but for the closed list
 * of failures: the words of a real provider stay in its own folder.
 */
import type { Money } from './money.ts'

/** Why a payment or an attempt failed; closed and public. */
export const failureCodes = [
  'card_declined',
  'insufficient_funds',
  'card_expired',
  'card_invalid',
  'card_blocked',
  'authentication_failed',
  'authentication_required',
  'fraud_suspected',
  'issuer_unavailable',
  'not_permitted',
  'cancelled_by_customer',
  'expired',
  'capture_failed',
  'provider_rejected',
  'provider_error',
  'unknown'
] as const
export type FailureCode = (typeof failureCodes)[number]
export type Failure = { code: FailureCode; message: string; retryable: boolean }

/** The face of the card that paid. For display only: no rule reads it, any part may be missing. */
export type CardFace = {
  brand: string | null
  lastFour: string | null
  expiryMonth: number | null
  expiryYear: number | null
  funding: string | null
  registeredCardId: string | null
}

export type HostedPageRequest = {
  /** The idempotency key of this call, stored before it is made. */
  key: string
  paymentId: string
  accountId: number
  amount: Money
  returnUrl: string
  expiresAt: Date
  capture: 'automatic' | 'manual'
  saveCard: 'never' | 'ask' | 'always'
  customer: {
    reference?: string
    email?: string
    phone?: string
    locale?: string
    countryCode?: string
  } | null
  metadata: Record<string, string> | null
}
export type HostedPage = { session: string; url: string }

export type ReversalRequest = {
  key: string
  reversalId: string
  /** The authorisation whose money goes back. */
  authorisation: string
}

/**
 * The answer to a call. `rejected` is definite: nothing happened and nothing will. `unknown` may or
 * may not have happened: ask again under the same key, or, only where the provider did answer and
 * stored its error under that key, under a new one.
 */
export type Answer<T> =
  | { outcome: 'done'; value: T }
  | { outcome: 'rejected'; reason: string }
  | { outcome: 'unknown'; reason: string; retry: 'same_key' | 'new_key' }

/** What a page had to say when the customer came back from it. */
export type PageResult =
  | { outcome: 'paid'; authorisation: string; amount: Money }
  | { outcome: 'cancelled' | 'refused' }
  | { outcome: 'open' }

/** Headers that name the request that a call belongs to: its id, and its W3C trace context. */
export type Trace = { 'x-request-id'?: string; traceparent?: string }

export type Provider = {
  name: string
  /** Whether the provider can express this amount in its own minor units. */
  canExpress(amount: Money): boolean
  createHostedPage(request: HostedPageRequest, trace?: Trace): Promise<Answer<HostedPage>>
  /** `result` is what the page appended to the return URL. */
  findPageResult(
    session: string,
    result: string,
    paymentId: string,
    deadlineMs: number
  ): Promise<PageResult>
  reverse(request: ReversalRequest): Promise<Answer<{ reference: string }>>
}

/** A request about an authorisation: the provider's reference of it, and the one that we sent. */
export type Modification = { providerReference: string; reference: string }

/** A fact that the provider told us, by whatever way it came. */
export type ProviderEvent =
  | { type: 'authorised'; authorisation: string; amount: Money; card: CardFace | null }
  | { type: 'attemptRefused'; authorisation: string; amount: Money; failure: Failure }
  /** The page is closed without a payment. */
  | { type: 'pageClosed'; by: 'customer' | 'refusals' | 'time' }
  /** What was reserved and not captured is released. */
  | { type: 'authorisationExpired'; authorisation: string }
  /** What was reserved was captured, by whoever asked for it. */
  | { type: 'captured'; authorisation: string; amount: Money }
  /** The authorisation was cancelled or its money given back, by whoever asked for it. */
  | { type: 'givenBack'; authorisation: string; by: Modification }
  /** A request to give money back was refused: nothing went back by it. */
  | { type: 'reversalRefused'; authorisation: string; by: Modification | null; reason: string }
  /** Money that had been given back came again. */
  | { type: 'reversalFellThrough'; authorisation: string; by: Modification; reason: string }
  /** The provider never said what became of a reversal. */
  | { type: 'reversalUnknown'; authorisation: string }
  /** The provider refused to open a page: the payment can't be made. */
  | { type: 'rejected'; reason: string }

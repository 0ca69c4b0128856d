/**
 * What we ask of a payment provider, and what it may report to us. Types only, but for the lists of
 * calls and of disputes: the words of a real provider stay in its own folder.
 */
import type { Money } from './money.ts'
import type { Authentication } from './provider/authentication.ts'
import type { FailureCode } from './provider/failures.ts'
import type { PageMethod, Wallet } from './provider/page-methods.ts'

/** `message`: what is known of the reason, in the words of whoever said so: not for customers. */
export type Failure = { code: FailureCode; message: string; retryable: boolean }

/** The face of the card that paid. For display only: no rule reads it, any part may be missing. */
export type CardFace = {
  /** That of the card in it, where a wallet paid. */
  brand: string | null
  lastFour: string | null
  expiryMonth: number | null
  expiryYear: number | null
  funding: string | null
  registeredCardId: string | null
  /** Left out where there was none, as in all that was paid before there were any. */
  wallet?: Wallet
}

/** Money that the provider reserved or took, and what is shown of it. */
type Paid = {
  authorisationReference: string
  amount: Money
  card: CardFace | null
  /** Left out by a source that does not say. */
  authentication?: Authentication | null
}

export type Customer = {
  reference?: string
  email?: string
  phone?: string
  locale?: string
  countryCode?: string
}

/** What every way to ask for money has in common. */
type MoneyRequest = {
  /** The idempotency key of this call, stored before it is made. */
  key: string
  paymentId: string
  accountId: number
  amount: Money
  /** Ours: it leads on to the caller's own. */
  returnUrl: string
  capture: 'automatic' | 'manual'
  metadata: Record<string, string> | null
}

type PageDetails = {
  expiresAt: Date
  /** Never empty: that would offer whatever the merchant account has. */
  offers: readonly PageMethod[]
  saveCard: 'never' | 'ask' | 'always'
  customer: Customer | null
}

/** `byPhone`: an operator types the card for the customer (mail order, telephone order). */
export type HostedPageRequest = MoneyRequest & PageDetails & { byPhone: boolean }
/**
 * A link is sent to the customer; `description` is shown on its page, which ends with a button that
 * leads on to `returnUrl`.
 */
export type PaymentLinkRequest = MoneyRequest & PageDetails & { description: string | null }
/** A page where a customer may pay: its id at the provider, and its address. */
export type HostedPage = { session: string; url: string }

/** `token`: the provider's name of the registered card. */
export type CardPaymentRequest = MoneyRequest & { token: string; customer: Customer | null }

/**
 * What came of charging a card. `asked`: the customer must go to `url` first (3-D Secure), and what
 * comes of that is reported when they come back. `open`: the provider has it and will report.
 */
export type CardPaymentResult =
  | ({ result: 'paid' } & Paid)
  | { result: 'refused'; authorisationReference: string; failure: Failure }
  | { result: 'asked'; session: string; url: string }
  | { result: 'open' }

/** A page where a customer registers a card and pays nothing. */
export type RegistrationRequest = {
  key: string
  registrationId: string
  accountId: number
  currency: string
  returnUrl: string
  expiresAt: Date
  customer: Customer | null
}

/** A card that the provider keeps for an account. */
export type StoredCard = { token: string } & Omit<CardFace, 'registeredCardId' | 'wallet'>

/**
 * What is asked of the provider about money that it has authorised, or about a payment that has not
 * come so far. `reference` is ours, and comes back with the outcome.
 */
export type OperationRequest = { key: string; reference: string } & (
  | { kind: 'capture' | 'refund'; authorisationReference: string; amount: Money }
  | { kind: 'cancellation' | 'reversal'; authorisationReference: string }
  /** No authorisation is known: whatever the provider has under our payment's id. */
  | { kind: 'cancellation'; authorisationReference: null; paymentId: string }
)

/**
 * The answer to a call. `rejected` is definite: nothing happened and nothing will. `unknown` may
 * or may not have happened: ask again under the same key, or, only where the provider did answer
 * and stored its error under that key, under a new one. `reason` is a sentence of ours, for all.
 */
export type Answer<T> =
  | { outcome: 'done'; value: T }
  | ({ outcome: 'rejected'; reason: string } & AnswerNote)
  | ({ outcome: 'unknown'; reason: string; retry: 'same_key' | 'new_key' } & AnswerNote)

/** For log and metrics alone: what the provider said, and what the operator must know of. */
export type AnswerNote = {
  said?: string
  /** Our key is not accepted; a page leads to a stranger; the provider was not asked at all. */
  trouble?: 'key_refused' | 'address_refused' | 'not_asked'
}

/** Calls that have connections of their own: some may go unanswered while the others are well. */
export const callKinds = [
  'pages',
  'links',
  'cardPayments',
  'cardReturns',
  'captures',
  'refunds',
  'cancellations',
  'lookups',
  'cards'
] as const
export type CallKind = (typeof callKinds)[number]

/** What a page had to say when the customer came back from it. */
export type PageResult =
  | ({ outcome: 'paid' } & Paid)
  | { outcome: 'cancelled' | 'refused' }
  /** It has no outcome; or the provider did not say, and may when it is asked again. */
  | ({ outcome: 'open' | 'unknown' } & AnswerNote)

/** What the provider says of a link, which it may be asked at any time. */
export type LinkStatus = 'open' | 'paid' | 'expired' | 'unknown'

/** Headers that name the request that a call belongs to: its id, and its W3C trace context. */
export type Trace = { 'x-request-id'?: string; traceparent?: string }

export type Provider = {
  name: string
  /** Whether the provider can express this amount in its own minor units. */
  canExpress(amount: Money): boolean
  /** Until it is worth asking, ms: more than 0 while the provider is not answering. */
  pauseMs(kind: CallKind): number
  /** Whether work that waits is to be tried before its time, since the last answer was no use. */
  isTrialDue(kind: CallKind): boolean
  /** The kinds that have been answered again, each once. */
  takeRecovered(): CallKind[]
  createHostedPage(request: HostedPageRequest, trace?: Trace): Promise<Answer<HostedPage>>
  /** `result` is what the page appended to the return URL. */
  findPageResult(
    session: string,
    result: string,
    paymentId: string,
    deadlineMs: number
  ): Promise<PageResult>
  createPaymentLink(request: PaymentLinkRequest, trace?: Trace): Promise<Answer<HostedPage>>
  findLinkStatus(link: string): Promise<LinkStatus>
  /** Closes a link for good; rejected where it was paid already. Repeating it is harmless. */
  expireLink(link: string): Promise<Answer<null>>
  createCardPayment(request: CardPaymentRequest, trace?: Trace): Promise<Answer<CardPaymentResult>>
  /** What came of sending the customer away; `result` is what was appended to the return URL. */
  finishCardPayment(
    request: { key: string; paymentId: string; result: string },
    deadlineMs: number
  ): Promise<Answer<CardPaymentResult>>
  requestOperation(request: OperationRequest): Promise<Answer<{ reference: string }>>
  createRegistrationPage(request: RegistrationRequest, trace?: Trace): Promise<Answer<HostedPage>>
  listStoredCards(accountId: number): Promise<Answer<StoredCard[]>>
  /** Done also where the provider does not know the card any more. */
  forgetCard(accountId: number, token: string): Promise<Answer<null>>
}

/** A request that the provider reports on: its own reference, and the one that was sent with it. */
export type RequestReference = { providerReference: string; reference: string }

/** What the provider reports of a dispute. Each kind changes a dispute once, in whatever order. */
export const disputeEvents = [
  'informationRequested',
  'notified',
  'openedWithChargeback',
  'defended',
  'chargedBack',
  'reversed',
  'chargedBackAgain',
  'defencePeriodEnded',
  'issuerTimeEnded',
  'issuerCommented',
  'preArbitrationOpened',
  'preArbitrationAccepted',
  'preArbitrationDeclined',
  'preArbitrationWithdrawn',
  'preArbitrationWon',
  'preArbitrationLost',
  'arbitrationOpened',
  'arbitrationWon',
  'arbitrationLost'
] as const
export type DisputeEvent = (typeof disputeEvents)[number]

/** A movement of money of an authorisation, by a request that the provider reports on. */
type Movement = { authorisationReference: string; amount: Money; by: RequestReference }

/** A fact that the provider reported, by whatever way it came. */
export type ProviderEvent =
  | ({ type: 'authorised' } & Paid)
  | { type: 'attemptRefused'; authorisationReference: string; amount: Money; failure: Failure }
  /** What is reserved has another amount now. `at` orders several; it is not signed. */
  | ({ type: 'amountAdjusted'; at: Date } & Movement)
  /** The card's bank says that it was fraud; nothing has moved. */
  | {
      type: 'fraudReported'
      authorisationReference: string
      reference: string
      amount: Money
      reason: string | null
    }
  /** The page is closed without a payment. */
  | { type: 'pageClosed'; by: 'customer' | 'refusals' | 'time' }
  /** What was reserved and not captured is released. */
  | { type: 'authorisationExpired'; authorisationReference: string }
  /** A capture went well. `again`: after it had failed, which may be reported later. */
  | ({ type: 'captured'; again: boolean } & Movement)
  /** A request was refused: nothing moved by it. */
  | { type: 'captureRefused'; by: RequestReference; reason: string }
  | { type: 'cancellationRefused'; by: RequestReference; reason: string }
  | { type: 'refundRefused'; by: RequestReference; reason: string }
  | ({ type: 'reversalRefused'; reason: string } & Omit<Movement, 'amount'>)
  /** A capture came to nothing that had been accepted. */
  | ({ type: 'captureFailed'; reason: string } & Movement)
  /**
   * What was reserved is released because somebody asked for it; null where a payment was
   * cancelled by our reference of it, and the provider knew no authorisation.
   */
  | { type: 'cancelled'; authorisationReference: string | null; by: RequestReference }
  /** Money went back. */
  | ({ type: 'refunded' } & Movement)
  /**
   * An authorisation was cancelled, or all its money went back, whichever was possible. `action`
   * says which, where the provider does; it is not signed.
   */
  | ({ type: 'reversed'; action: 'cancel' | 'refund' | null } & Movement)
  /** Money came again that had gone back, by a refund or by a reversal. */
  | ({ type: 'refundFailed'; reason: string } & Movement)
  | {
      type: 'disputed'
      event: DisputeEvent
      /** The provider's reference of the dispute; of some reports it is the authorisation's. */
      dispute: string
      /** The money that is questioned, where the provider says. */
      authorisationReference: string | null
      amount: Money
      reason: string | null
      reasonCode: string | null
      defendBy: Date | null
    }
  /** The provider answered our own request, by its id, with a definite no. */
  | { type: 'operationRejected'; id: string; reason: string }
  /** The provider never said what became of our request. */
  | { type: 'operationUnknown'; id: string }
  /** The link of a payment can't be paid any more, because of its time or of our asking. */
  | { type: 'linkExpired' }
  /** A source without a reference of the money says that it was paid. */
  | { type: 'paidWithoutReference' }
  /** The provider never said what became of charging a card. */
  | { type: 'cardPaymentUnknown' }
  /** The provider refused to open a page or to charge: the payment can't be made. */
  | { type: 'rejected'; reason: string }

/** What a create asks for, why it may be refused, and what is written down of it. Pure. */
import { type Client, mayReturnTo, visibleTo } from '../clients/client.ts'
import type { Claim } from '../http/idempotency.store.ts'
import { newId } from '../id.ts'
import { fitsCmpDecimals, fitsCmpSize, type Money } from '../money.ts'
import { onlyTypedBecause } from '../payments/offers.ts'
import {
  beginning,
  lifeMs,
  type Payment,
  type PaymentTerms,
  type ProviderOperation,
  providerKey
} from '../payments/payment.ts'
import { Problem, type ProblemPlace } from '../problem.ts'
import type { ProblemCode } from '../problems/problems.ts'
import type { PageMethod } from '../provider/page-methods.ts'
import type { CallKind, CardFace, Trace } from '../provider.ts'
import type { EarlierPayment } from './recorded-payment.ts'
import { firstLookS, pageGraceS } from './schedule.ts'

/** How a payment can be made. */
type CreateMethod = keyof typeof lifeMs
export const createMethods = Object.keys(lifeMs) as CreateMethod[]

export type CreateRequest = PaymentTerms & {
  client: Client
  claim: Claim
  /** What its id is to be; by default a new one. */
  paymentId?: string
  place: ProblemPlace
  trace: Trace | undefined
  method: CreateMethod
  allowDuplicate: boolean
  expiresAt: Date | null
}

type Limits = {
  /** The operator's own limit in minor units, whatever the currency. */
  paymentMaxValue: number
  /** Whether browsers may also return to http on loopback. */
  sandbox: boolean
  /** What pages may offer. */
  paymentMethods: readonly PageMethod[]
  canExpress: (amount: Money) => boolean
  now: Date
}

export type Fault = { code: ProblemCode; pointer: string; detail: string }

/** All faults at once, under the code of the first. */
export function toRefusal(faults: readonly Fault[]): Problem | undefined {
  const [first] = faults
  if (first === undefined) return undefined
  const errors = faults.map(({ pointer, detail }) => ({ pointer, detail }))
  return new Problem(first.code, first.detail, { errors })
}

export function findFaults(request: CreateRequest, limits: Limits): Fault[] {
  return [
    ...amountFaults(request.amount, limits),
    ...returnFaults(request, limits),
    ...lifeFaults(request, limits),
    ...offerFaults(request, limits),
    ...allocationFaults(request)
  ]
}

function amountFaults(amount: Money, { paymentMaxValue, canExpress }: Limits): Fault[] {
  const faults: Fault[] = []
  const add = (code: ProblemCode, detail: string) =>
    faults.push({ code, pointer: '/amount/value', detail })
  if (amount.value > paymentMaxValue) {
    add('amount_too_large', `At most ${paymentMaxValue} in minor units.`)
  } else if (!fitsCmpSize(amount)) {
    add('amount_too_large', 'At most 9,999,999.99 in major units.')
  }
  if (!fitsCmpDecimals(amount) || !canExpress(amount)) {
    add('amount_not_representable', 'It has decimals that are not supported.')
  }
  return faults
}

function returnFaults({ client, returnUrl }: CreateRequest, { sandbox }: Limits): Fault[] {
  if (returnUrl === null || mayReturnTo(client, returnUrl, sandbox)) return []
  const detail = 'Its origin was not given to this client.'
  return [{ code: 'return_url_refused', pointer: '/returnUrl', detail }]
}

const longest = {
  hostedPage: '24 hours',
  registeredCard: '24 hours',
  paymentLink: '70 days'
} as const satisfies Record<CreateMethod, string>

function lifeFaults({ method, expiresAt }: CreateRequest, { now }: Limits): Fault[] {
  if (expiresAt === null) return []
  const { min, max } = lifeMs[method]
  const life = expiresAt.getTime() - now.getTime()
  if (life >= min && life <= max) return []
  const detail = `It must be 1 minute to ${longest[method]} ahead.`
  return [{ code: 'request_invalid', pointer: '/expiresAt', detail }]
}

function offerFaults(request: CreateRequest, { paymentMethods }: Limits): Fault[] {
  const because = onlyTypedBecause(request)
  const may = because === undefined ? paymentMethods : ['scheme']
  const detail =
    because === undefined ? 'It is not enabled here.' : `It is not offered: ${because}.`
  return (request.paymentMethods ?? []).flatMap((one, place) =>
    may.includes(one)
      ? []
      : [{ code: 'payment_method_not_offered', pointer: `/paymentMethods/${place}`, detail }]
  )
}

function allocationFaults({ amount, allocations }: CreateRequest): Fault[] {
  const faults: Fault[] = []
  const named = allocations ?? []
  named.forEach(({ chargeId }, place) => {
    if (named.findIndex((one) => one.chargeId === chargeId) === place) return
    const pointer = `/allocations/${place}/chargeId`
    faults.push({ code: 'request_invalid', pointer, detail: 'It is named twice.' })
  })
  if (named.reduce((sum, one) => sum + one.amount, 0) > amount.value) {
    const detail = 'Together they are more than the amount.'
    faults.push({ code: 'allocations_exceed_amount', pointer: '/allocations', detail })
  }
  return faults
}

/** Why nothing was written: the account as found, the key is taken, or a payment looks the same. */
export type IntentRefusal =
  | { outcome: 'account'; currency: string | null; status: 'open' | 'closed' | null }
  | { outcome: 'duplicate'; earlier: EarlierPayment }
  | { outcome: 'exists' }

export function toProblem(
  { accountId, amount, client }: CreateRequest,
  refusal: IntentRefusal
): Problem {
  if (refusal.outcome === 'exists') {
    return new Problem('idempotency_key_in_flight', 'Try again.', { retryAfterS: 1 })
  }
  if (refusal.outcome === 'duplicate') {
    const { id, clientId } = refusal.earlier
    const seen = visibleTo(client)
    const isSeen = seen === null || seen === clientId
    const detail =
      'An earlier payment of the account has the same amount, and is paid or pending. ' +
      (isSeen ? `Get ${id} and use its checkout.url, or` : 'Where this is another one,') +
      ' send allowDuplicate.'
    return new Problem('duplicate_suspected', detail, isSeen ? { paymentId: id } : {})
  }
  if (refusal.status === null) {
    return new Problem('account_not_found', `No account ${accountId} is known.`)
  }
  if (refusal.status === 'closed') {
    return new Problem('account_closed', `Account ${accountId} is closed.`)
  }
  const detail = `Account ${accountId} is kept in ${refusal.currency}, not in ${amount.currency}.`
  return new Problem('currency_mismatch', detail)
}

/** What a create writes down before the provider is asked; the database says when that was. */
export type PaymentIntent = Omit<Payment, 'createdAt' | 'updatedAt' | 'expiresAt'> & {
  /** The provider's name of the card that pays. */
  cardToken: string | null
  /** When it ends, or after how many seconds: one of them is null. */
  expiresAt: Date | null
  lifeS: number | null
  /** Seconds until it is looked after although it has not ended; null where it is not. */
  firstLookS: number | null
  /** Seconds after its end when it is ended; null where something else ends it. */
  endsAfterS: number | null
}

/** The provider's name of a registered card, and its face. */
export type PayingCard = { token: string; face: Omit<CardFace, 'registeredCardId'> }

const operations = {
  hostedPage: 'session',
  paymentLink: 'link',
  registeredCard: 'payment'
} as const satisfies Record<CreateMethod, ProviderOperation>

/** What each asks the provider for. */
export const callOf = {
  hostedPage: 'pages',
  paymentLink: 'links',
  registeredCard: 'cardPayments'
} as const satisfies Record<CreateMethod, CallKind>

/** `card`: the registered card that is to pay. */
export function toIntent(
  request: CreateRequest,
  card: PayingCard | undefined,
  now: Date
): PaymentIntent {
  const id = request.paymentId ?? newId('pay')
  const { client, claim, method, registeredCardId, expiresAt } = request
  const lifeMsOf = expiresAt === null ? lifeMs[method].default : expiresAt.getTime() - now.getTime()
  return {
    id,
    clientId: client.id,
    idempotencyKey: claim.key,
    accountId: request.accountId,
    amount: request.amount,
    channel: request.channel,
    method,
    capture: request.capture,
    saveCard: request.saveCard,
    paymentMethods: request.paymentMethods,
    returnUrl: request.returnUrl,
    reference: request.reference,
    description: request.description,
    metadata: request.metadata,
    customer: request.customer,
    operator: request.operator,
    allocations: request.allocations,
    registeredCardId,
    expiresAt,
    processor: null,
    authorisationCode: null,
    takenAt: null,
    ...beginning,
    card: card === undefined ? null : { ...card.face, registeredCardId },
    cardToken: card?.token ?? null,
    providerKey: providerKey(id, operations[method]),
    lifeS: expiresAt === null ? lifeMs[method].default / 1000 : null,
    firstLookS: firstLookS(method, lifeMsOf / 1000),
    endsAfterS: method === 'registeredCard' ? null : pageGraceS
  }
}

import type { Client } from '../clients/client.ts'
import { mayReturnTo } from '../clients/client.ts'
import type { Db, Tx } from '../database.ts'
import {
  type Claim,
  findKey,
  type KnownKey,
  type Reply,
  saveReply
} from '../http/idempotency.store.ts'
import { newId } from '../id.ts'
import { delayAfter, providerRetryS } from '../jobs.ts'
import { fitsCmpDecimals, fitsCmpSize, type Money } from '../money.ts'
import { Problem, type ProblemCode, type ProblemPlace, toProblemDocument } from '../problem.ts'
import type { HostedPageRequest, Provider, Trace } from '../provider.ts'
import { applyEvents } from './apply.commands.ts'
import { claimDuePage, type DuePage, postponePage, recordPage } from './page.store.ts'
import { findPayment, insertIntent, type PaymentIntent } from './payment.store.ts'
import {
  beginning,
  type Channel,
  type Customer,
  nextProviderKey,
  type Operator,
  type Payment,
  pageGraceMs,
  pageLifeMs,
  providerKey
} from './payment.ts'
import { toPaymentView } from './payment-view.ts'

export type PaymentDeps = {
  db: Db
  provider: Provider
  /** Without a slash at the end. */
  publicUrl: string
  /** The operator's own limit in minor units, whatever the currency. */
  paymentMaxValue: number
  /** Whether browsers may also return to http on loopback. */
  sandbox: boolean
  /** For how long one finisher has a payment to itself: the provider's deadline and a margin. */
  leaseS: number
}

export type CreateRequest = {
  client: Client
  claim: Claim
  place: ProblemPlace
  trace: Trace | undefined
  accountId: number
  amount: Money
  channel: Channel
  capture: 'automatic' | 'manual'
  saveCard: 'never' | 'ask' | 'always'
  returnUrl: string
  reference: string | null
  description: string | null
  metadata: Record<string, string> | null
  customer: Customer | null
  operator: Operator | null
  expiresAt: Date | null
}

export type CreateAnswer = Reply & { paymentId: string; replayed: boolean }

/**
 * Intent, call, outcome: the payment is written down, the provider is asked for its page while no
 * connection is held, and page and answer are written. A crash anywhere in between leaves a payment
 * that is due, which the next call under the key or the background work finishes.
 */
export async function createPayment(
  deps: PaymentDeps,
  request: CreateRequest
): Promise<CreateAnswer> {
  const refusal = refuse(deps, request)
  let taken: Problem | undefined
  if (refusal === undefined) {
    const result = await insertIntent(deps.db, toIntent(request), request.claim, {
      expiresAt: request.expiresAt,
      defaultS: pageLifeMs.default / 1000,
      leaseS: deps.leaseS,
      graceS: pageGraceMs / 1000
    })
    if (result.outcome === 'created') {
      return await finishPage(deps, { payment: result.payment, tries: 0 }, request)
    }
    if (result.outcome === 'account') taken = accountProblem(request, result)
  }
  // A repetition is answered as the first request was, whatever has changed since.
  const known = await findKey(deps.db, request.client.id, request.claim.key)
  if (known !== undefined) return await answerAgain(deps, known, request)
  throw (
    refusal ?? taken ?? new Problem('idempotency_key_in_flight', 'Try again.', { retryAfterS: 1 })
  )
}

/** What the schema can't say: all faults at once, under the code of the first. */
function refuse(deps: PaymentDeps, request: CreateRequest): Problem | undefined {
  const { amount, returnUrl, expiresAt, client } = request
  const faults: Array<{ code: ProblemCode; pointer: string; detail: string }> = []
  const add = (code: ProblemCode, pointer: string, detail: string) =>
    faults.push({ code, pointer, detail })
  if (amount.value > deps.paymentMaxValue) {
    add('amount_too_large', '/amount/value', `At most ${deps.paymentMaxValue} in minor units.`)
  } else if (!fitsCmpSize(amount)) {
    add('amount_too_large', '/amount/value', 'At most 9,999,999.99 in major units.')
  }
  if (!fitsCmpDecimals(amount) || !deps.provider.canExpress(amount)) {
    add('amount_not_representable', '/amount/value', 'It has decimals that are not supported.')
  }
  if (!mayReturnTo(client, returnUrl, deps.sandbox)) {
    add('return_url_refused', '/returnUrl', 'Its origin was not given to this client.')
  }
  if (expiresAt !== null) {
    const lifeMs = expiresAt.getTime() - Date.now()
    if (lifeMs < pageLifeMs.min || lifeMs > pageLifeMs.max) {
      add('request_invalid', '/expiresAt', 'It must be 1 minute to 24 hours ahead.')
    }
  }
  const [first] = faults
  if (first === undefined) return undefined
  const errors = faults.map(({ pointer, detail }) => ({ pointer, detail }))
  return new Problem(first.code, first.detail, { errors })
}

function toIntent(request: CreateRequest): PaymentIntent {
  const id = newId('pay')
  const { client, claim, accountId, amount, channel, capture, saveCard, returnUrl } = request
  const { reference, description, metadata, customer, operator } = request
  return {
    id,
    clientId: client.id,
    idempotencyKey: claim.key,
    accountId,
    amount,
    channel,
    method: 'hostedPage',
    capture,
    saveCard,
    returnUrl,
    reference,
    description,
    metadata,
    customer,
    operator,
    ...beginning,
    providerKey: providerKey(id, 'session')
  }
}

function accountProblem(
  { accountId, amount }: CreateRequest,
  found: { currency: string | null; status: 'open' | 'closed' | null }
): Problem {
  if (found.status === null) {
    return new Problem('account_not_found', `No account ${accountId} is known.`)
  }
  if (found.status === 'closed') {
    return new Problem('account_closed', `Account ${accountId} is closed.`)
  }
  const detail = `Account ${accountId} is kept in ${found.currency}, not in ${amount.currency}.`
  return new Problem('currency_mismatch', detail)
}

async function answerAgain(
  deps: PaymentDeps,
  known: KnownKey,
  request: CreateRequest
): Promise<CreateAnswer> {
  if (!known.fingerprint.equals(request.claim.fingerprint)) {
    throw new Problem('idempotency_key_reused', 'The first request with this key was another one.')
  }
  const paymentId = known.resourceId
  if (known.reply !== null) return { ...known.reply, paymentId, replayed: true }
  // Whoever was at it may be gone: where its lease has ended, this call finishes the work.
  const due = await claimDuePage(deps.db, deps.leaseS, request.claim)
  if (due !== undefined) return await finishPage(deps, due, request)
  const settled = await settleAnswer(deps, paymentId)
  if (settled !== undefined) return { ...settled, paymentId, replayed: false }
  throw new Problem('idempotency_key_in_flight', `Payment ${paymentId} is being made.`, {
    paymentId,
    retryAfterS: 1
  })
}

type Finisher = Pick<CreateRequest, 'place' | 'trace'>

/**
 * Asks the provider for the page and writes down what came of it. The caller holds the payment's
 * lease. Throws `provider_unavailable` where the outcome is unknown; the payment is then due again.
 */
export async function finishPage(
  deps: PaymentDeps,
  { payment, tries }: DuePage,
  { place, trace }: Finisher
): Promise<CreateAnswer> {
  const { db, provider } = deps
  const answer = await provider.createHostedPage(toPageRequest(deps, payment), trace)
  if (answer.outcome === 'unknown') {
    const key =
      answer.retry === 'new_key' ? nextProviderKey(payment.providerKey) : payment.providerKey
    const delayS = delayAfter(providerRetryS, tries)
    await postponePage(db, payment.id, key, delayS)
    const detail = `Payment ${payment.id} is kept; its card page is still being made.`
    throw new Problem('provider_unavailable', detail, {
      paymentId: payment.id,
      retryAfterS: delayS + 1,
      cause: answer.reason
    })
  }
  if (answer.outcome === 'rejected')
    return await recordRejection(deps, payment, answer.reason, place)
  const { session, url } = answer.value
  const opened: Payment = { ...payment, providerSession: session, checkoutUrl: url }
  const reply = toReply(opened, provider.name)
  if (await recordPage(db, payment.id, { session, url }, reply)) {
    return { ...reply, paymentId: payment.id, replayed: false }
  }
  return await readAnswer(deps, payment)
}

/** The answer to a create, as it is sent and saved. */
export function toReply(payment: Payment, providerName: string): Reply {
  return { status: 201, body: JSON.stringify(toPaymentView(payment, providerName)) }
}

/** A definite no: the payment has failed, and the answer says so for ever. */
async function recordRejection(
  deps: PaymentDeps,
  payment: Payment,
  reason: string,
  place: ProblemPlace
): Promise<CreateAnswer> {
  const paymentId = payment.id
  const problem = new Problem('provider_rejected', reason, { paymentId })
  const reply = {
    status: problem.status,
    body: JSON.stringify(toProblemDocument(problem, place))
  }
  const event = { type: 'rejected', reason } as const
  const record = async (tx: Tx): Promise<boolean> => {
    const { effects } = await applyEvents(tx, deps.provider.name, [{ paymentId, event }])
    if (effects[0] !== 'applied') return false
    await saveReply(tx, payment.clientId, payment.idempotencyKey, reply)
    return true
  }
  if (await deps.db.transaction().execute(record)) return { ...reply, paymentId, replayed: false }
  return await readAnswer(deps, payment)
}

/** Another finisher was first, or the payment has ended meanwhile: that is the answer. */
async function readAnswer(deps: PaymentDeps, { id, ...payment }: Payment): Promise<CreateAnswer> {
  const settled = await settleAnswer(deps, id)
  if (settled !== undefined) return { ...settled, paymentId: id, replayed: false }
  throw new Error(`payment ${id} of ${payment.clientId} has neither page nor end`)
}

/**
 * The saved answer of a payment that has its page, or has ended before it had one, which saves it;
 * undefined while it is still being made.
 */
async function settleAnswer(deps: PaymentDeps, paymentId: string): Promise<Reply | undefined> {
  return await deps.db.transaction().execute(async (tx) => {
    const payment = await findPayment(tx, paymentId)
    if (payment === undefined) return undefined
    if (payment.status === 'pending' && payment.providerSession === null) return undefined
    const { clientId, idempotencyKey } = payment
    await saveReply(tx, clientId, idempotencyKey, toReply(payment, deps.provider.name))
    return (await findKey(tx, clientId, idempotencyKey))?.reply ?? undefined
  })
}

function toPageRequest(deps: PaymentDeps, payment: Payment): HostedPageRequest {
  const { id, accountId, amount, expiresAt, capture, saveCard, customer, metadata } = payment
  return {
    key: payment.providerKey,
    paymentId: id,
    accountId,
    amount,
    returnUrl: `${deps.publicUrl}/return/${id}`,
    expiresAt,
    capture,
    saveCard,
    customer,
    metadata
  }
}

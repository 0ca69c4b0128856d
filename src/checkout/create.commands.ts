import { findCharges } from '../accounts/account.store.ts'
import { findCard } from '../cards/card.store.ts'
import { readClock } from '../database/database.ts'
import { readTime } from '../database-clock.ts'
import { nextAskS } from '../due/delays.ts'
import { leaseLeftS, newLease } from '../due/due.store.ts'
import { callOnce, type OnceAnswer } from '../http/idempotency.commands.ts'
import { Problem } from '../problem.ts'
import type { Context } from '../service-context.ts'
import { currentSpan } from '../tracing/span.ts'
import { payByCard } from './card-payment.commands.ts'
import { claimCreate, creates, type DueCreate } from './checkout.store.ts'
import {
  type CreateRequest,
  callOf,
  type Fault,
  findFaults,
  type PayingCard,
  toIntent,
  toProblem,
  toRefusal
} from './create.ts'
import { insertIntent } from './intent.store.ts'
import { notAnswering, openPage, pageUnavailable, toUnavailable } from './open-page.commands.ts'
import { type Caller, findAnswer, readAnswer } from './outcome.commands.ts'

type CreateAnswer = OnceAnswer & { paymentId: string }

/**
 * Intent, call, outcome: the payment is written down, the provider is asked for its page, or for
 * the money, while no connection is held, and what it answered is written. A crash anywhere in
 * between leaves a payment that is due, which the next call under the key or the background work
 * finishes.
 */
export async function createPayment(deps: Context, request: CreateRequest): Promise<CreateAnswer> {
  const { resourceId: paymentId, ...answer } = await callOnce(
    deps.db,
    request.claim,
    () => beginCreate(deps, request),
    (id) => resumeCreate(deps, request, id)
  )
  return { ...answer, paymentId }
}

async function beginCreate(deps: Context, request: CreateRequest) {
  if (deps.provider.pauseMs(callOf[request.method]) > 0) {
    return toUnavailable(notAnswering, { detail: 'Nothing was written.' })
  }
  // Only an end that is asked for is compared with it.
  const now = request.expiresAt === null ? readTime() : await readClock(deps.db)
  const { faults, card } = await checkRequest(deps, request, now)
  const refusal = toRefusal(faults)
  if (refusal !== undefined) return refusal
  const intent = toIntent(request, card, now)
  const { leaseS, duplicateWindowS } = deps
  const { claim, allowDuplicate } = request
  const lease = newLease(claim.clientId, claim.key)
  const options = { lease, leaseS, duplicateWindowS, allowDuplicate }
  const result = await insertIntent(deps.db, intent, claim, options)
  if (result.outcome !== 'created') return toProblem(request, result)
  const { payment } = result
  currentSpan()?.about(payment.id)
  const due = { payment, cardToken: intent.cardToken, triedForMs: 0, lease, attempts: 1 }
  return { ...(await finishCreate(deps, due, request)), resourceId: payment.id }
}

/** What the schema can't say of a request; only what it names is looked up. */
async function checkRequest(
  { db, provider, paymentMaxValue, sandbox, paymentMethods }: Context,
  request: CreateRequest,
  now: Date
): Promise<{ faults: Fault[]; card: PayingCard | undefined }> {
  const { accountId, registeredCardId, allocations } = request
  const { canExpress } = provider
  const limits = { paymentMaxValue, sandbox, paymentMethods, canExpress, now }
  const faults = findFaults(request, limits)
  const card =
    registeredCardId === null ? undefined : await findCard(db, accountId, registeredCardId)
  if (registeredCardId !== null && card === undefined) {
    const detail = 'The account has no such card.'
    faults.push({ code: 'registered_card_not_found', pointer: '/registeredCardId', detail })
  }
  if (allocations !== null && allocations.length > 0) {
    const ids = allocations.map(({ chargeId }) => chargeId)
    const charges = new Set((await findCharges(db, accountId, ids)).map(({ id }) => id))
    ids.forEach((id, place) => {
      if (charges.has(id)) return
      const pointer = `/allocations/${place}/chargeId`
      faults.push({ code: 'charge_not_found', pointer, detail: 'The account has no such charge.' })
    })
  }
  return { faults, card }
}

/** Goes on with the work where nobody is at it, before its time too. */
async function resumeCreate(
  deps: Context,
  request: CreateRequest,
  paymentId: string
): Promise<OnceAnswer> {
  const { db, leaseS, provider } = deps
  currentSpan()?.about(paymentId)
  if (provider.pauseMs(callOf[request.method]) > 0) throw pageUnavailable(paymentId, notAnswering)
  const answer = await findAnswer(deps, paymentId)
  if (answer !== undefined) return answer
  const due = await claimCreate(db, request.claim, leaseS)
  if (due !== undefined) return await finishCreate(deps, due, request)
  const { clientId, key } = request.claim
  throw new Problem('idempotency_key_in_flight', `Payment ${paymentId} is being made.`, {
    paymentId,
    retryAfterS: nextAskS(await leaseLeftS(db, creates, [clientId, key]), leaseS)
  })
}

/**
 * Asks the provider and writes down what came of it. The caller has the payment's lease. Throws
 * `provider_unavailable` where it is not known whether a page was made; the payment is due again.
 */
export async function finishCreate(
  deps: Context,
  due: DueCreate,
  caller: Caller
): Promise<OnceAnswer> {
  const { payment } = due
  // A notification was faster than the answer to the call that it is about.
  if (payment.status !== 'pending' || payment.providerSession !== null) {
    return await readAnswer(deps, payment.id)
  }
  return payment.method === 'registeredCard'
    ? await payByCard(deps, due, caller)
    : await openPage(deps, due, caller)
}

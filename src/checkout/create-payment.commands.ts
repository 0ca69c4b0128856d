import { findCharges } from '../accounts/account.store.ts'
import { findCard } from '../cards/card.store.ts'
import { visibleTo } from '../clients/client.ts'
import { findKey, type KnownKey, type Reply } from '../http/idempotency.store.ts'
import { lifeMs, pageGraceMs } from '../payments/payment.ts'
import { Problem, type ProblemPlace } from '../problem.ts'
import type { Trace } from '../provider.ts'
import type { Context } from '../service-context.ts'
import { finishCardPayment } from './card-payment.commands.ts'
import { readAnswer, saveFirstAnswer } from './create-answer.commands.ts'
import {
  type ChargedCard,
  type CreateRequest,
  type Fault,
  findFaults,
  toIntent,
  toRefusal
} from './create-request.ts'
import { type IntentResult, insertIntent } from './intent.store.ts'
import { finishPage } from './page.commands.ts'
import { claimDueCreate, type DueCreate } from './page.store.ts'

export type CreateAnswer = Reply & { paymentId: string; replayed: boolean }

/** Where a request is answered, and what it belongs to. */
export type Finisher = { place: ProblemPlace; trace: Trace | undefined }

/**
 * Intent, call, outcome: the payment is written down, the provider is asked for its page, or for
 * the money, while no connection is held, and what it answered is written. A crash anywhere in
 * between leaves a payment that is due, which the next call under the key or the background work
 * finishes.
 */
export async function createPayment(deps: Context, request: CreateRequest): Promise<CreateAnswer> {
  const { client, claim } = request
  const { faults, card } = await checkRequest(deps, request)
  let refusal = toRefusal(faults)
  if (refusal === undefined) {
    const intent = toIntent(request, card)
    const result = await insertIntent(deps.db, intent, claim, lifeOf(deps, request), {
      windowS: deps.duplicateWindowS,
      allow: request.allowDuplicate
    })
    if (result.outcome === 'created') {
      const { payment } = result
      const cardToken = intent.cardToken ?? null
      return await finishCreate(deps, { payment, cardToken, tries: 0, triedForMs: 0 }, request)
    }
    refusal = toProblem(request, result)
  }
  // A repetition is answered as the first request was, whatever has changed since.
  const known = await findKey(deps.db, client.id, claim.key)
  if (known !== undefined) return await answerAgain(deps, known, request)
  throw refusal
}

function lifeOf({ leaseS }: Context, { method, expiresAt }: CreateRequest) {
  return { expiresAt, defaultS: lifeMs[method].default / 1000, leaseS, graceS: pageGraceMs / 1000 }
}

/** What the schema can't say of a request; only what it names is looked up. */
async function checkRequest(
  { db, provider, paymentMaxValue, sandbox }: Context,
  request: CreateRequest
): Promise<{ faults: Fault[]; card: ChargedCard | undefined }> {
  const { accountId, registeredCardId, allocations } = request
  const { canExpress } = provider
  const faults = findFaults(request, { paymentMaxValue, sandbox, canExpress, now: new Date() })
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

/** Why there is no payment. */
function toProblem(
  { accountId, amount, client }: CreateRequest,
  result: Exclude<IntentResult, { outcome: 'created' }>
): Problem {
  if (result.outcome === 'exists') {
    return new Problem('idempotency_key_in_flight', 'Try again.', { retryAfterS: 1 })
  }
  if (result.outcome === 'duplicate') {
    const { id, clientId } = result.earlier
    const seen = visibleTo(client)
    const detail = 'An earlier payment of the account has the same amount, and is paid or pending.'
    const isSeen = seen === null || seen === clientId
    return new Problem('duplicate_suspected', detail, isSeen ? { paymentId: id } : {})
  }
  if (result.status === null) {
    return new Problem('account_not_found', `No account ${accountId} is known.`)
  }
  if (result.status === 'closed') {
    return new Problem('account_closed', `Account ${accountId} is closed.`)
  }
  const detail = `Account ${accountId} is kept in ${result.currency}, not in ${amount.currency}.`
  return new Problem('currency_mismatch', detail)
}

async function answerAgain(
  deps: Context,
  known: KnownKey,
  request: CreateRequest
): Promise<CreateAnswer> {
  if (!known.fingerprint.equals(request.claim.fingerprint)) {
    throw new Problem('idempotency_key_reused', 'The first request with this key was another one.')
  }
  const paymentId = known.resourceId
  if (known.reply !== null) return { ...known.reply, paymentId, replayed: true }
  // Whoever was at it may be gone: where its lease has ended, this call finishes the work.
  const due = await claimDueCreate(deps.db, deps.leaseS, request.claim)
  if (due !== undefined) return await finishCreate(deps, due, request)
  const settled = await saveFirstAnswer(deps, paymentId)
  if (settled !== undefined) return { ...settled, paymentId, replayed: false }
  throw new Problem('idempotency_key_in_flight', `Payment ${paymentId} is being made.`, {
    paymentId,
    retryAfterS: 1
  })
}

/**
 * Asks the provider and writes down what came of it. The caller holds the payment's lease. Throws
 * `provider_unavailable` where it is not known whether a page was made; the payment is due again.
 */
export async function finishCreate(
  deps: Context,
  due: DueCreate,
  finisher: Finisher
): Promise<CreateAnswer> {
  const { payment } = due
  // A notification was faster than the answer to the call that it is about.
  if (payment.status !== 'pending' || payment.providerSession !== null) {
    return await readAnswer(deps, payment)
  }
  return payment.method === 'registeredCard'
    ? await finishCardPayment(deps, due, finisher)
    : await finishPage(deps, due, finisher)
}

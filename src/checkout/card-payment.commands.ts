/**
 * Paying with a registered card. Money may move with every call: the provider is asked again only
 * for what it was asked first, under the same key, and for a day at most; then a person must find
 * out.
 */

import { moneyRetryForMs } from '../due/delays.ts'
import type { OnceAnswer } from '../http/idempotency.commands.ts'
import { nextProviderKey, type Payment } from '../payments/payment.ts'
import type { Answer, CardPaymentResult, ProviderEvent } from '../provider.ts'
import type { Context } from '../service-context.ts'
import {
  type AskedPayment,
  awaitReturn,
  isStillWanted,
  postponeCardPayment
} from './checkout.store.ts'
import { recordPaymentPage, returnUrlOf } from './open-page.commands.ts'
import {
  type Caller,
  readAnswer,
  recordOutcome,
  recordRejection,
  toReply
} from './outcome.commands.ts'
import { nextCardPaymentLookS } from './schedule.ts'

/** Asks for the money, or again what came of asking, and writes that down. */
export async function payByCard(
  deps: Context,
  asked: AskedPayment,
  caller: Caller
): Promise<OnceAnswer> {
  const { payment, cardToken, triedForMs } = asked
  const { id, accountId, amount, capture, customer, metadata } = payment
  if (triedForMs > moneyRetryForMs) return await giveUp(deps, id)
  if (triedForMs > 0 && !(await isStillWanted(deps.db, id))) {
    return await leavePending(deps, asked, 'reported')
  }
  const request = {
    key: payment.providerKey ?? '',
    paymentId: id,
    accountId,
    amount,
    returnUrl: returnUrlOf(deps.publicUrl, id),
    capture,
    metadata,
    token: cardToken ?? '',
    customer
  }
  const answer = await deps.provider.createCardPayment(request, caller.trace)
  if (answer.outcome === 'rejected') {
    return await recordRejection(deps, payment, answer.reason, caller)
  }
  if (answer.outcome === 'done' && answer.value.result === 'asked') {
    return await recordPaymentPage(deps, payment, answer.value)
  }
  return await recordAnswer(deps, asked, answer)
}

/**
 * Sends the provider what the customer brought back from 3-D Secure, and writes down what came of
 * it; within `deadlineMs`.
 */
export async function sendReturn(
  deps: Context,
  asked: AskedPayment,
  result: string,
  deadlineMs: number
): Promise<void> {
  const { id: paymentId, providerKey } = asked.payment
  const key = providerKey ?? ''
  const answer = await deps.provider.finishCardPayment({ key, paymentId, result }, deadlineMs)
  // It stood in a URL, which anybody may have made up: the customer may still come back.
  if (answer.outcome === 'rejected') {
    return await awaitReturn(deps.db, paymentId, key, nextProviderKey(key))
  }
  await recordAnswer(deps, asked, answer)
}

/** The provider never said what became of it, and must not be asked any more. */
export async function giveUp(deps: Context, paymentId: string): Promise<OnceAnswer> {
  return await recordOutcome(deps, paymentId, { type: 'cardPaymentUnknown' }, { isFinal: true })
}

async function recordAnswer(
  deps: Context,
  asked: AskedPayment,
  answer: Answer<CardPaymentResult>
): Promise<OnceAnswer> {
  const event = toEvent(answer, asked.payment)
  return event === undefined
    ? await leavePending(deps, asked, answer.outcome === 'done' ? 'reported' : 'asked')
    : await recordOutcome(deps, asked.payment.id, event)
}

/**
 * What the answer says of the money. Another amount is for the notification to report: only that is
 * signed.
 */
function toEvent(answer: Answer<CardPaymentResult>, payment: Payment): ProviderEvent | undefined {
  if (answer.outcome !== 'done') return undefined
  const { value } = answer
  if (value.result === 'refused') {
    const { authorisationReference, failure } = value
    const { amount } = payment
    return { type: 'attemptRefused', authorisationReference, amount, failure }
  }
  if (value.result !== 'paid') return undefined
  const { result: _, ...paid } = value
  const { amount } = paid
  const isAsAsked =
    amount.value === payment.amount.value && amount.currency === payment.amount.currency
  const card = value.card ?? payment.card
  return isAsAsked ? { type: 'authorised', ...paid, card } : undefined
}

/**
 * It is not known yet whether the card has paid: the payment waits, and the answer says so. The
 * outcome will be `reported` by the provider, or is `asked` for again.
 */
async function leavePending(
  deps: Context,
  { payment, triedForMs }: AskedPayment,
  next: 'reported' | 'asked'
): Promise<OnceAnswer> {
  const { id } = payment
  const reply = toReply(deps, payment)
  const delayS = next === 'asked' ? nextCardPaymentLookS(triedForMs) : null
  return (await postponeCardPayment(deps.db, id, delayS, reply))
    ? { ...reply, replayed: false }
    : await readAnswer(deps, id)
}

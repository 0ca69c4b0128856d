/**
 * Charging a registered card. Money may move with every call: the provider is asked again only for
 * what it was asked first, under the same key, and for a day at most; then a person must find out.
 */
import { moneyRetryForMs } from '../due/delays.ts'
import { applyEvents } from '../lifecycle/apply.commands.ts'
import { nextProviderKey, type Payment } from '../payments/payment.ts'
import type { Answer, CardPaymentResult, ProviderEvent } from '../provider.ts'
import type { Context } from '../service-context.ts'
import {
  awaitReturn,
  type DueCardPayment,
  isStillWanted,
  postponeCardPayment
} from './card-payment.store.ts'
import {
  keepReply,
  readAnswer,
  recordOpened,
  recordOutcome,
  recordRejection,
  toReply
} from './create-answer.commands.ts'
import type { CreateAnswer, Finisher } from './create-payment.commands.ts'
import { returnUrlOf } from './page.commands.ts'
import { stopLooking } from './page.store.ts'

type AskedCharge = Pick<DueCardPayment, 'payment' | 'cardToken' | 'triedForMs'>

/** Charges the card, or asks what came of it, and writes that down. */
export async function finishCardPayment(
  deps: Context,
  { payment, cardToken, triedForMs }: AskedCharge,
  { place, trace }: Finisher
): Promise<CreateAnswer> {
  if (triedForMs > moneyRetryForMs) return await giveUp(deps, payment)
  if (triedForMs > 0 && !(await isStillWanted(deps.db, payment.id))) {
    return await leavePending(deps, payment, 'told')
  }
  const { id, accountId, amount, capture, customer, metadata } = payment
  const answer = await deps.provider.createCardPayment(
    {
      key: payment.providerKey ?? '',
      paymentId: id,
      accountId,
      amount,
      returnUrl: returnUrlOf(deps.publicUrl, id),
      capture,
      metadata,
      token: cardToken ?? '',
      customer
    },
    trace
  )
  // That we may not ask now says nothing of what an earlier try has done.
  const saysNothing = answer.outcome === 'rejected' && answer.access === true && triedForMs > 0
  if (answer.outcome === 'rejected' && !saysNothing) {
    return await recordRejection(deps, payment, answer.reason, place)
  }
  if (answer.outcome === 'done' && answer.value.result === 'asked') {
    return await recordOpened(deps, payment, answer.value)
  }
  const event = toEvent(answer, payment)
  return event === undefined
    ? await leavePending(deps, payment, nextWordOf(answer))
    : await recordOutcome(deps, payment, event)
}

/**
 * Tells the provider what the customer brought back from 3-D Secure, and writes down what came of
 * it; within `deadlineMs`.
 */
export async function finishReturn(
  deps: Context,
  payment: Payment,
  result: string,
  deadlineMs: number
): Promise<void> {
  const { db, provider } = deps
  const { id: paymentId, providerKey } = payment
  const key = providerKey ?? ''
  const answer = await provider.finishCardPayment({ key, paymentId, result }, deadlineMs)
  // That we may not ask now says nothing of what they brought.
  const saysNothing = answer.outcome === 'rejected' && answer.access === true
  // It stood in a URL, which anybody may have made up: the customer may still come back.
  if (answer.outcome === 'rejected' && !saysNothing) {
    return await awaitReturn(db, paymentId, key, nextProviderKey(key))
  }
  const event = toEvent(answer, payment)
  if (event === undefined) await leavePending(deps, payment, nextWordOf(answer))
  else await recordOutcome(deps, payment, event)
}

/**
 * What the answer says of the money. Another amount is for the notification to tell: only that is
 * signed.
 */
function toEvent(answer: Answer<CardPaymentResult>, payment: Payment): ProviderEvent | undefined {
  if (answer.outcome !== 'done') return undefined
  const { value } = answer
  if (value.result === 'refused') {
    const { authorisationReference: authorisation, failure } = value
    return {
      type: 'attemptRefused',
      authorisationReference: authorisation,
      amount: payment.amount,
      failure
    }
  }
  if (value.result !== 'paid') return undefined
  const { authorisationReference: authorisation, amount } = value
  const isAsAsked =
    amount.value === payment.amount.value && amount.currency === payment.amount.currency
  return isAsAsked
    ? {
        type: 'authorised',
        authorisationReference: authorisation,
        amount,
        card: value.card ?? payment.card
      }
    : undefined
}

/** How the outcome will be known: the provider will tell, or is asked again. */
type NextWord = 'told' | 'asked'

function nextWordOf({ outcome }: Answer<CardPaymentResult>): NextWord {
  return outcome === 'done' ? 'told' : 'asked'
}

/** It is not known yet whether the card was charged: the payment waits, and the answer says so. */
async function leavePending(
  deps: Context,
  payment: Payment,
  next: NextWord
): Promise<CreateAnswer> {
  const reply = toReply(payment, deps.provider.name)
  if (await postponeCardPayment(deps.db, payment.id, next === 'told', reply)) {
    return { ...reply, paymentId: payment.id, replayed: false }
  }
  return await readAnswer(deps, payment)
}

/** The provider never said what became of it, and must not be asked any more. */
export async function giveUp(deps: Context, payment: Payment): Promise<CreateAnswer> {
  const { db, provider } = deps
  const { id: paymentId } = payment
  const reply = toReply(payment, provider.name)
  await db.transaction().execute(async (tx) => {
    const event = { type: 'cardPaymentUnknown' } as const
    await applyEvents(tx, provider.name, [{ paymentId, event }])
    await stopLooking(tx, paymentId)
    await keepReply(tx, payment, reply)
  })
  return { ...reply, paymentId, replayed: false }
}

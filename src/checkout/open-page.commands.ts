/** Opening a page at the provider: what is asked for, and what the answer means. */

import { delayAfter, providerRetryS } from '../due/delays.ts'
import type { OnceAnswer } from '../http/idempotency.commands.ts'
import { isTypedByAgent, offersOf } from '../payments/offers.ts'
import { nextProviderKey, type Payment } from '../payments/payment.ts'
import { Problem } from '../problem.ts'
import type { Answer, HostedPage, Trace } from '../provider.ts'
import type { Context } from '../service-context.ts'
import { type DueCreate, postponePage, recordPage } from './checkout.store.ts'
import { type Caller, readAnswer, recordRejection, toReply } from './outcome.commands.ts'
import { pageGraceS } from './schedule.ts'

/** A page that was asked for, and how what came of it is written down, with the answer. */
export type Opening = {
  /** The idempotency key under which it was asked for, and how often, this time included. */
  key: string
  attempts: number
  recordPage: (page: HostedPage) => Promise<OnceAnswer>
  recordRejection: (reason: string) => Promise<OnceAnswer>
  /** It is not known whether the page was opened: it is asked for again under `nextKey`. */
  postpone: (nextKey: string, delayS: number) => Promise<void>
  /** That there is no page yet, for this reason. */
  unavailable: (reason: string) => Problem
}

/** Writes down what became of a page; throws `provider_unavailable` where that is not known. */
export async function recordOpening(
  opening: Opening,
  answer: Answer<HostedPage>
): Promise<OnceAnswer> {
  if (answer.outcome === 'done') return await opening.recordPage(answer.value)
  if (answer.outcome === 'rejected') return await opening.recordRejection(answer.reason)
  const { key, attempts, unavailable } = opening
  const delayS = delayAfter(providerRetryS, attempts - 1)
  await opening.postpone(answer.retry === 'new_key' ? nextProviderKey(key) : key, delayS)
  throw unavailable(answer.reason)
}

/** Why nothing is asked of it. */
export const notAnswering = 'The payment provider is not answering at the moment.'

/** What a repetition is told to wait, s: whenever it comes, it asks the provider again. */
const askAgainS = 2

/** The provider is not available, for this reason. `kept`: what is there all the same. */
export function toUnavailable(
  reason: string,
  { detail, ...about }: { detail: string; paymentId?: string }
): Problem {
  const retryAfterS = askAgainS
  return new Problem('provider_unavailable', `${reason} ${detail}`, { ...about, retryAfterS })
}

/** Opens the page, or the link, of a payment. The caller has its lease. */
export async function openPage(deps: Context, due: DueCreate, caller: Caller): Promise<OnceAnswer> {
  const { payment, attempts } = due
  const { id: paymentId } = payment
  const key = payment.providerKey ?? ''
  const opening: Opening = {
    key,
    attempts,
    recordPage: (page) => recordPaymentPage(deps, payment, page),
    recordRejection: (reason) => recordRejection(deps, payment, reason, caller),
    postpone: (nextKey, delayS) => postponePage(deps.db, due, nextKey, delayS),
    unavailable: (reason) => pageUnavailable(paymentId, reason)
  }
  return await recordOpening(opening, await askForPage(deps, payment, key, caller.trace))
}

/** The payment is kept without its page, for this reason. */
export function pageUnavailable(paymentId: string, reason: string): Problem {
  const detail = `Payment ${paymentId} is kept; its card page is still being made.`
  return toUnavailable(reason, { detail, paymentId })
}

/** The customer has somewhere to go; without an outcome a card payment ends with its page. */
export async function recordPaymentPage(
  deps: Context,
  payment: Payment,
  page: HostedPage
): Promise<OnceAnswer> {
  const { id, method } = payment
  const opened = { ...payment, providerSession: page.session, checkoutUrl: page.url }
  const reply = toReply(deps, opened)
  const endsAfterS = method === 'registeredCard' ? pageGraceS : null
  const isFirst = await recordPage(deps.db, id, page, endsAfterS, reply)
  if (!isFirst) return await readAnswer(deps, id)
  deps.waiters.tell(id)
  return { ...reply, replayed: false }
}

async function askForPage(
  { provider, publicUrl, moto, paymentMethods }: Context,
  payment: Payment,
  key: string,
  trace: Trace | undefined
): Promise<Answer<HostedPage>> {
  const { id, accountId, amount, expiresAt, capture, saveCard, customer, metadata } = payment
  const offers = offersOf(payment, paymentMethods)
  const terms = { accountId, amount, expiresAt, capture, saveCard, customer, metadata, offers }
  const shared = { key, paymentId: id, ...terms }
  const returnUrl = returnUrlOf(publicUrl, id)
  if (payment.method === 'paymentLink') {
    const { description } = payment
    const request = { ...shared, returnUrl, description }
    return await provider.createPaymentLink(request, trace)
  }
  const byPhone = moto && isTypedByAgent(payment)
  return await provider.createHostedPage({ ...shared, returnUrl, byPhone }, trace)
}

/** Where the provider sends the browser: to us, and we on to the caller. */
export function returnUrlOf(publicUrl: string, id: string): string {
  return `${publicUrl}/return/${id}`
}

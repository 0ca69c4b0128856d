import { delayAfter, providerRetryS } from '../due/delays.ts'
import { nextProviderKey, type Payment } from '../payments/payment.ts'
import { Problem } from '../problem.ts'
import type { Answer, HostedPage, Trace } from '../provider.ts'
import type { Context } from '../service-context.ts'
import { recordOpened, recordRejection } from './create-answer.commands.ts'
import type { CreateAnswer, Finisher } from './create-payment.commands.ts'
import { type DueCreate, postponePage } from './page.store.ts'

/** Asks the provider for the page, or the link, and writes down what came of it. */
export async function finishPage(
  deps: Context,
  { payment, tries }: DueCreate,
  { place, trace }: Finisher
): Promise<CreateAnswer> {
  const key = payment.providerKey ?? ''
  const answer = await askForPage(deps, payment, key, trace)
  if (answer.outcome === 'done') return await recordOpened(deps, payment, answer.value)
  if (answer.outcome === 'rejected') {
    return await recordRejection(deps, payment, answer.reason, place)
  }
  const delayS = delayAfter(providerRetryS, tries)
  const nextKey = answer.retry === 'new_key' ? nextProviderKey(key) : key
  await postponePage(deps.db, payment.id, nextKey, delayS)
  const detail = `Payment ${payment.id} is kept; its card page is still being made.`
  throw new Problem('provider_unavailable', detail, {
    paymentId: payment.id,
    retryAfterS: delayS + 1,
    cause: answer.reason
  })
}

async function askForPage(
  { provider, publicUrl, moto }: Context,
  payment: Payment,
  key: string,
  trace: Trace | undefined
): Promise<Answer<HostedPage>> {
  const { id, accountId, amount, expiresAt, capture, saveCard, customer, metadata } = payment
  const shared = { key, paymentId: id, accountId, amount, expiresAt, capture, saveCard, customer }
  const returnUrl = returnUrlOf(publicUrl, id)
  if (payment.method === 'paymentLink') {
    const { description } = payment
    // The page of a link ends with a button where there is somewhere to go, else with itself.
    const leadsOn = payment.returnUrl === null ? null : returnUrl
    const request = { ...shared, metadata, returnUrl: leadsOn, description }
    return await provider.createPaymentLink(request, trace)
  }
  const byPhone = moto && payment.channel === 'agent'
  return await provider.createHostedPage({ ...shared, metadata, returnUrl, byPhone }, trace)
}

/** Where the provider sends the browser: to us, and we on to the caller. */
export function returnUrlOf(publicUrl: string, paymentId: string): string {
  return `${publicUrl}/return/${paymentId}`
}

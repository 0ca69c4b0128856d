import { hash } from 'node:crypto'
import { requestCardSync } from '../cards/card-sync.store.ts'
import { findReturnUrl, recordRegistrationReturn } from '../cards/registration.store.ts'
import { withParameter } from '../http/return-url.ts'
import { applyEvents } from '../lifecycle/apply.commands.ts'
import type { Money } from '../money.ts'
import { findPayment } from '../payments/payment.store.ts'
import { type Payment, providerKey } from '../payments/payment.ts'
import { found, Problem } from '../problem.ts'
import type { PageResult, ProviderEvent } from '../provider.ts'
import type { Context } from '../service-context.ts'
import { sendReturn } from './card-payment.commands.ts'
import { keepPageResult, recordReturn } from './checkout.store.ts'
import { nextReturnAskS } from './schedule.ts'

/** The browser waits: after this it is sent on, whatever the provider does. */
const lookUpForMs = 2_000
const returnWithinMs = 2_700
/** So many may wait for an outcome to show, as they hold up others. */
const shownMost = 50

/** What a card page and 3-D Secure put into the return URL; anything else is not sent on. */
const hasLengthOfResult = ({ length }: string) => length >= 20 && length <= 8192
const isSessionResult = (text: string) => hasLengthOfResult(text) && /^[\w+/=!.~-]+$/.test(text)
const isRedirectResult = (text: string) => hasLengthOfResult(text) && /^[\x21-\x7e]+$/.test(text)

/** Anybody can open the address of a return: each result is asked about once, and so many. */
const resultsMax = 5
const paymentsMax = 10_000

/** Does `ask` for a result of a payment, or does nothing. */
type AskOnce = (paymentId: string, result: string, ask: () => Promise<void>) => Promise<void>

/** Remembers what this instance has asked; the same result again waits for the same answer. */
export function createAskOnce(): AskOnce {
  const asked = new Map<string, Map<string, Promise<void>>>()
  return async (paymentId, result, ask) => {
    const results = asked.get(paymentId) ?? new Map<string, Promise<void>>()
    const name = hash('sha256', result)
    const known = results.get(name)
    if (known !== undefined || results.size >= resultsMax) return await known
    const [oldest] = asked.size < paymentsMax ? [] : asked.keys()
    if (oldest !== undefined) asked.delete(oldest)
    const asking = ask()
    asked.set(paymentId, results.set(name, asking))
    // What could not be kept may be tried again.
    asking.catch(() => results.delete(name))
    await asking
  }
}

/** `shown`: the pages that wait at this instance for an outcome to show. */
type Returning = Context & { askOnce: AskOnce; shown: { count: number } }

/** What was appended to the return URL: by a card page, or by 3-D Secure of a registered card. */
type ReturnResult = {
  sessionResult?: string
  redirectResult?: string
}

/**
 * The payment that the browser came back from: its `returnUrl` is where to go on to, null where the
 * caller named no place; then it is awaited for a moment, and shown. What the provider says of it
 * is applied on the way, if it says it in time; what stands in the URL is not believed. A failure
 * of that goes to `onFault` and changes nothing: the notification will come, and what the page
 * brought is kept to ask again.
 */
export async function returnFromPage(
  deps: Returning,
  paymentId: string,
  result: ReturnResult,
  onFault: (error: unknown) => void,
  signal: AbortSignal
): Promise<Payment> {
  const read = async () =>
    found(await findPayment(deps.db, paymentId), 'payment_not_found', `No payment ${paymentId}.`)
  const payment = await read()
  // Nobody comes back from a payment that was only recorded.
  if (payment.method === 'recorded') {
    throw new Problem('payment_not_found', `No page of ${paymentId}.`)
  }
  const startedAt = performance.now()
  const applied = applyReturn(deps, payment, result).catch(onFault)
  await Promise.race([applied, after(returnWithinMs)])
  const { returnUrl } = payment
  if (returnUrl !== null) {
    return { ...payment, returnUrl: withParameter(returnUrl, 'paymentId', paymentId) }
  }
  const isKnown = ({ status }: Payment) => status !== 'pending'
  deps.shown.count += 1
  try {
    const leftMs = Math.max(0, returnWithinMs - (performance.now() - startedAt))
    const ms = deps.shown.count > shownMost ? 0 : leftMs
    return await deps.waiters.wait(paymentId, read, isKnown, ms, signal)
  } finally {
    deps.shown.count -= 1
  }
}

async function applyReturn(
  deps: Context & { askOnce: AskOnce },
  payment: Payment,
  { sessionResult = '', redirectResult = '' }: ReturnResult
): Promise<void> {
  const { method, providerSession, authorisationReference } = payment
  if (providerSession === null || authorisationReference !== null) return
  if (method === 'hostedPage' && isSessionResult(sessionResult)) {
    const ask = () => applyPageReturn(deps, payment, providerSession, sessionResult)
    await deps.askOnce(payment.id, sessionResult, ask)
  } else if (method === 'registeredCard' && isRedirectResult(redirectResult)) {
    const ask = () => applyCardReturn(deps, payment, redirectResult)
    await deps.askOnce(payment.id, redirectResult, ask)
  }
}

/**
 * The card pays only once the provider has what the customer brought, so that it is written down
 * first: where the call comes to nothing, the background work makes it again.
 */
async function applyCardReturn(
  deps: Context,
  payment: Payment,
  redirectResult: string
): Promise<void> {
  const key = detailsKey(payment)
  const given = { redirectResult, key, leaseS: deps.leaseS }
  if (!(await recordReturn(deps.db, payment.id, given))) return
  const asked = { payment: { ...payment, providerKey: key }, cardToken: null, triedForMs: 0 }
  await sendReturn(deps, asked, redirectResult, lookUpForMs)
}

/** The key of the card payment has done its work; that of details counts on where one failed. */
function detailsKey({ id, providerKey: key }: Payment): string {
  const first = providerKey(id, 'details')
  return key?.startsWith(first.slice(0, -1)) ? key : first
}

/** Asks at once; where that comes to nothing, the background asks again. */
async function applyPageReturn(
  deps: Context,
  payment: Payment,
  session: string,
  result: string
): Promise<void> {
  let isKnown = false
  try {
    isKnown = await recordPageResult(deps, payment, session, result, lookUpForMs)
  } finally {
    if (!isKnown) {
      const endsInS = Number.POSITIVE_INFINITY
      await keepPageResult(deps.db, payment.id, result, nextReturnAskS(0, endsInS))
    }
  }
}

/**
 * Asks what became of the page and applies it. False where that is still not known: the provider
 * did not answer, or reports money that only the notification can explain.
 */
export async function recordPageResult(
  { db, provider }: Context,
  { id: paymentId, amount }: Pick<Payment, 'id' | 'amount'>,
  session: string,
  result: string,
  deadlineMs: number
): Promise<boolean> {
  const answer = await provider.findPageResult(session, result, paymentId, deadlineMs)
  if (answer.outcome === 'open') return true
  const event = toEvent(answer, amount)
  if (event === undefined) return false
  await db.transaction().execute((tx) => applyEvents(tx, provider.name, [{ paymentId, event }]))
  return true
}

/** Another amount is for the notification to report: only that is signed. */
function toEvent(answer: PageResult, asked: Money): ProviderEvent | undefined {
  switch (answer.outcome) {
    case 'paid': {
      const { outcome: _, ...paid } = answer
      const { amount } = paid
      const matches = amount.value === asked.value && amount.currency === asked.currency
      return matches ? { type: 'authorised', ...paid } : undefined
    }
    case 'cancelled':
      return { type: 'pageClosed', by: 'customer' }
    case 'refused':
      return { type: 'pageClosed', by: 'refusals' }
    default:
      return undefined
  }
}

/**
 * Where the browser goes that came back from a page that registers a card. That it came back proves
 * nothing, but makes it worth asking for the account's cards: once, since anybody can open this
 * address.
 */
export async function returnFromRegistration(
  { db, wake }: Pick<Context, 'db' | 'wake'>,
  id: string,
  onFault: (error: unknown) => void
): Promise<string> {
  const detail = 'No registration has this id.'
  const returnUrl = found(await findReturnUrl(db, id), 'registration_not_found', detail)
  try {
    await db.transaction().execute(async (tx) => {
      const accountId = await recordRegistrationReturn(tx, id)
      if (accountId !== undefined) await requestCardSync(tx, [accountId])
    })
    wake('sync_cards')
  } catch (error) {
    onFault(error)
  }
  return withParameter(returnUrl, 'registrationId', id)
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}

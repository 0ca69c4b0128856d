import type { Money } from '../money.ts'
import { Problem } from '../problem.ts'
import type { PageResult, ProviderEvent } from '../provider.ts'
import { applyEvents } from './apply.commands.ts'
import type { PaymentDeps } from './create-payment.commands.ts'
import { findPayment } from './payment.store.ts'
import type { Payment } from './payment.ts'

/** The browser waits: after this it is sent on, whatever the provider does. */
const lookUpForMs = 2_000
const returnWithinMs = 2_700

/**
 * Where the browser goes that came back from the card page. What the provider says of the page is
 * applied on the way, if it says it in time; what stands in the URL is not believed. A failure of
 * that is told to `onFault` and changes nothing: the notification will come.
 */
export async function returnFromPage(
  deps: PaymentDeps,
  paymentId: string,
  result: string | undefined,
  onFault: (error: unknown) => void
): Promise<string> {
  const payment = await findPayment(deps.db, paymentId)
  if (payment === undefined) throw new Problem('payment_not_found', `No payment ${paymentId}.`)
  if (result !== undefined && payment.providerSession !== null && payment.authorisation === null) {
    const applied = applyPageResult(deps, payment, payment.providerSession, result).catch(onFault)
    await Promise.race([applied, after(returnWithinMs)])
  }
  return withPaymentId(payment.returnUrl, paymentId)
}

async function applyPageResult(
  deps: PaymentDeps,
  { id: paymentId, amount }: Payment,
  session: string,
  result: string
): Promise<void> {
  const { db, provider } = deps
  const found = await provider.findPageResult(session, result, paymentId, lookUpForMs)
  const event = toEvent(found, amount)
  if (event === undefined) return
  await db.transaction().execute((tx) => applyEvents(tx, provider.name, [{ paymentId, event }]))
}

/** Another amount is for the notification to tell: only that is signed. */
function toEvent(found: PageResult, asked: Money): ProviderEvent | undefined {
  switch (found.outcome) {
    case 'paid': {
      const { authorisation, amount } = found
      const matches = amount.value === asked.value && amount.currency === asked.currency
      return matches ? { type: 'authorised', authorisation, amount, card: null } : undefined
    }
    case 'cancelled':
      return { type: 'pageClosed', by: 'customer' }
    case 'refused':
      return { type: 'pageClosed', by: 'refusals' }
    case 'open':
      return undefined
  }
}

/** Adds the parameter and keeps every other character of the URL as the caller wrote it. */
function withPaymentId(returnUrl: string, paymentId: string): string {
  const [, address = '', fragment = ''] = /^([^#]*)(#.*)?$/s.exec(returnUrl) ?? []
  return `${address}${address.includes('?') ? '&' : '?'}paymentId=${paymentId}${fragment}`
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}

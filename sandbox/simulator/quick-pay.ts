import { challengePath } from './challenges.ts'
import { isLink, statusOf } from './checkouts.ts'
import type { Context } from './context.ts'
import { pay } from './pay.ts'
import { returnAddress } from './sessions.ts'
import type { Checkout } from './state.ts'
import { TEST_CARDS } from './test-data.ts'

export type QuickPay = {
  holderName?: string
  number?: string
  expiry?: string
  cvc?: string
  storedCardId?: string
  consents?: boolean
  wallet?: string
}

/** The page's form without the page; what is left out is a Visa card that is good. */
export function quickPay(context: Context, checkout: Checkout, input: QuickPay): object {
  const result = pay(context, checkout, {
    number: input.number ?? TEST_CARDS[0]?.number ?? '',
    expiry: input.expiry ?? '03/30',
    cvc: input.cvc ?? '737',
    holderName: input.holderName ?? '',
    storedCardId: input.storedCardId ?? null,
    consents: input.consents ?? false,
    wallet: input.wallet ?? null
  })
  if (result.outcome === 'challenge') {
    const { id } = result.challenge
    const url = `${context.origin}${challengePath(result.challenge)}`
    return { outcome: 'challenge', challengeId: id, url, status: statusOf(checkout) }
  }
  const last = checkout.attempts.at(-1)
  const leaves = result.outcome === 'ended' && !isLink(checkout)
  return {
    ...result,
    status: checkout.status,
    pspReference: last?.pspReference ?? null,
    resultCode: last?.resultCode ?? null,
    redirect: leaves ? returnAddress(context, checkout) : null
  }
}

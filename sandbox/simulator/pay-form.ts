import type { FastifyReply } from 'fastify'
import { cardPage, type PageState } from './card-page.ts'
import type { CardFault } from './cards.ts'
import { challengePath } from './challenges.ts'
import { isLink, offeredCards, pathOf, statusOf } from './checkouts.ts'
import type { Context } from './context.ts'
import { type PayForm, pay } from './pay.ts'
import { returnAddress } from './sessions.ts'
import type { Attempt, Checkout } from './state.ts'

/** The form's answer: the page again, the issuer's question, or where the shopper goes then. */
export function payByForm(
  context: Context,
  checkout: Checkout,
  body: URLSearchParams | undefined,
  reply: FastifyReply
): FastifyReply {
  const form = readForm(body ?? new URLSearchParams())
  const result = pay(context, checkout, form)
  if (result.outcome === 'challenge') {
    return reply.redirect(challengePath(result.challenge), 303)
  }
  if (result.outcome === 'ended') return reply.redirect(addressAfter(context, checkout), 303)
  const faults = result.outcome === 'invalid' ? result.faults : []
  const html = cardPage({
    ...freshPage(context, checkout),
    faults,
    wasRefused: result.outcome === 'refused',
    typed: typedAgain(form, faults)
  })
  return reply.code(faults.length > 0 ? 422 : 200).send(html)
}

/** Where a shopper goes who has paid, or can pay no more, or has to try again. */
export function addressAfter(context: Context, checkout: Checkout): string {
  const last = checkout.attempts.at(-1)
  const path = pathOf(checkout)
  if (isLink(checkout)) {
    if (wasPaid(last)) return `${path}/done`
    return statusOf(checkout) === 'active' ? `${path}?refused` : path
  }
  const status = statusOf(checkout)
  if (status === 'active') return `${path}?refused`
  return status === 'expired' && checkout.result === null ? path : returnAddress(context, checkout)
}

export function wasPaid(attempt: Attempt | undefined): boolean {
  return attempt?.resultCode === 'Authorised' || attempt?.resultCode === 'Received'
}

export function freshPage(context: Context, checkout: Checkout): PageState {
  return {
    checkout,
    storedCards: offeredCards(context, checkout),
    faults: [],
    wasRefused: false,
    typed: { expiry: '', holderName: '', card: null, consents: false }
  }
}

function readForm(body: URLSearchParams): PayForm {
  const text = (name: string) => body.get(name) ?? ''
  return {
    number: text('number'),
    expiry: text('expiry'),
    cvc: text('cvc'),
    holderName: text('holderName'),
    storedCardId: body.get('card'),
    consents: body.has('consents'),
    wallet: body.get('wallet')
  }
}

function typedAgain(form: PayForm, faults: CardFault[]): PageState['typed'] {
  const isName = faults.every(({ field }) => field !== 'holderName')
  return {
    expiry: form.expiry.slice(0, 9),
    holderName: isName ? form.holderName : '',
    card: form.storedCardId,
    consents: form.consents
  }
}

import type { FastifyInstance } from 'fastify'
import { cardPage } from './card-page.ts'
import { isRegistration, pathOf, statusOf } from './checkouts.ts'
import type { Context } from './context.ts'
import { formatAmount } from './money.ts'
import { sendUnknown, setUpPages } from './page-setup.ts'
import { noticePage } from './page-shell.ts'
import { freshPage, payByForm, wasPaid } from './pay-form.ts'
import type { Link } from './state.ts'

type WithLink = { Params: { id: string }; Querystring: { refused?: string } }
type WithForm = WithLink & { Body: URLSearchParams | undefined }

/**
 * The page of a payment link, mounted under /link. It never sends the shopper away by itself: a
 * returnUrl gives it a button, see https://docs.adyen.com/unified-commerce/pay-by-link.
 */
export function linkRoutes(context: Context) {
  return async (app: FastifyInstance): Promise<void> => {
    setUpPages(app)

    app.get<WithLink>('/:id', (request, reply) => {
      const link = context.state.links.get(request.params.id)
      if (link === undefined) return sendUnknown(reply)
      if (statusOf(link) !== 'active') return reply.send(endPage(link))
      const wasRefused = request.query.refused !== undefined && link.attempts.length > 0
      return reply.send(cardPage({ ...freshPage(context, link), wasRefused }))
    })
    app.post<WithForm>('/:id', (request, reply) => {
      const link = context.state.links.get(request.params.id)
      if (link === undefined) return sendUnknown(reply)
      if (statusOf(link) === 'expired') return reply.send(endPage(link))
      return payByForm(context, link, request.body, reply)
    })
    app.get<WithLink>('/:id/done', (request, reply) => {
      const link = context.state.links.get(request.params.id)
      if (link === undefined) return sendUnknown(reply)
      if (!wasPaid(link.attempts.at(-1))) return reply.redirect(pathOf(link), 303)
      return reply.send(paidPage(link))
    })
  }
}

function endPage(link: Link): string {
  const { merchantAccount: merchant } = link.request
  if (statusOf(link) !== 'expired') return paidPage(link)
  const text = `Nothing was taken. Ask ${merchant} for a new link.`
  return noticePage({ title: 'This payment link has expired', text, merchant })
}

function paidPage(link: Link): string {
  const { amount, merchantAccount: merchant, reference, returnUrl } = link.request
  const isPending = link.attempts.at(-1)?.resultCode === 'Received'
  const paid = `You paid ${formatAmount(amount)} to ${merchant}, reference ${reference}.`
  const saved = `${merchant} keeps your card for later payments. Nothing was taken.`
  const [title, text] = isPending
    ? ['The payment is being processed', 'You can close this page.']
    : isRegistration(link)
      ? ['Your card is saved', saved]
      : ['Thank you: the payment is complete', paid]
  const button =
    returnUrl === undefined ? {} : { button: { label: 'Continue', address: returnUrl } }
  return noticePage({ title, text, merchant, ...button })
}

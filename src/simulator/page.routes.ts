import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { STYLE } from './card-page.style.ts'
import { cardPage, noticePage, type PageState } from './card-page.ts'
import type { Context } from './context.ts'
import { type PayForm, pay, storedCardsOf } from './pay.ts'
import { endSession, returnAddress, statusOf } from './sessions.ts'
import type { Session, SessionStatus } from './state.ts'

type WithSession = { Params: { id: string } }
type WithForm = WithSession & { Body: URLSearchParams }

/**
 * No script at all, and only this one style. There is no form-action: browsers apply it to the
 * redirects after a form too, and where those end is up to the merchant.
 */
const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
    "base-uri 'none'",
    "frame-ancestors 'none'"
  ].join('; '),
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff'
}

/** Adyen's hosted card page, mounted under /pay. */
export function pageRoutes(context: Context) {
  return async (app: FastifyInstance): Promise<void> => {
    app.addHook('onRequest', async (_request, reply) => {
      reply.headers(HEADERS)
    })
    app.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string' },
      (_request, body, done) => done(null, new URLSearchParams(String(body)))
    )
    app.setNotFoundHandler((_request, reply) => sendUnknown(reply))

    app.get<WithSession>('/:id', (request, reply) => {
      const session = hostedSession(context, request.params.id)
      if (session === undefined) return sendUnknown(reply)
      if (statusOf(session) !== 'active') return sendNotice(context, session, reply)
      return reply.send(cardPage(freshPage(context, session)))
    })
    app.post<WithForm>('/:id', (request, reply) => {
      const session = hostedSession(context, request.params.id)
      if (session === undefined) return sendUnknown(reply)
      return payByForm(context, session, request.body ?? new URLSearchParams(), reply)
    })
    app.route<WithSession>({
      method: ['GET', 'POST'],
      url: '/:id/cancel',
      handler: (request, reply) => {
        const session = hostedSession(context, request.params.id)
        if (session === undefined) return sendUnknown(reply)
        if (statusOf(session) === 'active') endSession(context, session, 'canceled')
        return reply.redirect(returnAddress(context, session), 303)
      }
    })
  }
}

function payByForm(
  context: Context,
  session: Session,
  body: URLSearchParams,
  reply: FastifyReply
): FastifyReply {
  const form = readForm(body)
  const result = pay(context, session, form)
  if (result.outcome === 'ended') {
    if (statusOf(session) === 'expired') return sendNotice(context, session, reply)
    return reply.redirect(returnAddress(context, session), 303)
  }
  const faults = result.outcome === 'invalid' ? result.faults : []
  const isName = faults.every(({ field }) => field !== 'holderName')
  const html = cardPage({
    ...freshPage(context, session),
    faults,
    wasRefused: result.outcome === 'refused',
    typed: {
      expiry: form.expiry.slice(0, 9),
      holderName: isName ? form.holderName : '',
      card: form.storedCardId,
      consents: form.consents
    }
  })
  return reply.code(faults.length > 0 ? 422 : 200).send(html)
}

function readForm(body: URLSearchParams): PayForm {
  const text = (name: string) => body.get(name) ?? ''
  return {
    number: text('number'),
    expiry: text('expiry'),
    cvc: text('cvc'),
    holderName: text('holderName'),
    storedCardId: body.get('card'),
    consents: body.has('consents')
  }
}

function freshPage(context: Context, session: Session): PageState {
  return {
    session,
    storedCards: storedCardsOf(context, session),
    faults: [],
    wasRefused: false,
    typed: { expiry: '', holderName: '', card: null, consents: false }
  }
}

function hostedSession({ state }: Context, id: string): Session | undefined {
  const session = state.sessions.get(id)
  return session?.request.mode === 'hosted' ? session : undefined
}

const NOTICES: Record<Exclude<SessionStatus, 'active'>, [title: string, text: string]> = {
  completed: ['This payment is complete', 'It was paid. You can close this page or go back.'],
  paymentPending: ['The payment is being processed', 'You can close this page or go back.'],
  refused: ['The payment was refused', 'There were too many attempts. Nothing was taken.'],
  canceled: ['The payment was cancelled', 'Nothing was taken.'],
  expired: ['This payment page has expired', 'Nothing was taken. Go back to start again.']
}

function sendNotice(context: Context, session: Session, reply: FastifyReply): FastifyReply {
  const status = statusOf(session)
  const [title, text] = NOTICES[status === 'active' ? 'expired' : status]
  return reply.send(noticePage(title, text, session, returnAddress(context, session)))
}

function sendUnknown(reply: FastifyReply): FastifyReply {
  const text = 'Check the address, or go back to where you came from and start again.'
  return reply.code(404).send(noticePage('There is no such payment', text, null, null))
}

import type { FastifyInstance, FastifyReply } from 'fastify'
import { cardPage } from './card-page.ts'
import { isRegistration, statusOf } from './checkouts.ts'
import type { Context } from './context.ts'
import { sendUnknown, setUpPages } from './page-setup.ts'
import { noticePage } from './page-shell.ts'
import { freshPage, payByForm } from './pay-form.ts'
import { endSession, returnAddress } from './sessions.ts'
import type { Session, SessionStatus } from './state.ts'

type WithSession = { Params: { id: string }; Querystring: { refused?: string } }
type WithForm = WithSession & { Body: URLSearchParams | undefined }

/** Adyen's hosted card page, mounted under /pay. */
export function pageRoutes(context: Context) {
  return async (app: FastifyInstance): Promise<void> => {
    setUpPages(app)

    app.get<WithSession>('/:id', (request, reply) => {
      const session = hostedSession(context, request.params.id)
      if (session === undefined) return sendUnknown(reply)
      if (statusOf(session) !== 'active') return sendNotice(context, session, reply)
      const wasRefused = request.query.refused !== undefined && session.attempts.length > 0
      return reply.send(cardPage({ ...freshPage(context, session), wasRefused }))
    })
    app.post<WithForm>('/:id', (request, reply) => {
      const session = hostedSession(context, request.params.id)
      if (session === undefined) return sendUnknown(reply)
      if (statusOf(session) === 'expired') return sendNotice(context, session, reply)
      return payByForm(context, session, request.body, reply)
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
const SAVED: [title: string, text: string] = [
  'Your card is saved',
  'Nothing was taken. You can close this page or go back.'
]

function sendNotice(context: Context, session: Session, reply: FastifyReply): FastifyReply {
  const status = statusOf(session)
  const isSaved = status === 'completed' && isRegistration(session)
  const [title, text] = isSaved ? SAVED : NOTICES[status === 'active' ? 'expired' : status]
  const merchant = session.request.merchantAccount
  const button = { label: `Return to ${merchant}`, address: returnAddress(context, session) }
  return reply.send(noticePage({ title, text, merchant, button }))
}

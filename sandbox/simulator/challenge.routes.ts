import type { FastifyInstance } from 'fastify'
import { challengePage } from './challenge-page.ts'
import { answerChallenge, challengeReturn } from './challenges.ts'
import { findCheckout } from './checkouts.ts'
import type { Context } from './context.ts'
import { sendUnknown, setUpPages } from './page-setup.ts'
import { settle } from './pay.ts'
import { addressAfter } from './pay-form.ts'
import type { Challenge } from './state.ts'
import { NOT_AUTHENTICATED } from './test-data.ts'

type WithChallenge = { Params: { id: string } }
type WithForm = WithChallenge & { Body: URLSearchParams | undefined }

/** The page of 3-D Secure, mounted under /challenge. */
export function challengeRoutes(context: Context) {
  return async (app: FastifyInstance): Promise<void> => {
    setUpPages(app)

    app.get<WithChallenge>('/:id', (request, reply) => {
      const challenge = context.state.challenges.get(request.params.id)
      if (challenge === undefined) return sendUnknown(reply)
      if (challenge.state !== 'open') return reply.redirect(leave(context, challenge), 303)
      return reply.send(challengePage(challenge))
    })
    app.post<WithForm>('/:id', (request, reply) => {
      const challenge = context.state.challenges.get(request.params.id)
      if (challenge === undefined) return sendUnknown(reply)
      const form = request.body ?? new URLSearchParams()
      const password = form.has('cancel') ? null : form.get('password')
      return reply.redirect(finishChallenge(context, challenge, password), 303)
    })
  }
}

/**
 * Takes the shopper's answer, and says where to go with it. On a page the card is authorised now;
 * after POST /payments it is when the merchant sends the redirectResult.
 */
export function finishChallenge(
  context: Context,
  challenge: Challenge,
  password: string | null
): string {
  const { card, page, storedCardId } = challenge
  const isFirst = challenge.state === 'open'
  answerChallenge(context, challenge, password)
  const checkout = page === null ? undefined : findCheckout(context, page.checkoutId)
  if (isFirst && page !== null && checkout !== undefined) {
    const outcome = challenge.state === 'passed' ? undefined : NOT_AUTHENTICATED
    settle(context, checkout, { card, storedCardId, consents: page.consents }, outcome)
    challenge.state = 'authorised'
    context.state.challenges.put(challenge)
  }
  return leave(context, challenge)
}

function leave(context: Context, challenge: Challenge): string {
  const { page } = challenge
  if (page === null) return challengeReturn(challenge)
  const checkout = findCheckout(context, page.checkoutId)
  return checkout === undefined ? '/' : addressAfter(context, checkout)
}

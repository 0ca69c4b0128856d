import type { FastifyInstance } from 'fastify'
import { finishChallenge } from './challenge.routes.ts'
import { describeLink } from './checkout-links.ts'
import type { Context } from './context.ts'
import { pick } from './control-views.ts'
import { newPspReference } from './identifiers.ts'
import { type QuickPay, quickPay } from './quick-pay.ts'
import type { Card } from './state.ts'
import { announceToken } from './stored-cards.ts'

type WithId = { Params: { id: string } }

/** Links, challenges and stored cards, without the pages. */
export function controlCardRoutes(app: FastifyInstance, context: Context): void {
  const { state } = context
  app.get('/links', () =>
    state.links.all().map((link) => ({ ...link, ...describeLink(context, link) }))
  )
  app.get('/challenges', () => state.challenges.all())
  app.get('/storedCards', () => state.storedCards.all())

  app.post<WithId & { Body: QuickPay | undefined }>('/links/:id/pay', (request, reply) => {
    const link = pick(state.links, request.params.id)
    if (link === undefined) return reply.code(404).send({ error: 'No such link' })
    return quickPay(context, link, request.body ?? {})
  })

  type Password = { password?: string }
  app.post<WithId & { Body: Password | undefined }>('/challenges/:id/answer', (request, reply) => {
    const challenge = pick(state.challenges, request.params.id)
    if (challenge === undefined) return reply.code(404).send({ error: 'No such challenge' })
    const address = finishChallenge(context, challenge, request.body?.password ?? null)
    return { redirect: address.startsWith('/') ? `${context.origin}${address}` : address }
  })

  /** The issuer sent a new card, or the next payment with it is to end differently. */
  app.patch<WithId & { Body: Partial<Card> }>('/storedCards/:id', (request, reply) => {
    const stored = pick(state.storedCards, request.params.id)
    if (stored === undefined) return reply.code(404).send({ error: 'No such stored card' })
    const changed = { ...stored, card: { ...stored.card, ...request.body } }
    state.storedCards.put(changed)
    announceToken(context, changed, 'updated', newPspReference())
    return changed
  })
}

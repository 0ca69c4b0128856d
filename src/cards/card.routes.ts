import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { findAccount } from '../accounts/account.store.ts'
import { ref } from '../http/common.schema.ts'
import { Problem } from '../problem.ts'
import type { Context } from '../service-context.ts'
import { deleteCard } from './card.commands.ts'
import { CardList, CardParams, CardsParams } from './card.schema.ts'
import { listCards } from './card.store.ts'
import { toCardView } from './card-view.ts'

export const cardRoutes: FastifyPluginAsyncTypebox<Context> = async (app, deps) => {
  const { db } = deps

  app.get(
    '/v1/accounts/:accountId/cards',
    {
      schema: {
        operationId: 'listCards',
        summary: 'List the registered cards of an account',
        description:
          'All of them, newest first. A card is there a moment after the customer registered it, ' +
          'and no longer once it was removed, here or at the provider.',
        tags: ['Cards'],
        params: CardsParams,
        response: { 200: ref(CardList) }
      },
      config: { scope: 'cards:read', problems: ['account_not_known'] }
    },
    async (request) => {
      const accountId = toAccountNumber(request.params.accountId)
      const cards = await listCards(db, accountId)
      if (cards.length === 0 && (await findAccount(db, accountId)) === undefined) throw notKnown()
      return { data: cards.map(toCardView) }
    }
  )

  app.delete(
    '/v1/accounts/:accountId/cards/:cardId',
    {
      schema: {
        operationId: 'deleteCard',
        summary: 'Remove a registered card',
        description:
          'From then on it is neither shown nor charged. The provider is told at once, and again ' +
          'until it has done it.',
        tags: ['Cards'],
        params: CardParams,
        response: { 204: { type: 'null', description: 'Removed' } }
      },
      config: { scope: 'cards:write', problems: ['account_not_known', 'card_not_found'] }
    },
    async (request, reply) => {
      const { accountId, cardId } = request.params
      await deleteCard(deps, toAccountNumber(accountId), cardId, (error) =>
        request.log.warn({ err: error, cardId }, 'a card is still to be removed at the provider')
      )
      return reply.code(204).send(undefined as never)
    }
  )
}

const accountNumber = /^[1-9][0-9]{0,7}$/

/** An id that cannot exist is not found, like any other that does not. */
function toAccountNumber(accountId: string): number {
  if (!accountNumber.test(accountId)) throw notKnown()
  return Number(accountId)
}

function notKnown(): Problem {
  return new Problem('account_not_known', 'No account has this number.')
}

import { getAccount } from '../accounts/account.commands.ts'
import { AccountParams } from '../accounts/account.schema.ts'
import { toAccountNumber } from '../accounts/account-number.ts'
import { nothing, ref } from '../http/common.schema.ts'
import type { Routes } from '../service-context.ts'
import { deleteCard } from './card.commands.ts'
import { CardList, CardParams } from './card.schema.ts'
import { listCards } from './card.store.ts'
import { toCardView } from './card.ts'

export const cardRoutes: Routes = async (app, deps) => {
  const { reads } = deps

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
        params: AccountParams,
        response: { 200: ref(CardList) }
      },
      config: { scope: 'cards:read', problems: ['account_not_known'] }
    },
    async (request) => {
      const { accountId } = request.params
      const cards = await listCards(reads, toAccountNumber(accountId))
      if (cards.length === 0) await getAccount(reads, accountId)
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
          'From then on it is neither shown nor charged. The provider is asked at once, and ' +
          'again until it has done it.',
        tags: ['Cards'],
        params: CardParams,
        response: { 204: nothing('Removed') }
      },
      config: { scope: 'cards:write', problems: ['account_not_known', 'card_not_found'] }
    },
    async (request, reply) => {
      const { accountId, cardId } = request.params
      await deleteCard(deps, toAccountNumber(accountId), cardId, (error) =>
        request.log.warn({ err: error, cardId }, 'a card is still to be removed at the provider')
      )
      return reply.code(204).send()
    }
  )
}

import { getAccount } from '../accounts/account.commands.ts'
import { toAccountNumber } from '../accounts/account-number.ts'
import { clientOf } from '../http/auth.plugin.ts'
import { IdParams, nothing, ref } from '../http/common.schema.ts'
import { claimOf, sendSaved } from '../http/idempotency.plugin.ts'
import { pathOf } from '../http/problems.plugin.ts'
import { traceOf } from '../http/request.plugin.ts'
import type { Routes } from '../service-context.ts'
import { deleteCard } from './card.commands.ts'
import {
  CardList,
  CardParams,
  CardsParams,
  RegisterCard,
  RegistrationSchema
} from './card.schema.ts'
import { listCards } from './card.store.ts'
import { toCardView } from './card.ts'
import { registerCard, returnFromRegistration } from './registration.commands.ts'

export const cardRoutes: Routes = async (app, deps) => {
  const { db, publicUrl } = deps

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
      const { accountId } = request.params
      const cards = await listCards(db, toAccountNumber(accountId))
      if (cards.length === 0) await getAccount(db, accountId)
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

  app.post(
    '/v1/accounts/:accountId/card-registrations',
    {
      schema: {
        operationId: 'registerCard',
        summary: 'Register a card',
        description:
          'Opens a page of the provider where the customer registers a card and pays nothing: ' +
          'send them to `checkout.url`. The card is then among those of the account.',
        tags: ['Cards'],
        params: CardsParams,
        body: RegisterCard,
        response: { 201: ref(RegistrationSchema) }
      },
      config: {
        scope: 'cards:write',
        idempotent: true,
        problems: [
          'idempotency_key_in_flight',
          'account_not_known',
          'account_closed',
          'return_url_refused',
          'provider_rejected',
          'provider_unavailable'
        ]
      }
    },
    async (request, reply) => {
      const answer = await registerCard(deps, {
        client: clientOf(request),
        claim: claimOf(request),
        place: { publicUrl, instance: pathOf(request), requestId: request.id },
        trace: traceOf(request),
        accountId: toAccountNumber(request.params.accountId),
        returnUrl: request.body.returnUrl,
        customer: request.body.customer ?? null
      })
      return sendSaved(reply, answer)
    }
  )

  // Beside the payments' own: what begins otherwise goes there.
  app.get(
    '/return/:id(^reg_.*)',
    { schema: { hide: true, params: IdParams } },
    async (request, reply) => {
      const target = await returnFromRegistration(deps, request.params.id, (error) =>
        request.log.warn({ err: error }, 'a registered card is not asked for on the way back')
      )
      return reply.redirect(target, 303)
    }
  )
}

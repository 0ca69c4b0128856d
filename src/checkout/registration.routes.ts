import { AccountParams } from '../accounts/account.schema.ts'
import { toAccountNumber } from '../accounts/account-number.ts'
import { RegisterCard, RegistrationParams, RegistrationSchema } from '../cards/card.schema.ts'
import { toRegistrationView } from '../cards/card.ts'
import { findRegistration } from '../cards/registration.store.ts'
import { visibleTo } from '../clients/client.ts'
import { clientOf } from '../http/auth.plugin.ts'
import { ref } from '../http/common.schema.ts'
import { claimOf, sendSaved } from '../http/idempotency.plugin.ts'
import { pathOf } from '../http/problems.plugin.ts'
import { traceOf } from '../http/request.plugin.ts'
import { found } from '../problem.ts'
import type { Routes } from '../service-context.ts'
import { registerCard } from './registration.commands.ts'
import { pageGraceS } from './schedule.ts'

export const registrationRoutes: Routes = async (app, deps) => {
  const { publicUrl } = deps

  app.post(
    '/v1/accounts/:accountId/card-registrations',
    {
      schema: {
        operationId: 'registerCard',
        summary: 'Register a card',
        description:
          'Opens a page of the provider where the customer registers a card and pays nothing: ' +
          'send them to `checkout.url`. The card is then among those of the account; what became ' +
          'of the page can be asked for at `Location`.',
        tags: ['Cards'],
        params: AccountParams,
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
        customer: request.body.customer ?? null,
        name: null,
        description: null
      })
      const { accountId } = request.params
      const location = `/v1/accounts/${accountId}/card-registrations/${answer.resourceId}`
      if (answer.status === 201) reply.header('location', location)
      return sendSaved(reply, answer)
    }
  )

  app.get(
    '/v1/accounts/:accountId/card-registrations/:registrationId',
    {
      schema: {
        operationId: 'getCardRegistration',
        summary: 'Get a card registration',
        description: 'What became of the page: whether a card was registered, and which.',
        tags: ['Cards'],
        params: RegistrationParams,
        response: { 200: ref(RegistrationSchema) }
      },
      config: {
        scope: 'cards:read',
        problems: ['account_not_known', 'registration_not_found'],
        etag: true
      }
    },
    async (request) => {
      const { accountId, registrationId: id } = request.params
      const which = { id, accountId: toAccountNumber(accountId) }
      const client = visibleTo(clientOf(request))
      const registration = await findRegistration(deps.reads, which, client, pageGraceS)
      const detail = 'The account has no such registration.'
      return toRegistrationView(found(registration, 'registration_not_found', detail))
    }
  )
}

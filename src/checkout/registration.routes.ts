import { AccountParams } from '../accounts/account.schema.ts'
import { toAccountNumber } from '../accounts/account-number.ts'
import { RegisterCard, RegistrationSchema } from '../cards/card.schema.ts'
import { clientOf } from '../http/auth.plugin.ts'
import { ref } from '../http/common.schema.ts'
import { claimOf, sendSaved } from '../http/idempotency.plugin.ts'
import { pathOf } from '../http/problems.plugin.ts'
import { traceOf } from '../http/request.plugin.ts'
import type { Routes } from '../service-context.ts'
import { registerCard } from './registration.commands.ts'

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
          'send them to `checkout.url`. The card is then among those of the account.',
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
        customer: request.body.customer ?? null
      })
      return sendSaved(reply, answer)
    }
  )
}

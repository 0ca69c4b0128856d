import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { PaymentDeps } from './create-payment.commands.ts'
import { PaymentParams } from './payment.schema.ts'
import { returnFromPage } from './return.commands.ts'

/** Where the card page sends the browser; the browser goes on to the caller's own returnUrl. */
export const returnRoutes: FastifyPluginAsyncTypebox<PaymentDeps> = async (app, deps) => {
  app.get(
    '/return/:id',
    { schema: { hide: true, params: PaymentParams } },
    async (request, reply) => {
      const result = rawParameter(request.url, 'sessionResult')
      const target = await returnFromPage(deps, request.params.id, result, (error) =>
        request.log.warn({ err: error }, 'the result of the card page was not applied')
      )
      return reply.redirect(target, 303)
    }
  )
}

/** The value of a query parameter as it came, but for percent-encoding: `+` stays `+`. */
function rawParameter(url: string, name: string): string | undefined {
  const [, encoded] = new RegExp(`[?&]${name}=([^&#]*)`).exec(url) ?? []
  try {
    return encoded === undefined ? undefined : decodeURIComponent(encoded)
  } catch {
    return undefined
  }
}

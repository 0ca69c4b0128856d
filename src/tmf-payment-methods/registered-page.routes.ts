import { pageHeaders } from '../html.ts'
import { chooseLocale } from '../payments/return-page.ts'
import type { Routes } from '../service-context.ts'
import { toRegisteredPage } from './registered-page.ts'

/** Where `ownReturnUrl` leads to. */
export const registeredPageRoutes: Routes<never> = async (app) => {
  app.get('/card-registered', { schema: { hide: true } }, async (request, reply) => {
    const { language } = chooseLocale(undefined, request.headers['accept-language'])
    return reply.headers(pageHeaders).send(toRegisteredPage(language))
  })
}

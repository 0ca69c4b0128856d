import type { FastifyReply, FastifyRequest } from 'fastify'
import { pageHeaders } from '../html.ts'
import { IdParams } from '../http/common.schema.ts'
import { chooseLocale, toOutcomePage, toReturnPage } from '../payments/return-page.ts'
import type { Customer } from '../provider.ts'
import type { Routes } from '../service-context.ts'
import { createAskOnce, returnFromPage, returnFromRegistration } from './return.commands.ts'

const options = {
  schema: { hide: true, params: IdParams },
  config: { lane: 'outcomes' },
  onSend: showProblem
} as const

/** Where the card page sends the browser; the browser goes on to the caller's own returnUrl. */
export const returnRoutes: Routes = async (app, context) => {
  const deps = { ...context, askOnce: createAskOnce(), shown: { count: 0 } }
  app.get('/return/:id', options, async (request, reply) => {
    const result = {
      sessionResult: rawParameter(request.url, 'sessionResult'),
      redirectResult: rawParameter(request.url, 'redirectResult')
    }
    const onFault = (error: unknown) =>
      request.log.warn({ err: error }, 'what the customer came back with was not applied')
    const payment = await returnFromPage(deps, request.params.id, result, onFault, request.signal)
    if (payment.returnUrl !== null) return reply.redirect(payment.returnUrl, 303)
    const page = toReturnPage(payment, context.merchantName, localeOf(request, payment.customer))
    return reply.headers(pageHeaders).send(page)
  })

  // What begins otherwise is taken for a payment, above.
  app.get('/return/:id(^reg_.*)', options, async (request, reply) => {
    const target = await returnFromRegistration(deps, request.params.id, (error) =>
      request.log.warn({ err: error }, 'a registered card is not asked for on the way back')
    )
    return reply.redirect(target, 303)
  })
}

function localeOf(request: FastifyRequest, customer: Customer | null = null) {
  return chooseLocale(customer?.locale, request.headers['accept-language'])
}

/** Whoever asks for a page gets no JSON when it can't be shown. */
async function showProblem(request: FastifyRequest, reply: FastifyReply, payload: unknown) {
  const isProblem = String(reply.getHeader('content-type')).startsWith('application/problem+json')
  if (!isProblem || !request.headers.accept?.includes('text/html')) return payload
  reply.headers(pageHeaders)
  return toOutcomePage(reply.statusCode === 404 ? 'unknown' : 'unavailable', localeOf(request))
}

/** A query parameter as it came, but for percent-encoding: `+` stays `+`; empty for none. */
function rawParameter(url: string, name: string): string {
  const start = `${name}=`
  const found = url.split(/[?&]/).find((one) => one.startsWith(start))
  const encoded = found?.slice(start.length) ?? ''
  try {
    return decodeURIComponent(encoded)
  } catch {
    return ''
  }
}

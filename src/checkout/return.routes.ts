import { IdParams } from '../http/common.schema.ts'
import type { Routes } from '../service-context.ts'
import { createAskOnce, returnFromPage, returnFromRegistration } from './return.commands.ts'

/** Where the card page sends the browser; the browser goes on to the caller's own returnUrl. */
export const returnRoutes: Routes = async (app, context) => {
  const deps = { ...context, askOnce: createAskOnce() }
  const route = { schema: { hide: true, params: IdParams }, config: { lane: 'outcomes' } } as const

  app.get('/return/:id', route, async (request, reply) => {
    const result = {
      sessionResult: rawParameter(request.url, 'sessionResult'),
      redirectResult: rawParameter(request.url, 'redirectResult')
    }
    const target = await returnFromPage(deps, request.params.id, result, (error) =>
      request.log.warn({ err: error }, 'what the customer came back with was not applied')
    )
    if (target !== undefined) return reply.redirect(target, 303)
    reply.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
    return reply.type('text/html; charset=utf-8').send(goodbye)
  })

  // What begins otherwise is taken for a payment, above.
  app.get('/return/:id(^reg_.*)', route, async (request, reply) => {
    const target = await returnFromRegistration(deps, request.params.id, (error) =>
      request.log.warn({ err: error }, 'a registered card is not asked for on the way back')
    )
    return reply.redirect(target, 303)
  })
}

/** For a customer with no returnUrl to go to; it does not know the outcome. */
const goodbye = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Payment</title>
<style>body { font: 1.1rem/1.5 system-ui, sans-serif; margin: 4rem auto; max-width: 32rem }</style>
<h1>Thank you</h1>
<p>Your payment is being processed. You can close this window.</p>
</html>
`

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

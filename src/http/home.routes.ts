import { pageHeaders, toPage } from '../html.ts'
import type { Routes } from '../service-context.ts'

/** What is here, for whoever opens the address itself: no more than what needs no key. */
export const homeRoutes: Routes<'sandbox'> = async (app, { sandbox }) => {
  const note = sandbox ? ' This is the sandbox: no money moves.' : ''
  const page = toPage(
    'en',
    'One-Off Payments',
    `<p>An API that takes one-off card payments.${note}</p>
<ul>
<li><a href="docs">Documentation</a>, where every request can be tried</li>
<li><a href="docs/guides">Guides</a>, from a first payment to going live</li>
<li><a href="openapi.json">OpenAPI document</a></li>
<li><a href="docs/problems">Problems</a>: what each error means, and what to do</li>
<li><a href="health/ready">Readiness</a> and <a href="health/live">liveness</a></li>
</ul>`
  )
  app.get('/', { schema: { hide: true } }, async (_, reply) =>
    reply.headers(pageHeaders).send(page)
  )
}

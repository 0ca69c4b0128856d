import { hash } from 'node:crypto'
import swagger from '@fastify/swagger'
import { type FastifyInstance, type FastifySchema, fastify, type RouteOptions } from 'fastify'
import { escapeHtml, pageHeaders, toPage } from '../html.ts'
import { type ProblemCode, problems } from '../problems.ts'
import { shareParts, showUnseen } from './openapi-document.ts'
import { etagOf } from './precondition.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What this route may answer besides what every route may. */
    problems?: ProblemCode[]
  }
}

const description = `
One-off card payments against the balance of a customer's account.

A caller creates a payment, sends the customer to \`checkout.url\` (the payment provider's own
card page, so that no card number ever comes here), and learns the outcome by asking for the
payment.

**Repeating.** Every POST that changes something carries an \`Idempotency-Key\`: repeat a request
under its key as often as needed, there will be one payment. A repetition gets the first answer,
byte for byte, with \`Idempotent-Replayed: true\`; GET shows the present. A 409 or 503 that is
worth repeating has \`Retry-After\` in seconds. The 201 of a payment has its \`Location\`.

**Polling.** GET of one resource has an \`ETag\`; with \`If-None-Match\` it answers 304 until
something changed. A payment's \`finished\` is true once nothing more is expected; \`card\` may
become known a moment later. A page that nobody paid or that was left without coming back ends 15
minutes after \`expiresAt\`: until then its payment is \`pending\`, since a last attempt may be on
its way. While it is pending, \`failure\` shows the last refused attempt; the customer may try
again. Better than to poll is to wait, by \`Prefer: wait=N\`, or to be notified, by a webhook.

**Returning.** In the end the browser is sent to \`returnUrl\` with \`paymentId\` added to its
query. Ask for the payment then: the redirect itself proves nothing.

**Lists** are newest first, by id, which sorts as payments were made. \`nextCursor\` goes with the
same filters; the \`Link\` header holds the whole next address.

**Events** of a payment are numbered from 1 without holes, in the order in which they became known
here. The webhook \`event\` lists every type; \`GET /v1/events\` has them all.

**Who sees what.** A client that is a third party sees the payments, events and ledger entries
that are its own; anything else is 404. Accounts, charges and cards are open to every client with
the scope.

**Not for clients.** \`POST /webhooks/adyen\` takes what Adyen sends: 202 \`[accepted]\` once every
item is stored; 401 where the password or the signature (HMAC) of one is wrong, and nothing is kept;
503 where it cannot be stored. \`GET /return/{paymentId}\` is where the card page sends the browser,
which goes on (303) to the payment's \`returnUrl\`; without one a page shows what came of it, in
the language of \`customer.locale\` or of the browser.

**Errors** are \`application/problem+json\` (RFC 9457); each code has a page with its cause and
cure at [/docs/problems](/docs/problems).
`.trim()

/** The OpenAPI 3.1 document of all routes that are registered after it, and of our `webhooks`. */
export async function addOpenApi(
  app: FastifyInstance,
  publicUrl: string,
  webhooks: Record<string, object>
): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'One-Off Payments',
        version: '1.0.0',
        description,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' }
      },
      servers: [{ url: publicUrl }],
      security: [{ apiKey: [] }],
      tags: [
        { name: 'Payments', description: 'Take a payment and learn its outcome' },
        { name: 'Refunds', description: 'Give money back, with approval where it is large' },
        { name: 'Accounts', description: 'What customers owe, and what paid it' },
        { name: 'Cards', description: 'Registered cards of an account' },
        { name: 'Outcomes', description: 'All events, read or sent' },
        { name: 'Webhooks', description: 'Have every event sent to you, signed' },
        { name: 'Reconciliation', description: 'What the payment provider reported' },
        { name: 'Settlement', description: 'What the provider settled, and what disagrees' },
        { name: 'Postings', description: 'What the billing system posts, and what it rejects' },
        { name: 'Health', description: 'For load balancers' }
      ],
      webhooks,
      components: {
        securitySchemes: {
          apiKey: { type: 'http', scheme: 'bearer', description: 'The key of an API client' }
        }
      }
    },
    transform: ({ schema, url, route }) => ({ schema: withConfig(schema, route), url }),
    transformObject: (made) => shareParts('openapiObject' in made ? made.openapiObject : made),
    convertConstToEnum: false,
    refResolver: { buildLocalReference: (json, _, __, place) => String(json.$id ?? `def-${place}`) }
  })
}

/** The schema of a route, with what its configuration adds to the document. */
function withConfig(schema: FastifySchema = {}, route: RouteOptions): FastifySchema {
  const { problems, scope, etag, idempotent, precondition, csv } = route.config ?? {}
  const headers = structuredClone(schema.headers ?? { type: 'object', properties: {} }) as Headers
  const response = { ...(schema.response as Record<string, object>) }
  if (etag) {
    headers.properties['if-none-match'] = { type: 'string', description: 'The last ETag' }
    response[304] = { type: 'null', description: 'Not changed since that ETag' }
  }
  if (precondition) {
    const description = 'Only if the resource still has this ETag'
    headers.properties['if-match'] = { type: 'string', description }
  }
  if (csv !== undefined) response[200] = withCsv(response[200] ?? {}, Object.keys(csv))
  // Not a matter of validation, so that its lack has a code of its own.
  if (idempotent) {
    headers.properties['idempotency-key'] = { type: 'string', description: keyDescription }
    headers.required = ['idempotency-key']
  }
  const refused = toProblemReplies([
    ...everyRoute,
    ...(scope === undefined ? [] : withScope),
    ...(route.method === 'GET' ? withAccept(scope) : withBody),
    ...(idempotent ? keyProblems : []),
    ...(scope === undefined || route.method === 'GET' ? [] : withIfMatch),
    ...(problems ?? [])
  ])
  const needed = scope === undefined ? '' : ` Scope: \`${scope}\`.`
  return {
    ...schema,
    description: `${schema.description ?? ''}${needed}`.trim(),
    headers,
    response: { ...response, ...(problems && refused) }
  }
}

/** The same as CSV: all that matches, and not a page of it. */
function withCsv(schema: object, columns: readonly string[]): object {
  const description =
    'RFC 4180, from the first row to the last whatever `limit` says; amounts are minor units'
  const example = `${columns.join(',')}\r\n`
  return {
    content: {
      'application/json': { schema },
      'text/csv': { schema: { type: 'string', description, examples: [example] } }
    }
  }
}

const keyDescription =
  'Yours, a fresh one for each new intention: 1 to 255 visible ASCII characters. It is kept 30 days'
const keyProblems: ProblemCode[] = ['idempotency_key_missing', 'idempotency_key_reused']

type Headers = { properties: Record<string, object>; required?: string[] }

/** What may go wrong with any route, with one that needs a key, and with one that has a body. */
const everyRoute: ProblemCode[] = [
  'request_invalid',
  'request_timeout',
  'headers_too_large',
  'internal_error',
  'overloaded'
]
const withScope: ProblemCode[] = [
  'unauthenticated',
  'scope_missing',
  'card_number_refused',
  'rate_limited'
]
const withAccept = (scope: unknown): ProblemCode[] =>
  scope === undefined ? [] : ['not_acceptable']
/** Of what has an ETag and of what has none: see addETags(). */
const withIfMatch: ProblemCode[] = ['precondition_failed']
const withBody: ProblemCode[] = ['body_too_large', 'content_type_unsupported']

/** The responses for these problems by status: their codes, which shareParts() writes out. */
function toProblemReplies(codes: readonly ProblemCode[]): Record<string, unknown> {
  const byStatus = Map.groupBy(new Set(codes), (code) => problems[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, some]) => {
      const examples = Object.fromEntries(some.map((code) => [code, {}]))
      const schema = { $ref: 'Problem#' }
      return [status, { content: { 'application/problem+json': { schema, examples } } }]
    })
  )
}

/** Interactive docs, the document itself, and a page with the cause and cure of each problem. */
export async function addDocs(app: FastifyInstance, sandbox: boolean): Promise<void> {
  const isPublic = { schema: { hide: true }, config: { etag: true } }
  app.get('/docs/problems', isPublic, async (_, reply) =>
    reply.headers({ ...pageHeaders, 'cache-control': 'public, max-age=300' }).send(problemsPage)
  )
  let document: { text: string; etag: string } | undefined
  app.get('/openapi.json', isPublic, async (_, reply) => {
    document ??= withETag(showUnseen(JSON.stringify(app.swagger())))
    const { text, etag } = document
    return reply
      .type('application/json; charset=utf-8')
      .headers({ etag, 'cache-control': 'public, max-age=300' })
      .send(text)
  })
  addReference(app, sandbox)
}

/**
 * The reference that people read. It asks nobody but this service: no fonts, no telemetry, no
 * assistant. Only its own script may run.
 */
function addReference(app: FastifyInstance, sandbox: boolean): void {
  // Its script has 5 MB, which most instances are never asked for.
  let reference: ReturnType<typeof loadReference> | undefined
  const config = { schema: { hide: true }, config: { etag: true } }
  app.get('/docs', config, async (_, reply) => reply.redirect('/docs/', 301))
  for (const name of ['page', 'script'] as const) {
    app.get(referencePaths[name], config, async (_, reply) => {
      reference ??= loadReference(sandbox).catch((error) => {
        reference = undefined
        throw error
      })
      const { headers, text } = (await reference)[name]
      return reply.headers({ ...headers, 'cache-control': 'public, max-age=300' }).send(text)
    })
  }
}
const referencePaths = { page: '/docs/', script: '/docs/js/scalar.js' } as const

async function loadReference(sandbox: boolean) {
  const { default: reference } = await import('@scalar/fastify-api-reference')
  const docs = fastify()
  await docs.register(reference, {
    routePrefix: '/docs',
    configuration: {
      url: '/openapi.json',
      pageTitle: 'One-Off Payments',
      withDefaultFonts: false,
      telemetry: false,
      agent: { disabled: true },
      mcp: { disabled: true },
      hideClientButton: true,
      showDeveloperTools: 'never',
      // A browser keeps the key of the sandbox alone.
      persistAuth: sandbox,
      defaultHttpClient: { targetKey: 'shell', clientKey: 'curl' }
    }
  })
  const page = await docs.inject(referencePaths.page)
  const script = await docs.inject(referencePaths.script)
  // The last script of the page starts the other one, which is a file.
  const begin = page.body.indexOf('>', page.body.lastIndexOf('<script')) + 1
  const inline = page.body.slice(begin, page.body.lastIndexOf('</script>'))
  const headers = {
    'content-type': page.headers['content-type'],
    'content-security-policy': policyOf(hash('sha256', inline, 'base64'))
  }
  return {
    page: { headers, text: page.body.replace('<head>', `<head>${noIcon}`) },
    script: { headers: { 'content-type': script.headers['content-type'] }, text: script.body }
  }
}

/** Without it a browser asks for /favicon.ico, which nobody has. */
const noIcon = '<link rel="icon" href="data:,">'

/** Styles are written by the script, element by element. */
function policyOf(inlineScript: string): string {
  return [
    "default-src 'none'",
    `script-src 'self' 'sha256-${inlineScript}'`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'"
  ].join('; ')
}

function withETag(text: string) {
  return { text, etag: etagOf(text) }
}

const problemsPage = toPage(
  'en',
  'Problems of One-Off Payments',
  `<p>Every error has one of these codes in <code>code</code>; its meaning never changes.</p>
${Object.entries(problems)
  .map(
    ([code, { status, title, cause, cure }]) => `
<h2 id="${code}"><code>${code}</code> ${status}</h2>
<p><strong>${escapeHtml(title)}.</strong></p>
<p>Cause: ${escapeHtml(cause)}</p>
<p>Cure: ${escapeHtml(cure)}</p>`
  )
  .join('\n')}`
)

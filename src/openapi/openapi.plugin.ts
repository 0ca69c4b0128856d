import { hash } from 'node:crypto'
import swagger from '@fastify/swagger'
import { type FastifyInstance, type FastifySchema, fastify, type RouteOptions } from 'fastify'
import { escapeHtml, pageHeaders, toPage } from '../html.ts'
import { etagOf } from '../http/precondition.ts'
import { type ErrorForm, problemForm } from '../problem.ts'
import { type ProblemCode, problems } from '../problems/problems.ts'
import { type SchemaNames, shareParts, showUnseen } from './openapi-document.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What this route may answer besides what every route may. */
    problems?: ProblemCode[]
    /** The parameters of a query that the route reads by itself: for the document alone. */
    documentedQuery?: object
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

**Guides**, from a first payment to going live, are at [/docs/guides](/docs/guides).
`.trim()

/** An OpenAPI document of some of our routes. */
export type ApiDocument = {
  /** Its file in openapi/. */
  file: string
  /** Where it is served. */
  path: string
  /** What the paths of its routes begin with. */
  under: string
  info: { title: string; version: string; description: string }
  tags: Array<{ name: string; description: string }>
  webhooks?: Record<string, object>
  errors: ErrorForm
  schemas: SchemaNames
}

/** The document of all routes that no other document has. */
export function mainDocument(webhooks: Record<string, object>): ApiDocument {
  return {
    file: 'payments.v1.yaml',
    path: '/openapi.json',
    under: '/',
    info: { title: 'One-Off Payments', version: '1.0.0', description },
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
    errors: problemForm,
    schemas: { others: /^Tmf/, prefix: '' }
  }
}

/**
 * OpenAPI 3.1 of all routes that are registered after it. A route is in the first document that
 * its path fits; `documentOf` makes each once the app is ready.
 */
export async function addOpenApi(
  app: FastifyInstance,
  publicUrl: string,
  documents: readonly ApiDocument[]
): Promise<void> {
  for (const document of documents) {
    const { info, tags, webhooks, errors, schemas } = document
    const isOwn = (url: string) => documents.find(({ under }) => url.startsWith(under)) === document
    await app.register(swagger, {
      decorator: decoratorOf(document) as 'swagger',
      openapi: {
        openapi: '3.1.0',
        info: { ...info, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
        servers: [{ url: publicUrl }],
        security: [{ apiKey: [] }, { accessToken: [] }],
        tags,
        ...(webhooks && { webhooks }),
        components: {
          securitySchemes: {
            apiKey: { type: 'http', scheme: 'bearer', description: 'The key of an API client' },
            accessToken
          }
        }
      },
      transform: ({ schema, url, route }) => ({
        schema: isOwn(url) ? withConfig(schema, route) : { hide: true },
        url
      }),
      transformObject: (made) =>
        shareParts('openapiObject' in made ? made.openapiObject : made, errors, schemas),
      convertConstToEnum: false,
      refResolver: {
        buildLocalReference: (json, _, __, place) => String(json.$id ?? `def-${place}`)
      }
    })
  }
}

const accessToken = {
  ...({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } as const),
  description:
    'An access token (RFC 9068) of the issuer that `GET /.well-known/oauth-protected-resource` ' +
    'names, where the service has one; its `scope` narrows what the client may do'
}

const decoratorOf = ({ file }: ApiDocument) => `document ${file}`

export function documentOf(app: FastifyInstance, document: ApiDocument): object {
  return app.getDecorator<() => object>(decoratorOf(document))()
}

/** The schema of a route, with what its configuration adds to the document. */
function withConfig(schema: FastifySchema = {}, route: RouteOptions): FastifySchema {
  const { problems, scope, etag, idempotent, precondition, csv, page } = route.config ?? {}
  const { documentedQuery: querystring = schema.querystring } = route.config ?? {}
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
  if (page) response[200] = withOther(response[200] ?? {}, 'text/html', pageSchema)
  // Not a matter of validation, so that its lack has a code of its own.
  if (idempotent) {
    headers.properties['idempotency-key'] = { type: 'string', description: keyDescription }
    headers.required = ['idempotency-key']
  }
  const refused = toProblemReplies([
    ...(scope === undefined ? [] : [...everyRoute, ...withScope]),
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
    ...(querystring !== undefined && { querystring }),
    response: { ...response, ...(problems && refused) }
  }
}

/** The same as CSV: all that matches, and not a page of it. */
function withCsv(schema: object, columns: readonly string[]): object {
  const description =
    'RFC 4180, from the first row to the last whatever `limit` says; amounts are minor units'
  const example = `${columns.join(',')}\r\n`
  return withOther(schema, 'text/csv', { type: 'string', description, examples: [example] })
}

const pageSchema = {
  type: 'string',
  description: 'A page for people, without scripts',
  examples: ['<!doctype html>\n']
}

function withOther(schema: object, type: string, other: object): object {
  return { content: { 'application/json': { schema }, [type]: { schema: other } } }
}

const keyDescription =
  'Yours, a fresh one for each new intention: 1 to 255 visible ASCII characters. It is kept 30 ' +
  'days, or for as long as the operator says, 7 at least'
const keyProblems: ProblemCode[] = ['idempotency_key_missing', 'idempotency_key_reused']

type Headers = { properties: Record<string, object>; required?: string[] }

/** What may go wrong with whatever needs a key, and with what has a body. */
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
  'rate_limited',
  'issuer_unavailable'
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

/** Interactive docs, the documents, and a page with the cause and cure of each problem. */
export async function addDocs(
  app: FastifyInstance,
  sandbox: boolean,
  documents: readonly ApiDocument[]
): Promise<void> {
  const isPublic = { schema: { hide: true }, config: { etag: true } }
  app.get('/docs/problems', isPublic, async (_, reply) =>
    reply.headers({ ...pageHeaders, 'cache-control': 'public, max-age=300' }).send(problemsPage)
  )
  for (const document of documents) {
    let made: { text: string; etag: string } | undefined
    app.get(document.path, isPublic, async (_, reply) => {
      made ??= withETag(showUnseen(JSON.stringify(documentOf(app, document))))
      const { text, etag } = made
      return reply
        .type('application/json; charset=utf-8')
        .headers({ etag, 'cache-control': 'public, max-age=300' })
        .send(text)
    })
  }
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

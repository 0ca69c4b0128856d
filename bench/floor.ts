/**
 * The floor: what each operation costs where nothing but its promise is kept, by a statement for
 * each access of each request. It is a measure and no bound: requests of the same moment may share
 * a statement and a commit, which it does not do. Bare Fastify with compiled schemas, a
 * node-postgres pool of 10, named statements, the same bodies in and the same fields out.
 *
 * - create: one statement writes payment, key (a column under a unique index), event and outbox
 *   row; then one call to the provider over a kept connection, under an idempotency key, with no
 *   database connection held; then one guarded update. Commits are durable.
 * - read: one select by id and client.
 * - webhook in: one HMAC-SHA256; one statement writes inbox row (or nothing, for a repetition), the
 *   payment's new status, event and outbox row.
 *
 * It has no authentication, no log, no stored replies, no metrics, no rate limits, no foreign keys,
 * no ledger and no state machine; a repeated key is refused and not answered again, and nobody
 * finishes interrupted work. The call to the provider is node:http with an agent that keeps its
 * connections, 50 µs of CPU a call; Node's own `fetch` costs 170.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { fastify } from 'fastify'
import pg from 'pg'
import { createBody, paymentReply, webhookBody } from './floor.schema.ts'
import { merchantAccount } from './operations.ts'

type Row = Record<string, unknown> & { id: string; checkout_url: string | null }

type CreateBody = {
  accountId: string
  amount: { currency: string; value: number }
  channel: string
  returnUrl: string
  reference?: string
}

type WebhookBody = { notificationItems: [{ NotificationRequestItem: Item }] }
type Item = {
  pspReference: string
  merchantAccountCode: string
  merchantReference: string
  amount: { currency: string; value: number }
  eventCode: string
  success: string
  additionalData: { hmacSignature: string }
}

/** The one client that there is. */
const clientId = 'bench'

const createText = `
  with created as (
    insert into payment (client_id, idempotency_key, account_id, currency, amount, channel,
      return_url, reference)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (client_id, idempotency_key) do nothing
    returning *
  ), event as (
    insert into payment_event (payment_id, type, data)
    select id, 'payment.created', '{}' from created
    returning id
  ), queued as (
    insert into outbox (event_id) select id from event
  )
  select * from created`

const openText = `
  update payment set status = 'pending', provider_session = $2, checkout_url = $3
  where id = $1 and status = 'creating'`

const readText = `
  select id, account_id, currency, amount, channel, method, status, failure, checkout_url,
    expires_at, card, capture, amount_captured, amount_refunded, amount_charged_back, reference,
    description, metadata, operator, authorisation, created_at, updated_at, finished_at
  from payment where id = $1 and client_id = $2`

const webhookText = `
  with received as (
    insert into inbox (fact, item) values ($1, $2) on conflict (fact) do nothing returning id
  ), paid as (
    update payment set status = 'captured', authorisation = $4, amount_captured = amount,
      updated_at = now(), finished_at = now()
    where id = $3 and status = 'pending' and exists (select from received)
    returning id
  ), event as (
    insert into payment_event (payment_id, type, data) select id, 'payment.captured', '{}' from paid
    returning id
  )
  insert into outbox (event_id) select id from event`

const { FLOOR_DATABASE_URL, FLOOR_PROVIDER_URL = '', FLOOR_HMAC_KEY = '' } = process.env
const pool = new pg.Pool({ connectionString: FLOOR_DATABASE_URL, max: 10 })
const hmacKey = Buffer.from(FLOOR_HMAC_KEY, 'hex')
const agent = new http.Agent({ keepAlive: true, maxSockets: 256 })
const provider = new URL(FLOOR_PROVIDER_URL)
const app = fastify()

app.post<{ Body: CreateBody }>(
  '/v1/payments',
  { schema: { body: createBody, response: { 201: paymentReply } } },
  async (request, reply) => {
    const { accountId, amount, channel, returnUrl, reference = null } = request.body
    const key = request.headers['idempotency-key']
    const created = await pool.query<Row>({
      name: 'create',
      text: createText,
      values: [
        ...[clientId, key, Number(accountId), amount.currency, amount.value],
        ...[channel, returnUrl, reference]
      ]
    })
    const [row] = created.rows
    if (row === undefined) return reply.code(409).send()
    const session = await openSession(row.id, request.body)
    await pool.query({ name: 'open', text: openText, values: [row.id, session.id, session.url] })
    return reply.code(201).send(toView({ ...row, status: 'pending', checkout_url: session.url }))
  }
)

app.get<{ Params: { id: string } }>(
  '/v1/payments/:id',
  { schema: { response: { 200: paymentReply } } },
  async (request, reply) => {
    const values = [request.params.id, clientId]
    const { rows } = await pool.query<Row>({ name: 'read', text: readText, values })
    return rows[0] === undefined ? reply.code(404).send() : toView(rows[0])
  }
)

app.post<{ Body: WebhookBody }>(
  '/webhooks/adyen',
  { schema: { body: webhookBody } },
  async (request, reply) => {
    const item = request.body.notificationItems[0].NotificationRequestItem
    if (!isSigned(item)) return reply.code(401).send()
    const { pspReference, eventCode, success, merchantReference } = item
    const fact = `${pspReference}:${eventCode}:${success}`
    const values = [fact, JSON.stringify(item), merchantReference, pspReference]
    await pool.query({ name: 'webhook', text: webhookText, values })
    return reply.code(202).send('[accepted]')
  }
)

function isSigned(item: Item): boolean {
  const { pspReference, merchantAccountCode, merchantReference, amount, eventCode, success } = item
  const text =
    `${pspReference}::${merchantAccountCode}:${merchantReference}:` +
    `${amount.value}:${amount.currency}:${eventCode}:${success}`
  const expected = createHmac('sha256', hmacKey).update(text).digest()
  const given = Buffer.from(item.additionalData.hmacSignature, 'base64')
  return given.length === expected.length && timingSafeEqual(given, expected)
}

/** Asks the stub for a session, as Adyen's API has it. */
function openSession(id: string, body: CreateBody): Promise<{ id: string; url: string }> {
  const text = JSON.stringify({
    merchantAccount,
    amount: body.amount,
    reference: id,
    returnUrl: `http://127.0.0.1/return/${id}`,
    mode: 'hosted'
  })
  return new Promise((resolve, reject) => {
    const call = http.request({
      agent,
      host: provider.hostname,
      port: provider.port,
      path: '/v72/sessions',
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
        'x-api-key': 'bench',
        'idempotency-key': id
      }
    })
    call.on('error', reject)
    call.on('response', (response) => {
      let answer = ''
      response.setEncoding('utf8')
      response.on('data', (part) => {
        answer += part
      })
      response.on('error', reject)
      response.on('end', () => resolve(JSON.parse(answer)))
    })
    call.end(text)
  })
}

function toView(row: Row) {
  return {
    id: row.id,
    accountId: String(row.account_id),
    amount: { currency: row.currency, value: row.amount },
    channel: row.channel,
    method: row.method,
    status: row.status,
    finished: row.finished_at !== null,
    failure: row.failure,
    checkout:
      row.status === 'pending' ? { url: row.checkout_url, expiresAt: row.expires_at } : null,
    card: row.card,
    capture: row.capture,
    amountCaptured: row.amount_captured,
    amountRefunded: row.amount_refunded,
    amountChargedBack: row.amount_charged_back,
    amountRefundable: row.amount_captured,
    reference: row.reference,
    description: row.description,
    metadata: row.metadata,
    operator: row.operator,
    provider: { name: 'adyen', reference: row.authorisation },
    settlement: null,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    finishedAt: row.finished_at
  }
}

/** For the balancer. */
app.get('/health/ready', (_, reply) => reply.code(200).send())

await app.listen({ port: 0, host: '127.0.0.1' })
process.send?.({ port: (app.server.address() as AddressInfo).port })
process.on('disconnect', () => process.exit(0))

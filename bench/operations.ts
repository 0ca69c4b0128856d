/** What is measured, and the requests of it: the same bytes for both servers, but for the ids. */
import { createHmac } from 'node:crypto'

/** `replay` sends creates again under their keys; `list` asks for one page. */
export type Operation = 'create' | 'read' | 'webhook' | 'replay' | 'list'

/**
 * `floor` is bare Fastify and node-postgres, `service` this project, `against` another commit of it.
 */
export type ServerName = 'floor' | 'service' | 'against'

export const merchantAccount = 'BenchMerchant'
export const returnOrigin = 'https://selfcare.example'

/** Work is spread over so many accounts; the first has this number. */
export const accountCount = 1_000
export const firstAccount = 10_000_000

/** Seeded payments that are read and listed, and the number of the first. */
export const readableCount = 20_000
export const firstReadable = 1

/** What a load client is to do in one round. */
export type Plan = {
  operation: Operation
  server: ServerName
  port: number
  connections: number
  seconds: number
  /** The number of the first request; no two rounds of a run share one. */
  first: number
  /** Requests at most: as many as there are payments to be paid. */
  most: number
  /** How long a connection rests after each answer, ms; by default it does not. */
  restMs?: number
  /** And after it was refused with 503. */
  refusedRestMs?: number
  /** Of a list: the page. */
  path?: string
  /** The API key of the service; the floor has none and does not look at it. */
  apiKey: string
  /** 64 hex digits. */
  hmacKey: string
}

/** The id of the seeded payment of that number, as the seed in `targets.ts` makes it. */
export function seededId(server: ServerName, n: number): string {
  const hex = n.toString(16)
  return server === 'floor'
    ? `00000000-0000-7000-8000-${hex.padStart(12, '0')}`
    : `pay_${hex.padStart(16, '0')}`
}

export function seededAccount(n: number): number {
  return firstAccount + (n % accountCount)
}

/** Minor units; no two payments of an account have the same within a run. */
export function seededAmount(n: number): number {
  return 100 + n
}

/** The n-th request of a plan, as HTTP/1.1 has it; ASCII only. */
export function toRequest(plan: Plan, n: number): string {
  switch (plan.operation) {
    case 'create':
      return toCreate(plan, n)
    case 'replay':
      return toCreate(plan, plan.first + ((n - plan.first) % replayed))
    case 'read':
      return toRead(plan, n)
    case 'list':
      return get(plan, plan.path ?? '/v1/payments')
    case 'webhook':
      return toWebhook(plan, n)
  }
}

/** So many payments are made before a replay. */
export const replayed = 500

function toCreate({ port, apiKey }: Plan, n: number): string {
  const body = JSON.stringify({
    accountId: String(seededAccount(n)),
    amount: { currency: 'GBP', value: seededAmount(n) },
    channel: 'selfcare',
    returnUrl: `${returnOrigin}/paid?basket=${n}`,
    reference: `basket-${n}`
  })
  const headers = `authorization: Bearer ${apiKey}\r\nidempotency-key: bench-${n}\r\n`
  return post('/v1/payments', port, headers, body)
}

/** A prime step, so that neighbours in time are no neighbours on disk. */
const readStep = 7_919

function toRead(plan: Plan, n: number): string {
  const id = seededId(plan.server, firstReadable + ((n * readStep) % readableCount))
  return get(plan, `/v1/payments/${id}`)
}

/** A GET, as HTTP/1.1 has it; `headers` end with line breaks. */
export function get(
  { port, apiKey }: Pick<Plan, 'port' | 'apiKey'>,
  path: string,
  headers = ''
): string {
  return (
    `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${headers}` +
    `authorization: Bearer ${apiKey}\r\n\r\n`
  )
}

/** A success of the payment of that number, as Adyen sends and signs it. */
function toWebhook({ server, port, hmacKey }: Plan, n: number): string {
  const pspReference = `BENCH${n.toString(36).toUpperCase().padStart(11, '0')}`
  const merchantReference = seededId(server, n)
  const value = seededAmount(n)
  const signed =
    `${pspReference}::${merchantAccount}:${merchantReference}:` + `${value}:GBP:AUTHORISATION:true`
  const hmacSignature = createHmac('sha256', Buffer.from(hmacKey, 'hex'))
    .update(signed)
    .digest('base64')
  const item = {
    additionalData: { hmacSignature, expiryDate: '03/2030', cardSummary: '1111' },
    amount: { currency: 'GBP', value },
    eventCode: 'AUTHORISATION',
    eventDate: '2026-01-01T12:00:00+01:00',
    merchantAccountCode: merchantAccount,
    merchantReference,
    operations: ['CANCEL', 'CAPTURE', 'REFUND'],
    paymentMethod: 'visa',
    pspReference,
    reason: '033899:1111:03/2030',
    success: 'true'
  }
  const body = JSON.stringify({
    live: 'false',
    notificationItems: [{ NotificationRequestItem: item }]
  })
  return post('/webhooks/adyen', port, '', body)
}

function post(path: string, port: number, headers: string, body: string): string {
  return (
    `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${headers}` +
    `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  )
}

/** Whether the text holds all of an answer; every server here tells its length. */
export function isWhole(answer: string): boolean {
  const headEnd = answer.indexOf('\r\n\r\n')
  if (headEnd < 0) return false
  const length = /\r\ncontent-length: *(\d+)/i.exec(answer)?.[1]
  if (length === undefined) throw new Error(`no content-length: ${answer.slice(0, headEnd)}`)
  return answer.length >= headEnd + 4 + Number(length)
}

/**
 * Another service of the billing platform, beside the sandbox: `npm run example:consumer`. It is
 * told of events by webhook, reads from the feed what it missed, takes each once, and posts what
 * payments moved. HOOK_PORT is where it listens, JOURNAL the file of what it must not forget.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import {
  PaymentsError,
  verifyWebhook,
  type WebhookEvent,
  WebhookVerificationError
} from '../../clients/typescript/src/index.ts'
import { connect } from '../connect.ts'
import { openJournal } from './journal.ts'

const { HOOK_PORT = '4010', SANDBOX_DIR = '.sandbox' } = process.env
const { JOURNAL = `${SANDBOX_DIR}/consumer.jsonl` } = process.env
const url = `http://127.0.0.1:${HOOK_PORT}/`
/** Postings become known a moment after their event: so often they are looked for, ms. */
const postEveryMs = 1_000
/** Webhooks may stay away altogether: so often the feed is looked at without one, ms. */
const catchUpEveryMs = 60_000
const largestBody = 1024 * 1024

const client = await connect(process.env)
const journal = openJournal(JOURNAL)
const say = (text: string) => console.log(text)
/** Whether the feed may have what is not here. */
let isBehind = true
let wake = () => {}

/** What this service is for; after a crash it is done again, so twice must do no harm. */
function work({ id, type, accountId, data }: WebhookEvent): void {
  const payment = 'payment' in data ? data.payment : undefined
  const state = payment && `: ${payment.id} of account ${accountId} is ${payment.status}`
  say(`${id} ${type}${state ?? ''}`)
}

function workOff(): void {
  for (const event of journal.open()) {
    work(event)
    journal.write({ done: event.id })
  }
}

/** What happened while this was down, or no webhook told of. */
async function catchUp(): Promise<void> {
  const { position: after } = journal.last
  for await (const { data, nextCursor } of client.feed({ after, waitS: 0 })) {
    const missed = data.filter((event) => journal.take(event)).length
    journal.write({ position: nextCursor })
    say(`feed: ${missed} of ${data.length} events were missed`)
    workOff()
  }
}

/** Posts what the accounts of customers moved by, oldest first, and says so. */
async function post(): Promise<void> {
  const query = { status: 'open', limit: 100 } as const
  for await (const posting of client.list('/v1/postings', { query })) {
    const { id, kind, direction, amount, accountId } = posting
    say(`${id} posted, ${kind}: ${direction} ${amount.value} ${amount.currency} to ${accountId}`)
    await client.post('/v1/postings/{id}/acknowledgement', {
      path: { id },
      body: { outcome: 'posted' },
      idempotencyKey: `posted.${id}`
    })
  }
}

/** Writes the event down; it is worked off after the answer. */
function receive(event: WebhookEvent): void {
  const isNew = journal.take(event)
  if (!isNew) say(`${event.id} came again`)
  if (isNew && journal.hasGap(event)) {
    say(`${event.id} is number ${event.sequence} of its payment, and an earlier one is missing`)
    isBehind = true
  }
  wake()
}

const server = createServer(async (request, response) => {
  const answer = (status: number) => response.writeHead(status).end()
  const { endpoint } = journal.last
  if (request.method !== 'POST' || endpoint === undefined) return answer(404)
  if (!(Number(request.headers['content-length']) <= largestBody)) return answer(413)
  try {
    receive(verifyWebhook(endpoint.secret, request.headers, await buffer(request)))
    answer(204)
  } catch (error) {
    say(String(error))
    // Either way it comes again, if it is from the service.
    answer(error instanceof WebhookVerificationError ? 400 : 500)
  }
})

/** The endpoint of the last start, enabled where it was disabled meanwhile; else a new one. */
async function register(): Promise<void> {
  const { endpoint } = journal.last
  try {
    const body = { url, status: 'enabled' } as const
    const path = { id: endpoint?.id ?? 'none' }
    await client.patch('/v1/webhook-endpoints/{id}', { path, body })
  } catch (error) {
    if (!(error instanceof PaymentsError) || error.status !== 404) throw error
    // After a crash the same key leads to the same endpoint, and to its secret.
    const before = journal.last.registering
    const registering = before?.url === url ? before : { url, key: crypto.randomUUID() }
    if (registering !== before) journal.write({ registering })
    const { id, secret } = await client.post('/v1/webhook-endpoints', {
      idempotencyKey: registering.key,
      body: { url, events: ['*'], description: 'examples/consumer' }
    })
    journal.write({ endpoint: { id, secret } })
  }
}

// All that counts is in the journal at any moment.
process.once('SIGTERM', () => process.exit())
await once(server.listen(Number(HOOK_PORT), '127.0.0.1'), 'listening')
// Before the first look at the feed: what happens in between comes by webhook.
await register()
say(`listening at ${url}`)
setInterval(() => wake(), postEveryMs)
setInterval(() => {
  isBehind = true
}, catchUpEveryMs)
for (;;) {
  const woken = new Promise<void>((resolve) => {
    wake = resolve
  })
  try {
    workOff()
    const wasBehind = isBehind
    isBehind = false
    if (wasBehind) await catchUp()
    await post()
  } catch (error) {
    isBehind = true
    say(`not now: ${error}`)
  }
  await woken
}

/** The check of webhooks, against what signs them here and the SDKs of both formats. */
import { CloudEvent, HTTP } from 'cloudevents'
import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { verifyWebhook, WebhookVerificationError } from '../../clients/typescript/src/index.ts'
import { newSecret, toSignedHeaders } from '../../src/webhooks/webhook-signature.ts'

const secret = newSecret()
const event = {
  id: 'evt_06f1k2m3n4p5q6r7',
  type: 'webhookEndpoint.test',
  createdAt: '2026-11-22T10:00:00.000Z',
  ...{ accountId: null, paymentId: null, sequence: null },
  data: { note: '£ 25, ✓' }
}
const body = JSON.stringify(event)
const at = new Date('2026-11-22T10:00:01Z')
const contentType = 'application/json'
const now = at.getTime()
const headers = toSignedHeaders({ id: event.id, contentType, body, at }, [secret])

t.test('a message signed here is genuine, however its headers and body are held', async (t) => {
  const forms = [
    headers,
    new Headers(headers),
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]))
  ]
  for (const form of forms) {
    t.same(verifyWebhook(secret, form, body, { now }), event)
    t.same(verifyWebhook(secret, form, Buffer.from(body), { now }), event)
    t.same(verifyWebhook(secret.slice('whsec_'.length), form, body, { now }), event)
  }
})

t.test('while a secret rotates, either end may have both', async (t) => {
  const next = newSecret()
  const both = toSignedHeaders({ id: event.id, contentType, body, at }, [next, secret])
  t.same(verifyWebhook(secret, both, body, { now }), event)
  t.same(verifyWebhook([next, secret], headers, body, { now }), event)
  const odd = { ...headers, 'webhook-signature': `v1a,AAAA ${headers['webhook-signature']} v2,x` }
  t.same(verifyWebhook(secret, odd, body, { now }), event)
})

t.test('what the library of Standard Webhooks signs is genuine', async (t) => {
  const sentAt = new Date()
  const sent = {
    'webhook-id': event.id,
    'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(event.id, sentAt, body)
  }
  t.same(verifyWebhook(secret, sent, body), event)
})

t.test('the event within a CloudEvent of structured mode is answered', async (t) => {
  const message = HTTP.structured(
    new CloudEvent({ id: event.id, source: 'https://payments.example', type: 'x', data: event })
  )
  const text = String(message.body)
  const signed = {
    ...toSignedHeaders({ id: event.id, contentType, body: text, at }, [secret]),
    'content-type': 'application/cloudevents+json'
  }
  t.same(verifyWebhook(secret, signed, text, { now }), event)
})

t.test('what is not genuine is refused', async (t) => {
  const old = { now: now + 301_000 }
  const early = { now: now - 302_000 }
  const change = (name: string, value: string | undefined) => ({ ...headers, [name]: value })
  const signedWith = (text: string) =>
    toSignedHeaders({ id: event.id, contentType, body: text, at }, [secret])
  const refusals: ReadonlyArray<readonly [() => unknown, RegExp]> = [
    [() => verifyWebhook(newSecret(), headers, body, { now }), /no signature/],
    [() => verifyWebhook([], headers, body, { now }), /no signature/],
    [() => verifyWebhook(secret, headers, `${body} `, { now }), /no signature/],
    [() => verifyWebhook(secret, change('webhook-id', 'evt_other'), body, { now }), /no signature/],
    [
      () => verifyWebhook(secret, change('webhook-signature', 'v1,'), body, { now }),
      /no signature/
    ],
    [() => verifyWebhook(secret, change('webhook-id', undefined), body, { now }), /webhook-id is/],
    [() => verifyWebhook(secret, change('webhook-timestamp', '1e9'), body, { now }), /no time/],
    [() => verifyWebhook(secret, headers, body, old), /300 s/],
    [() => verifyWebhook(secret, headers, body, early), /300 s/],
    [() => verifyWebhook(secret, headers, body), /300 s/],
    [() => verifyWebhook(secret, signedWith('{'), '{', { now }), /not JSON/],
    [() => verifyWebhook(secret, signedWith('null'), 'null', { now }), /no event/]
  ]
  for (const [verify, reason] of refusals) {
    t.throws(verify, { message: reason } as never, String(reason))
    t.throws(verify, WebhookVerificationError)
  }
  t.throws(() => verifyWebhook('whsec_', headers, body, { now }), TypeError, 'not a secret at all')
})

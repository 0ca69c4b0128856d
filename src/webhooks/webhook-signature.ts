/** What Standard Webhooks asks of a message (github.com/standard-webhooks/standard-webhooks). */
import { randomBytes } from 'node:crypto'
import { Webhook } from 'standardwebhooks'

const secretBytes = 32

/** A secret of 256 random bits. */
export function newSecret(): string {
  return `whsec_${randomBytes(secretBytes).toString('base64')}`
}

/**
 * The headers of a message. Its id stays the same however often it is sent, so that a consumer
 * takes it once; each secret signs it.
 */
export function toSignedHeaders(
  message: { id: string; contentType: string; body: string; at: Date },
  secrets: readonly string[]
): Record<string, string> {
  const { id, contentType, body, at } = message
  return {
    'content-type': contentType,
    'user-agent': 'one-off-payments-webhooks/1',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(' ')
  }
}

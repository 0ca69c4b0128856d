import { createHmac } from 'node:crypto'

/** HMAC-SHA256 of the raw body with the bytes of the token webhooks' own key, in base64. */
export function tokenSignature(body: string, hexKey: string): string {
  return createHmac('sha256', Buffer.from(hexKey, 'hex')).update(body).digest('base64')
}

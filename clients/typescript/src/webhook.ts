/** What a receiver of webhooks checks before anything else (Standard Webhooks, CloudEvents). */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { WebhookEvent } from './openapi.ts'

/** Why a message was not taken: answer it 400, and do nothing of what it says. */
export class WebhookVerificationError extends Error {
  override readonly name = 'WebhookVerificationError'
}

/** Of Fetch, of node:http, or any object of names and values. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | string[] | undefined>>

export type VerifyOptions = {
  /** How far the clocks of sender and receiver may be apart, s: 300. */
  toleranceS?: number
  /** The present, ms since 1970. */
  now?: number
}

/**
 * The event of a genuine message; throws a WebhookVerificationError for any other. `rawBody` is the
 * body as it came, before anything parses it. Several secrets are for the time of a rotation. An
 * endpoint of format `cloudevents` needs nothing else: the event is what the CloudEvent carries.
 *
 * Each event comes at least once: take each `id` once.
 */
export function verifyWebhook(
  secrets: string | readonly string[],
  headers: WebhookHeaders,
  rawBody: string | Uint8Array,
  { toleranceS = 300, now = Date.now() }: VerifyOptions = {}
): WebhookEvent {
  const id = headerOf(headers, 'webhook-id')
  const timestamp = headerOf(headers, 'webhook-timestamp')
  const signatures = headerOf(headers, 'webhook-signature')
  if (!/^\d{1,12}$/.test(timestamp)) refuse('the header webhook-timestamp is no time')
  if (Math.abs(now / 1000 - Number(timestamp)) > toleranceS) {
    refuse(`it was sent more than ${toleranceS} s ago, or will be`)
  }
  const expected = [secrets]
    .flat()
    .map((secret) =>
      createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.`).update(rawBody).digest()
    )
  const given = signatures
    .split(' ')
    .filter((signature) => signature.startsWith('v1,'))
    .map((signature) => Buffer.from(signature.slice(3), 'base64'))
  const isGenuine = given.some((mac) =>
    expected.some((own) => mac.length === own.length && timingSafeEqual(mac, own))
  )
  if (!isGenuine) refuse('no signature is of a secret given')
  return eventOf(typeof rawBody === 'string' ? rawBody : new TextDecoder().decode(rawBody))
}

function headerOf(headers: WebhookHeaders, name: string): string {
  const value =
    headers instanceof Headers
      ? headers.get(name)
      : Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1]
  if (typeof value !== 'string' || value === '') return refuse(`the header ${name} is missing`)
  return value
}

function keyOf(secret: string): Buffer {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  // An empty key would take what anybody signs.
  if (key.length === 0) throw new TypeError('A secret is whsec_ and base64.')
  return key
}

function eventOf(text: string): WebhookEvent {
  const body = parse(text) as { specversion?: unknown; data?: unknown } | null
  const event = (body?.specversion === undefined ? body : body.data) as WebhookEvent | null
  if (typeof event?.type !== 'string') return refuse('its body is no event')
  return event
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return refuse('its body is not JSON')
  }
}

function refuse(reason: string): never {
  throw new WebhookVerificationError(`The webhook is not genuine: ${reason}.`)
}

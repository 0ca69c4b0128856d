import { hideCardNumbers } from '../card-number.ts'
import {
  createHttpClient,
  type HttpAnswer,
  OutOfBounds
} from '../outbound/http-client.transport.ts'
import type { Send, Sent } from './webhook.ts'
import { type AddressPolicy, createLookup, findUrlFault } from './webhook-address.transport.ts'

const responseReadMaxBytes = 16 * 1024
const responseKeptMaxBytes = 1024
const idleMs = 15_000

export type WebhookTransportOptions = AddressPolicy & {
  /** From the name's resolution to the last byte that is read, ms. */
  deadlineMs: number
}

/**
 * Sends messages to endpoints of clients; what is not allowed is never connected to. Answers what
 * came of it, and throws nothing.
 */
export function createWebhookTransport(options: WebhookTransportOptions) {
  const lookup = (protocol: string) => createLookup(protocol, options)
  const client = createHttpClient({ idleMs, lookup })

  const send: Send = async ({ url, headers, body, signal: stopping }) => {
    // An address in the URL itself is connected to without a lookup.
    const urlFault = findUrlFault(url, options)
    if (urlFault !== null) return toFault(urlFault)
    const { origin, pathname, search } = new URL(url)
    const call = { method: 'POST', origin, path: pathname + search, headers, body }
    const bounds = {
      withinMs: options.deadlineMs,
      bytesMax: responseReadMaxBytes,
      signal: stopping
    }
    try {
      return toSent(await client.send(call, bounds))
    } catch (error) {
      if (error instanceof OutOfBounds) return toFault(`No answer within ${options.deadlineMs} ms.`)
      return toFault(stopping.aborted ? 'ABORT_ERR' : toCode(error))
    }
  }

  return { send, close: client.close }
}

/** The status is known: whatever becomes of the rest, what was read of it will do. */
function toSent({ status, headers, body }: HttpAnswer): Sent {
  const retryAfter = headers['retry-after'] ?? null
  return { httpStatus: status, error: null, response: toExcerpt(body.toString()), retryAfter }
}

/** The beginning, as a database can hold it and a person may read it. */
function toExcerpt(text: string): string {
  const readable = hideCardNumbers(text).replace(/[^\P{Cc}\n\t]/gu, ' ')
  const start = Buffer.from(readable).subarray(0, responseKeptMaxBytes).toString()
  // A character that was cut through is no character.
  return start.length < readable.length ? start.replace(/\ufffd$/, '') : start
}

/** Codes, as Node has them, and our own words: what a library says may hold addresses. */
function toCode(error: unknown): string {
  const { name, code, message } = error as NodeJS.ErrnoException
  if (code === 'UND_ERR_SOCKET') return 'ECONNRESET'
  return code ?? (name === 'HTTPParserError' ? 'HPE_INVALID' : message)
}

function toFault(error: string): Sent {
  return { httpStatus: null, error, response: null, retryAfter: null }
}

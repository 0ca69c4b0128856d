import http from 'node:http'
import https from 'node:https'
import { hideCardNumbers } from '../card-number.ts'
import type { Outgoing, Send, Sent } from './webhook.ts'
import { type AddressPolicy, createLookup, findUrlFault } from './webhook-address.transport.ts'

const responseReadMaxBytes = 16 * 1024
const responseKeptMaxBytes = 1024
/** A connection that was idle this long is closed. */
const idleMs = 15_000

export type WebhookTransportOptions = AddressPolicy & {
  /** From the name's resolution to the last byte that is read, ms. */
  deadlineMs: number
  /** Who vouches for certificates, where it is not the usual authorities: for tests. */
  ca?: string
}

export type WebhookTransport = { send: Send; close(): void }

/** A kept connection was closed by the other side before it saw the request. */
class StaleConnection extends Error {}

/**
 * Sends messages to endpoints of clients: no redirect is followed, no proxy of the environment is
 * used, a certificate must be good, and what is not allowed is never connected to. Answers what
 * came of it, and throws nothing.
 */
export function createWebhookTransport(options: WebhookTransportOptions): WebhookTransport {
  const agentOptions = { keepAlive: true, scheduling: 'lifo', timeout: idleMs } as const
  const agents = {
    'http:': new http.Agent(agentOptions),
    'https:': new https.Agent({
      ...agentOptions,
      rejectUnauthorized: true,
      ...(options.ca !== undefined && { ca: options.ca })
    })
  }
  const lookups = {
    'http:': createLookup('http:', options),
    'https:': createLookup('https:', options)
  }

  async function send(outgoing: Outgoing): Promise<Sent> {
    // An address in the URL itself is connected to without a lookup.
    const fault = findUrlFault(outgoing.url, options)
    if (fault !== null) return toFault(new Error(fault))
    const late = AbortSignal.timeout(options.deadlineMs)
    const signal = AbortSignal.any([late, outgoing.signal])
    const bounded = { ...outgoing, signal }
    try {
      return await sendOnce(bounded).catch((error) => {
        if (error instanceof StaleConnection) return sendOnce(bounded)
        throw error
      })
    } catch (error) {
      if (late.aborted) return toFault(new Error(`No answer within ${options.deadlineMs} ms.`))
      return toFault(error)
    }
  }

  function sendOnce({ url, headers, body, signal }: Outgoing): Promise<Sent> {
    const target = new URL(url)
    const protocol = target.protocol as keyof typeof agents
    return new Promise((resolve, reject) => {
      const outgoing = (protocol === 'https:' ? https : http).request(target, {
        method: 'POST',
        agent: agents[protocol],
        lookup: lookups[protocol],
        headers: { ...headers, 'content-length': Buffer.byteLength(body) },
        signal
      })
      let isAnswered = false
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        // What breaks after the status was told ends the reading, and is told there.
        if (isAnswered) return
        const isStale = outgoing.reusedSocket && error.code === 'ECONNRESET'
        reject(isStale ? new StaleConnection() : error)
      })
      outgoing.on('response', (response) => {
        isAnswered = true
        const { statusCode = 0, headers } = response
        const retryAfter = headers['retry-after'] ?? null
        readStart(response).then((text) => {
          resolve({ httpStatus: statusCode, error: null, response: toExcerpt(text), retryAfter })
        })
      })
      // An answer that we did not ask for; without a listener nobody would tell.
      outgoing.on('upgrade', ({ statusCode = 101 }, socket) => {
        socket.destroy()
        resolve({ httpStatus: statusCode, error: null, response: '', retryAfter: null })
      })
      outgoing.end(body)
    })
  }

  return {
    send,
    close() {
      for (const agent of Object.values(agents)) agent.destroy()
    }
  }
}

/** The status has been told: whatever becomes of the rest, what was read of it will do. */
function readStart(response: http.IncomingMessage): Promise<string> {
  return new Promise((resolve) => {
    const parts: Buffer[] = []
    let size = 0
    const end = () => resolve(Buffer.concat(parts).subarray(0, responseReadMaxBytes).toString())
    response.on('data', (part: Buffer) => {
      parts.push(part)
      size += part.length
      if (size >= responseReadMaxBytes) response.destroy()
    })
    response.on('error', end)
    response.on('close', end)
  })
}

/** The beginning, as a database can hold it and a person may read it. */
function toExcerpt(text: string): string {
  const readable = hideCardNumbers(text).replace(/[^\P{Cc}\n\t]/gu, ' ')
  const start = Buffer.from(readable).subarray(0, responseKeptMaxBytes).toString()
  // A character that was cut through is no character.
  return start.length < readable.length ? start.replace(/\ufffd$/, '') : start
}

/** Codes and our own words: what a library says may hold addresses. */
function toFault(error: unknown): Sent {
  const { code, message } = error as NodeJS.ErrnoException
  return { httpStatus: null, error: code ?? message, response: null, retryAfter: null }
}

/**
 * A client's webhook endpoint that fails now and then, and remembers what it was sent: each message
 * by its id, whether it was accepted, and in which order.
 */

import { Webhook } from 'standardwebhooks'
import type { Cleaner } from '../bench/processes.ts'
import { cut } from '../sandbox/simulator/cut.ts'
import { serve } from './serve.ts'

export type Receipt = {
  webhookId: string
  /** Undefined where the message is none, by its signature or its text. */
  event: { id: string; type: string; paymentId: string | null; sequence: number | null } | undefined
  text: string
  accepted: boolean
}

export type Receiver = {
  port: number
  urlOf(name: string): string
  /** The secret of an endpoint, once it is known. */
  expect(name: string, secret: string): void
  receiptsOf(name: string): Receipt[]
  calm(): void
}

/** Of the first attempts of messages one in so many fails, and one in so many is taken in vain. */
const failing = { one: 12, vain: 17 }

export async function openReceiver(cleaner: Cleaner): Promise<Receiver> {
  const receipts = new Map<string, Receipt[]>()
  const secrets = new Map<string, Webhook>()
  const seen = new Set<string>()
  let isCalm = false
  let count = 0
  const receiptsOf = (name: string) => {
    const known = receipts.get(name) ?? []
    receipts.set(name, known)
    return known
  }
  const origin = await serve(cleaner, async (req, res) => {
    let text = ''
    req.setEncoding('utf8')
    for await (const part of req) text += part
    const name = (req.url ?? '').slice(1)
    const webhookId = String(req.headers['webhook-id'])
    count += 1
    const isFirst = !seen.has(`${name} ${webhookId}`)
    seen.add(`${name} ${webhookId}`)
    const mayFail = !isCalm && isFirst
    const accepted = !(mayFail && count % failing.one === 0)
    const event = read(secrets.get(name), text, req.headers as Record<string, string>)
    receiptsOf(name).push({ webhookId, event, text, accepted })
    if (!accepted) res.writeHead(500).end()
    else if (mayFail && count % failing.vain === 0) cut(res.socket)
    else res.writeHead(204).end()
  })
  return {
    port: Number(new URL(origin).port),
    urlOf: (name) => `${origin}/${name}`,
    expect: (name, secret) => void secrets.set(name, new Webhook(secret)),
    receiptsOf,
    calm: () => {
      isCalm = true
    }
  }
}

function read(secret: Webhook | undefined, text: string, headers: Record<string, string>) {
  try {
    return secret?.verify(text, headers) as Receipt['event']
  } catch {
    return undefined
  }
}

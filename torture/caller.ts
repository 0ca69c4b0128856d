/** How a client calls: it asks again under the same key until it is answered, and remembers that. */
import { setTimeout } from 'node:timers/promises'

/** What was acknowledged: the same request must get the same answer for ever. */
export type Ack = { path: string; key: string; body: object; status: number; text: string }

export type Answer = { status: number; text: string; code?: string }

export type Calls = {
  /** Requests to the service. */
  sent: number
  /** How many of them had no answer, or one that says to come again. */
  unanswered: number
  /** From the first request under a key to its answer, ms. */
  longestMs: number
}

const giveUpMs = 15_000
const againMs = 200
/** No instance is there, or its database is not, or another one is at it. */
const isToComeAgain = ({ status, code }: Answer) =>
  [502, 503, 504].includes(status) || (status === 409 && code === 'idempotency_key_in_flight')

export type Caller = ReturnType<typeof createCaller>

export function createCaller(url: string, apiKey: string) {
  const calls: Calls = { sent: 0, unanswered: 0, longestMs: 0 }
  const acks: Ack[] = []
  let isOver = false

  /** One request; undefined where no answer came. */
  async function send(
    method: string,
    path: string,
    { key, body, prefer }: { key?: string; body?: object; prefer?: string } = {}
  ): Promise<Answer | undefined> {
    calls.sent += 1
    try {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${apiKey}`,
          ...(body && { 'content-type': 'application/json' }),
          ...(key && { 'idempotency-key': key }),
          ...(prefer && { prefer })
        },
        ...(body && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(giveUpMs)
      })
      const { status } = response
      const text = await response.text()
      if (status < 400 || !text.startsWith('{')) return { status, text }
      return { status, text, code: (JSON.parse(text) as { code: string }).code }
    } catch {
      return undefined
    }
  }

  /** Asks until there is an answer; throws where it is one that nobody should get. */
  async function ask(method: string, path: string, given: Parameters<typeof send>[2] = {}) {
    const begun = performance.now()
    for (;;) {
      if (isOver) throw new Error('the trial is over')
      const answer = await send(method, path, given)
      if (answer && !isToComeAgain(answer)) {
        calls.longestMs = Math.max(calls.longestMs, performance.now() - begun)
        if (answer.status >= 200 && answer.status <= 299) return answer
        throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
      }
      calls.unanswered += 1
      await setTimeout(againMs)
    }
  }

  return {
    calls,
    acks,
    ask,
    /** Nobody asks any more, also who has waited for something in vain. */
    end() {
      isOver = true
    },
    // biome-ignore lint/suspicious/noExplicitAny: the contract says what it is.
    read: async (path: string, prefer?: string): Promise<any> =>
      JSON.parse((await ask('GET', path, prefer === undefined ? {} : { prefer })).text),
    /** Posts under a key, and remembers what was acknowledged. */
    // biome-ignore lint/suspicious/noExplicitAny: as above.
    async post(path: string, key: string, body: object): Promise<any> {
      const { status, text } = await ask('POST', path, { key, body })
      acks.push({ path, key, body, status, text })
      return JSON.parse(text)
    }
  }
}

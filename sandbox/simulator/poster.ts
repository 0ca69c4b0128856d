import http from 'node:http'
import https from 'node:https'

/** An endpoint that takes longer has not accepted: the docs' page on accepting webhooks. */
const ACCEPT_WITHIN_MS = 10_000

/** What came of one POST; `status` is null when no answer came. */
export type Posted = { at: string; ms: number; status: number | null; error?: string }

type Headers = Record<string, string>
export type Poster = {
  post: (body: string, ownHeaders: Headers) => Promise<Posted>
  close: () => void
}

/** Sends webhooks the way Adyen does: JSON, Basic auth when set, redirects not followed. */
export function createPoster(url: string, credentials: string | null): Poster {
  const { request, Agent } = url.startsWith('https:') ? https : http
  const agent = new Agent({ keepAlive: true, maxSockets: 50 })
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'user-agent': 'Adyen HttpClient 1.0',
    ...(credentials === null ? {} : { authorization: `Basic ${toBase64(credentials)}` })
  }

  function statusOf(body: string, ownHeaders: Headers): Promise<number | null> {
    return new Promise((resolve, reject) => {
      const options = {
        method: 'POST',
        agent,
        headers: { ...headers, ...ownHeaders, 'content-length': Buffer.byteLength(body) },
        signal: AbortSignal.timeout(ACCEPT_WITHIN_MS)
      }
      const outgoing = request(url, options, (response) => {
        response.resume()
        response.once('error', reject)
        response.once('end', () => resolve(response.statusCode ?? null))
      })
      outgoing.once('error', reject)
      outgoing.end(body)
    })
  }

  return {
    post: async (body, ownHeaders) => {
      const start = Date.now()
      const at = new Date(start).toISOString()
      try {
        const status = await statusOf(body, ownHeaders)
        return { at, ms: Date.now() - start, status }
      } catch (error) {
        return { at, ms: Date.now() - start, status: null, error: (error as Error).message }
      }
    },
    close: () => agent.destroy()
  }
}

function toBase64(text: string): string {
  return Buffer.from(text).toString('base64')
}

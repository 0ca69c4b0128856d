import { createHttpClient, OutOfBounds } from '../outbound/http-client.transport.ts'

/** The issuer can't be reached, or what it says is of no use: in words that name no address. */
export class IssuerFault extends Error {}

export type IssuerTransport = {
  /** The issuer's JWK set, as it was parsed. Throws `IssuerFault`. */
  fetchKeys(): Promise<unknown>
  close(): Promise<void>
}

/** For metadata and keys together, ms: a request may wait for it. */
const withinMs = 3_000
const bytesMax = 256 * 1024
const idleMs = 4_000

/**
 * Finds the keys of an issuer by its metadata (OpenID Connect Discovery, RFC 8414): they are where
 * that says, over https; over http where the issuer itself is, which is on this machine.
 */
export function createIssuerTransport(issuer: string): IssuerTransport {
  const client = createHttpClient({ idleMs })
  const isPlain = new URL(issuer).protocol === 'http:'

  async function get(url: URL, endAt: number): Promise<{ status: number; body: Buffer }> {
    const { origin, pathname, search } = url
    const headers = { accept: 'application/json' }
    const call = { method: 'GET', origin, path: pathname + search, headers }
    const bounds = { withinMs: Math.max(1, endAt - performance.now()), bytesMax }
    try {
      const { fault, ...answer } = await client.send(call, bounds)
      if (fault !== undefined) throw fault
      return answer
    } catch (error) {
      const isLarge = error instanceof OutOfBounds && error.bound === 'size'
      throw new IssuerFault(isLarge ? 'it says too much' : 'it does not answer', { cause: error })
    }
  }

  async function findKeysUrl(endAt: number): Promise<URL> {
    let status = 0
    for (const url of metadataUrls(issuer)) {
      const answer = await get(url, endAt)
      status = answer.status
      if (status !== 200) continue
      const metadata = parse(answer.body)
      if (metadata.issuer !== issuer) throw new IssuerFault('its metadata is of another issuer')
      return toKeysUrl(metadata.jwks_uri, isPlain)
    }
    throw new IssuerFault(`it answers with HTTP ${status} in place of its metadata`)
  }

  return {
    async fetchKeys() {
      const endAt = performance.now() + withinMs
      const { status, body } = await get(await findKeysUrl(endAt), endAt)
      if (status !== 200) throw new IssuerFault(`it answers with HTTP ${status} in place of keys`)
      return parse(body)
    },
    close: client.close
  }
}

/** OpenID Connect appends to the path of the issuer, RFC 8414 inserts before it. */
function metadataUrls(issuer: string): URL[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return [
    new URL(`${origin}${path}/.well-known/openid-configuration`),
    new URL(`${origin}/.well-known/oauth-authorization-server${path}`)
  ]
}

function toKeysUrl(text: unknown, isPlain: boolean): URL {
  const url = typeof text === 'string' ? URL.parse(text) : null
  if (url?.protocol === 'https:' || (isPlain && url?.protocol === 'http:')) return url
  throw new IssuerFault('its metadata names no keys over https')
}

function parse(body: Buffer): Record<string, unknown> {
  try {
    const value = JSON.parse(body.toString())
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // As any other text that is no object.
  }
  throw new IssuerFault('it answers with something else than JSON')
}

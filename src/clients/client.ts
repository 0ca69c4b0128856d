/** The systems that call this API, and what they may do. */

export const scopes = [
  'payments:read',
  'payments:write',
  'refunds:write',
  'refunds:approve',
  'accounts:read',
  'accounts:write',
  'cards:read',
  'cards:write',
  'webhooks:read',
  'webhooks:write',
  'reconciliation:read',
  'reconciliation:write'
] as const
export type Scope = (typeof scopes)[number]

/** What a third party can never be given. The table `client` holds the same rule. */
export const ownScopes: readonly Scope[] = [
  'accounts:write',
  'refunds:approve',
  'reconciliation:read',
  'reconciliation:write'
]

export type Client = {
  id: string
  name: string
  scopes: readonly Scope[]
  /** Sees only what it created itself. */
  thirdParty: boolean
  returnOrigins: readonly string[]
}

/** Whether an issuer may call a client so. The table `client` holds the same rule. */
export function isOAuthSubject(text: string): boolean {
  return /^[!-~]{1,255}$/.test(text)
}

/** The client whose payments are seen by `client`; null for all. */
export function visibleTo(client: Client): string | null {
  return client.thirdParty ? client.id : null
}

/**
 * Whether a browser may be sent to `url` in the end: https, no user information, and an origin
 * given to the client; in the sandbox also http to loopback, for every client.
 */
export function mayReturnTo(client: Client, url: string, sandbox: boolean): boolean {
  // What a browser reads otherwise than the one who typed it is refused before it is parsed.
  if (/[\s\\]/.test(url) || !/^https?:\/\/[^/]/i.test(url) || !URL.canParse(url)) return false
  const { protocol, username, password, origin, hostname } = new URL(url)
  if (username !== '' || password !== '') return false
  if (sandbox && protocol === 'http:' && isLoopback(hostname)) return true
  return protocol === 'https:' && client.returnOrigins.includes(origin)
}

/** As a browser spells it: labels with dots between them, or an address of IPv6 in brackets. */
function isHostname(text: string): boolean {
  if (/^\[[0-9a-f:.]+\]$/.test(text)) return true
  const isLabel = (part: string) => /^[a-z0-9-]+$/.test(part) && !/^-|-$/.test(part)
  return text.split('.').every(isLabel)
}

/**
 * Why this can be no return origin; undefined where it can. It is https and a whole origin as a
 * browser spells it, or in the sandbox also http to loopback.
 */
export function returnOriginFault(text: string, sandbox: boolean): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !isHostname(url.hostname)) return 'is no origin of one host'
  const isLocal = sandbox && url.protocol === 'http:' && isLoopback(url.hostname)
  if (url.protocol !== 'https:' && !isLocal) {
    return `must be https${sandbox ? ', or http to this machine' : ''}`
  }
  return url.origin === text ? undefined : `must be written ${url.origin}`
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}

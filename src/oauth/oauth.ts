/** What of OAuth 2.0 others see: who comes with a token, and what is said of this resource. */

import { scopes } from '../clients/client.ts'
import type { ClientCache } from '../clients/client-cache.commands.ts'

export type OAuth = {
  /** Compared with `iss`, character by character. */
  issuer: string
  /** Clients by their access tokens. */
  clients: ClientCache
  /** What is wrong with the issuer at present; undefined: nothing. */
  findFault(): string | undefined
}

/** Where RFC 9728 has it, below the address of this service. */
export const resourcePath = '/.well-known/oauth-protected-resource'

/** The metadata of this protected resource (RFC 9728, 2). */
export function toResourceMetadata(publicUrl: string, issuer: string) {
  return {
    resource: publicUrl,
    authorization_servers: [issuer],
    scopes_supported: [...scopes],
    bearer_methods_supported: ['header'],
    resource_name: 'One-Off Payments',
    resource_documentation: `${publicUrl}/docs`
  }
}

/** What an access token says, once its signature, issuer, audience and times were found good. */
import { isOAuthSubject, type Scope, scopes } from '../clients/client.ts'

/** How far the clock of the issuer may be from ours, s. */
export const toleranceS = 30

/** The client as the issuer knows it, and what the token lets it do. */
export type Grant = { subject: string; scopes: Scope[] }

/** Why a token is refused: for its caller, in characters of a challenge (RFC 6750, 3). */
export type Refusal = { fault: string }

const types = ['at+jwt', 'application/at+jwt', 'jwt']

/**
 * Whether a token of this type may be an access token. RFC 9068 asks for `at+jwt`; widely used
 * issuers say `JWT`, or nothing. What they all name is another kind, such as `logout+jwt`.
 */
export function isAccessTokenType(type: unknown): boolean {
  return type === undefined || (typeof type === 'string' && types.includes(type.toLowerCase()))
}

/**
 * Reads the claims; `nowS`: seconds since the epoch. The client is `client_id` (RFC 9068), else
 * `azp` (Entra, Keycloak, Auth0), else `cid` (Okta). `sub` is nobody here: it may be a user, whom
 * the issuer may let choose the name of a client. What the token allows is its `scope`, or where
 * an issuer has none `scp`, or `roles` (Entra, for a client without a user).
 */
export function readClaims(
  claims: Readonly<Record<string, unknown>>,
  nowS: number
): Grant | Refusal {
  const { client_id: clientId, azp, cid, iat, cnf, scope, scp, roles } = claims
  if (typeof iat === 'number' && iat > nowS + toleranceS) {
    return { fault: 'The token was issued in the future.' }
  }
  // RFC 8705 and 9449: whoever has only the token must not be taken for its owner.
  if (cnf !== undefined) return { fault: 'The token is bound to a key that is not asked for here.' }
  const subject = clientId ?? azp ?? cid
  if (typeof subject !== 'string' || !isOAuthSubject(subject)) {
    return { fault: 'The token names no client, as client_id or azp.' }
  }
  if (azp !== undefined && azp !== subject) {
    return { fault: 'The token names two clients, as client_id and azp.' }
  }
  const granted = toWords(scope ?? scp ?? roles)
  return { subject, scopes: scopes.filter((one) => granted.includes(one)) }
}

/** A list, or words with spaces between them. */
function toWords(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  return typeof value === 'string' ? value.split(' ') : []
}

import type { JWTVerifyOptions } from 'jose'
import {
  JOSEError,
  JWKSMultipleMatchingKeys,
  JWSSignatureVerificationFailed,
  JWTClaimValidationFailed
} from 'jose/errors'
import { jwtVerify } from 'jose/jwt/verify'
import { Problem } from '../problem.ts'
import { type Grant, isAccessTokenType, type Refusal, readClaims, toleranceS } from './claims.ts'
import { IssuerFault } from './issuer.transport.ts'
import type { IssuerKeys } from './issuer-keys.verifier.ts'

/**
 * Reads a token; `expiresInMs`: for how long it is still good. Throws the problem
 * `issuer_unavailable` where it can't be told whether it is.
 */
export type Verify = (token: string) => Promise<(Grant & { expiresInMs: number }) | Refusal>

/** With a public key alone: one that is shown to all proves nothing where it is a shared secret. */
const algorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
]
const retryAfterS = 5

/** Verifies access tokens (RFC 9068) by the keys that the issuer itself shows, and no others. */
export function createVerify(
  { issuer, audience }: { issuer: string; audience: string },
  keys: Pick<IssuerKeys, 'find'>
): Verify {
  const options = {
    ...{ issuer, audience, algorithms, clockTolerance: toleranceS },
    requiredClaims: ['exp']
  }
  return async (token) => {
    try {
      const { payload, protectedHeader } = await verifyByAny(token, keys, options)
      if (!isAccessTokenType(protectedHeader.typ)) {
        return { fault: 'The token is of another kind than an access token.' }
      }
      const now = Date.now()
      const read = readClaims(payload, now / 1000)
      if ('fault' in read) return read
      return { ...read, expiresInMs: ((payload.exp as number) + toleranceS) * 1000 - now }
    } catch (error) {
      if (error instanceof JOSEError) return { fault: toWords(error) }
      const fault = isOfKey(error) ? new IssuerFault('its key cannot be used') : error
      if (!(fault instanceof IssuerFault)) throw fault
      const detail = `The issuer of the token is of no use: ${fault.message}.`
      throw new Problem('issuer_unavailable', detail, { retryAfterS })
    }
  }
}

/** Where a token does not say which, several keys of the issuer may be the one. */
async function verifyByAny(
  token: string,
  keys: Pick<IssuerKeys, 'find'>,
  options: JWTVerifyOptions
) {
  try {
    return await jwtVerify(token, keys.find, options)
  } catch (error) {
    if (!(error instanceof JWKSMultipleMatchingKeys)) throw error
    for await (const key of error) {
      try {
        return await jwtVerify(token, key, options)
      } catch (other) {
        if (!(other instanceof JWSSignatureVerificationFailed) && !isOfKey(other)) throw other
      }
    }
    throw new JWSSignatureVerificationFailed()
  }
}

/** So jose says that a key does not do for its algorithm: RSA of less than 2,048 bits. */
function isOfKey(error: unknown): boolean {
  return error instanceof TypeError
}

const claimWords: Readonly<Record<string, string>> = {
  iss: 'The token is of another issuer.',
  aud: 'The token is for another audience.',
  nbf: 'The token is not valid yet.'
}

const errorWords: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: 'The token has expired.',
  ERR_JOSE_ALG_NOT_ALLOWED: 'The token is signed in a way that is not accepted.',
  ERR_JWKS_NO_MATCHING_KEY: 'The token is signed with a key that its issuer does not show.',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'The signature of the token is wrong.'
}

/** For the caller: nothing of what the token says is repeated. */
function toWords(error: JOSEError): string {
  if (error instanceof JWTClaimValidationFailed) {
    const isMissing = error.reason === 'missing'
    return (
      (isMissing ? undefined : claimWords[error.claim]) ?? `The token has no valid ${error.claim}.`
    )
  }
  return errorWords[error.code] ?? 'This is no key of a client, and no token that can be read.'
}

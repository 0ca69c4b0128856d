/** The issuer of the sandbox as tests need it, and tokens that it would not make. */
import { exportJWK, generateKeyPair, type JWK, type JWTHeaderParameters, SignJWT } from 'jose'
import type { Test } from 'tap'
import { startBeside } from '../../sandbox/beside.ts'
import { scopes } from '../../src/clients/client.ts'

export const audience = 'https://payments.example'
const secret = 'a secret of every client'

export type Key = JWK & { kid: string; alg: string }

export async function newKey(kid: string, alg: string): Promise<Key> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  return { ...(await exportJWK(privateKey)), kid, alg, use: 'sig' }
}

export type Issuer = { url: string; stop(): Promise<void> }

/** A real issuer, in a process of its own; its tokens are signed by the first of `keys`. */
export async function startIssuer(
  t: Test,
  port: number,
  keys: readonly Key[],
  clients: readonly string[]
): Promise<Issuer> {
  const env = {
    ISSUER_PORT: String(port),
    ISSUER_AUDIENCE: audience,
    ISSUER_SCOPES: [...scopes, 'openid'].join(' '),
    ISSUER_CLIENTS: JSON.stringify(clients.map((id) => ({ id, secret }))),
    ISSUER_KEYS: JSON.stringify(keys)
  }
  const issuer = await startBeside('the issuer', './issuer-process.ts', env, (reason) =>
    t.fail(reason)
  )
  t.teardown(issuer.stop)
  return issuer
}

/** What the issuer gives to a client that asks for it. */
export async function askForToken({ url }: Issuer, client: string, scope: string): Promise<string> {
  const basic = Buffer.from(`${client}:${encodeURIComponent(secret)}`).toString('base64')
  const answer = await fetch(`${url}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope })
  })
  const body = (await answer.json()) as { access_token?: string }
  if (body.access_token === undefined) throw new Error(JSON.stringify(body))
  return body.access_token
}

/** A token with a key; undefined takes a claim or a header away. Times are s from now. */
export async function sign(
  key: Key,
  claims: Record<string, unknown>,
  { iat = 0, exp = 60, nbf }: { iat?: number; exp?: number; nbf?: number } = {},
  header: Partial<JWTHeaderParameters> = {}
): Promise<string> {
  const nowS = Math.floor(Date.now() / 1000)
  const all = { aud: audience, iat: nowS + iat, exp: nowS + exp, ...(nbf && { nbf: nowS + nbf }) }
  const protectedHeader = { alg: key.alg, kid: key.kid, typ: 'at+jwt', ...header }
  return await new SignJWT(without({ ...all, ...claims }))
    .setProtectedHeader(without(protectedHeader))
    .sign(key)
}

function without<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T
}

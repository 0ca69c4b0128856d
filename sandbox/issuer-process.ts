/**
 * An issuer of access tokens (oidc-provider), as a process of its own: each client gets tokens for
 * itself by its secret, with what it asks for of the scopes. It keeps nothing, and ends when its
 * parent says so or is gone, as the simulator does.
 */
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { Provider } from 'oidc-provider'

type IssuerClient = { id: string; secret: string }

const tokenLifeS = 3_600

async function main(): Promise<void> {
  process.on('SIGINT', () => {})
  process.once('SIGTERM', () => process.exit(0))
  process.stdin.once('close', () => process.exit(0)).resume()
  const { ISSUER_PORT: port, ISSUER_AUDIENCE, ISSUER_SCOPES, ISSUER_CLIENTS } = process.env
  const { ISSUER_KEYS = JSON.stringify([newKey()]) } = process.env
  const url = `http://127.0.0.1:${port}`
  const provider = createProvider(url, {
    audience: ISSUER_AUDIENCE ?? '',
    scope: ISSUER_SCOPES ?? '',
    clients: JSON.parse(ISSUER_CLIENTS ?? '[]'),
    keys: JSON.parse(ISSUER_KEYS)
  })
  await once(provider.listen(Number(port), '127.0.0.1'), 'listening')
  process.stdout.write(`${JSON.stringify({ listening: url })}\n`)
}

/** A key of another start has another name. */
function newKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const kid = new Date().toISOString()
  return { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'ES256' }
}

type Issued = { audience: string; scope: string; clients: IssuerClient[]; keys: [{ alg: 'ES256' }] }

function createProvider(url: string, { audience, scope, clients, keys }: Issued): Provider {
  const [{ alg }] = keys
  const nothing = async () => undefined
  return new Provider(url, {
    adapter: () => ({
      ...{ upsert: nothing, find: nothing, findByUserCode: nothing, findByUid: nothing },
      ...{ consume: nothing, destroy: nothing, revokeByGrantId: nothing }
    }),
    jwks: { keys },
    ttl: { ClientCredentials: tokenLifeS },
    scopes: scope.split(' '),
    clients: clients.map(({ id, secret }) => ({
      client_id: id,
      client_secret: secret,
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
      // It gets no ID token; all the same its algorithm must be among those of the keys.
      id_token_signed_response_alg: alg
    })),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      // Without a resource, access tokens would not be JWTs.
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({
          ...{ scope, audience: resource, accessTokenTTL: tokenLifeS, accessTokenFormat: 'jwt' },
          jwt: { sign: { alg } }
        })
      }
    }
  })
}

main().catch((error: NodeJS.ErrnoException) => {
  const port = process.env.ISSUER_PORT
  const isTaken = error.code === 'EADDRINUSE'
  const reason = isTaken ? `port ${port} is in use; set ISSUER_PORT` : error.message
  process.stderr.write(`The issuer of tokens cannot start: ${reason}\n`)
  process.exit(1)
})

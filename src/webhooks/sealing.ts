/**
 * How the secrets of webhook endpoints are kept: sealed by AES-256-GCM (NIST SP 800-38D) with a key
 * that the database does not have. Without a key they are kept as they are.
 */
import { createCipheriv, createDecipheriv, hash, randomBytes } from 'node:crypto'

export type Sealing = ReturnType<typeof createSealing>

const algorithm = 'aes-256-gcm'
const [nonceBytes, tagBytes] = [12, 16]

/** What a secret is sealed with: `sealed.`, the id of the key, and what no one can read. */
const sealed = /^sealed\.([0-9a-f]{16})\.([A-Za-z0-9_-]+)$/

/** It says which key is meant, and nothing of the key. */
const idOf = (key: Buffer) => hash('sha256', key).slice(0, 16)

/**
 * The first key seals, all of them open. `owner`: the endpoint's id, without which nothing opens,
 * so that no secret can be put into another's place.
 */
export function createSealing(keys: readonly Buffer[]) {
  const known = new Map(keys.map((key) => [idOf(key), key]))
  const [first] = keys
  const prefix = first === undefined ? null : `sealed.${idOf(first)}.`
  return {
    /** What begins a secret that is sealed with the first key; null where there is none. */
    prefix,
    keyIds: [...known.keys()],

    seal(secret: string, owner: string): string {
      if (first === undefined || prefix === null) return secret
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv(algorithm, first, nonce).setAAD(Buffer.from(owner))
      const parts = [nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]
      return prefix + Buffer.concat(parts).toString('base64url')
    },

    /** The secret, also where it is not sealed; throws where no key opens it. */
    open(kept: string, owner: string): string {
      const [, id, text] = sealed.exec(kept) ?? []
      if (id === undefined || text === undefined) return kept
      const key = known.get(id)
      if (key === undefined)
        throw new Error(`SEALING_KEYS has no key ${id}, which sealed a secret.`)
      const bytes = Buffer.from(text, 'base64url')
      const nonce = bytes.subarray(0, nonceBytes)
      const options = { authTagLength: tagBytes }
      const decipher = createDecipheriv(algorithm, key, nonce, options)
        .setAAD(Buffer.from(owner))
        .setAuthTag(bytes.subarray(-tagBytes))
      const secret = decipher.update(bytes.subarray(nonceBytes, -tagBytes))
      return Buffer.concat([secret, decipher.final()]).toString()
    }
  }
}

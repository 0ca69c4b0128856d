import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose'
import { JWKSMultipleMatchingKeys, JWKSNoMatchingKey } from 'jose/errors'
import { createLocalJWKSet } from 'jose/jwks/local'
import { IssuerFault } from './issuer.transport.ts'

export type IssuerKeys = {
  /** The key that a token names. Throws jose's errors, and `IssuerFault` where nobody can tell. */
  find: JWTVerifyGetKey
  /** Why the keys are not as fresh as they should be; undefined: they are. */
  findFault(): string | undefined
  /** Fetches the keys, and from then on renews them. */
  start(): void
  stop(): void
}

type Options = {
  /** Throws an `IssuerFault`. */
  fetchKeys: () => Promise<unknown>
  /** Each time the keys were fetched, or could not be. */
  onFetched: (fault: IssuerFault | undefined) => void
}

/** A key that the issuer withdraws is trusted for so long, ms. */
const renewEveryMs = 300_000
/** After a fetch that failed, ms. */
const retryEveryMs = 10_000
/** Whatever tokens come, the issuer is asked no more often than this, ms. */
const leastMs = 2_000

/**
 * The keys of the issuer. The last that are known serve while it is away, however long. One that is
 * not among them is asked for at once, or `leastMs` after the last fetch began, and all who need
 * one wait for the same fetch: so a new key is found from the moment that the issuer shows it, and
 * a flood of made-up ones costs it a fetch in `leastMs`.
 */
export function createIssuerKeys({ fetchKeys, onFetched }: Options): IssuerKeys {
  let keys: JWTVerifyGetKey | undefined
  let fault: IssuerFault | undefined = new IssuerFault('it was not asked yet')
  let triedAt = Number.NEGATIVE_INFINITY
  let renewing: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let isStopped = false

  async function load(): Promise<void> {
    const ms = triedAt + leastMs - performance.now()
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms).unref())
    triedAt = performance.now()
    try {
      keys = toKeys(await fetchKeys())
      fault = undefined
    } catch (error) {
      const isKnown = error instanceof IssuerFault
      fault = isKnown ? error : new IssuerFault('it cannot be asked', { cause: error })
    }
    if (isStopped) return
    onFetched(fault)
    clearTimeout(timer)
    timer = setTimeout(renew, fault === undefined ? renewEveryMs : retryEveryMs).unref()
  }

  async function renew(): Promise<void> {
    renewing ??= load().finally(() => {
      renewing = undefined
    })
    await renewing
  }

  async function find(...token: Parameters<JWTVerifyGetKey>) {
    const cameAt = performance.now()
    for (;;) {
      try {
        if (keys !== undefined) return await keys(...token)
      } catch (error) {
        if (!(error instanceof JWKSNoMatchingKey)) throw toKeyFault(error)
        // Asked since it came: a fetch that began before may not have what this one needs.
        if (fault === undefined && triedAt >= cameAt) throw error
      }
      const isFresh = renewing === undefined && performance.now() < triedAt + leastMs
      if (fault !== undefined && (isFresh || triedAt >= cameAt)) throw fault
      await renew()
    }
  }

  return {
    find,
    findFault: () => fault && `the issuer of tokens: ${fault.message}; ${serving(keys)}`,
    start: () => void renew(),
    stop() {
      isStopped = true
      clearTimeout(timer)
    }
  }
}

function serving(keys: unknown): string {
  return keys === undefined ? 'no token can be verified' : 'its last known keys serve'
}

/** An answer without a key is an accident of the issuer, and takes none away. */
function toKeys(fetched: unknown): JWTVerifyGetKey {
  const { keys } = fetched as Partial<JSONWebKeySet>
  if (!Array.isArray(keys) || keys.length === 0) throw new IssuerFault('it shows no keys')
  try {
    return createLocalJWKSet({ keys })
  } catch (error) {
    throw new IssuerFault('its keys cannot be read', { cause: error })
  }
}

/** Several may be the one: the caller tries them. That one is broken is not the token's fault. */
function toKeyFault(error: unknown): unknown {
  if (error instanceof JWKSMultipleMatchingKeys) return error
  return new IssuerFault('its key cannot be used', { cause: error })
}

import type { Courier } from './delivery.ts'
import type { Faults } from './faults.ts'
import type { State } from './state.ts'

/** One request of the Checkout API, as GET /_simulator/requests shows it. */
export type LoggedRequest = {
  method: string
  path: string
  headers: Record<string, string>
  body: unknown
  at: string
  /** Null while there is no answer, and for good when the connection was cut. */
  status: number | null
}

/** What every part of one running simulator shares. */
export type Context = {
  /** The simulator's own address, without a slash at the end. */
  origin: string
  apiKey: string
  merchantAccount: string
  hmacKey: string
  /** Whether webhooks tell about the card, as set under Developers > Additional data. */
  additionalData: boolean
  /** The key of token webhooks; without one there are none. */
  tokenHmacKey: string | null
  /** Whether a partial capture leaves the remainder to further ones. */
  multiplePartialCaptures: boolean
  /** Whether automatic captures without delay are notified. */
  automaticCaptureNotifications: boolean
  /** Who may download reports, as `user:password`; the API key may where there is none. */
  reportUser: string | null
  state: State
  faults: Faults
  courier: Courier
  requests: LoggedRequest[]
  /** Idempotency keys whose first call still runs. */
  keysInFlight: Set<string>
}

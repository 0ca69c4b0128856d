/** What an instance is made of: built once by the service; routes and tasks pick what they need. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Logger } from 'pino'
import type { ClientCache } from './clients/client-cache.commands.ts'
import type { AdyenConfig, CommonConfig } from './config.ts'
import type { Db } from './database/database.ts'
import type { FeedSignal } from './feed/feed-signal.ts'
import type { Metrics } from './metrics/metrics.ts'
import type { OAuth } from './oauth/oauth.ts'
import type { SentKind } from './operations/due-operation.store.ts'
import type { Waiters } from './payments/waiters.commands.ts'
import type { Provider } from './provider.ts'
import type { Sealing } from './webhooks/sealing.ts'
import type { CheckUrl } from './webhooks/webhook.ts'

type ConfigValues = Pick<
  CommonConfig,
  | 'paymentMaxValue'
  | 'paymentMethods'
  | 'duplicateWindowS'
  | 'refundApprovalAbove'
  | 'settlementMissingDays'
  | 'retention'
  | 'rateLimit'
  | 'trustProxy'
  | 'merchantName'
> &
  Pick<AdyenConfig, 'merchantAccount' | 'moto' | 'multiplePartialCaptures'>

/** Tasks that are woken when there is work for them, besides looking for it themselves. */
type WokenTask =
  | 'announce'
  | 'apply_notifications'
  | 'deliver_webhooks'
  | 'pull_forward'
  | 'read_reports'
  | `send_${SentKind}`
  | 'sync_cards'

export type Context = ConfigValues & {
  /** Of its connections a request takes one for as long as a statement or a transaction. */
  db: Db
  /** What GET, authentication and callers who wait read from: connections of their own. */
  reads: Db
  /** What notifications are stored with: connections of their own. */
  inbox: Db
  /** Whether the database takes writes; throws where it does not answer. */
  canWrite: () => Promise<boolean>
  provider: Provider
  /** The provider's name, which payments are shown with. */
  providerName: string
  /** Where this service is reached, without a slash at the end. */
  publicUrl: string
  /** Whether browsers may also return to http on loopback. */
  sandbox: boolean
  /** For how long a call to the provider is leased, s: its deadline and a margin. */
  leaseS: number
  /** For `adyen/` alone. */
  adyen: AdyenConfig
  wake: (task: WokenTask) => void
  /** Whether the instance has not begun its work yet. */
  isStarting: () => boolean
  /** Whether the instance is about to end: nothing long is begun. */
  isStopping: () => boolean
  /** Clients by their keys. */
  clients: ClientCache
  /** Null: nobody comes with access tokens. */
  oauth: OAuth | null
  waiters: Waiters
  feedSignal: FeedSignal
  checkUrl: CheckUrl
  sealing: Sealing
  metrics: Metrics
  log: Logger
}

/** Routes, and what of the context they need: all of it unless they say so. */
export type Routes<Needs extends keyof Context = keyof Context> = FastifyPluginAsyncTypebox<
  Pick<Context, Needs>
>

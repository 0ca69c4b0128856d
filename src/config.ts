/**
 * The configuration of the service, read once from the environment: every fault is shown at once,
 * and a part of a production configuration never falls back to the sandbox.
 */
import { faultsOfUrl, schemaOf } from './database/connection-url.ts'
import type { ShareSizes } from './database/shares.ts'
import { type PageMethod, pageMethods } from './provider/page-methods.ts'
import {
  checkUrl,
  createReader,
  type Env,
  type Reader,
  readHexKeys,
  readNetworks,
  readOrigin,
  readPorts
} from './settings/reader.ts'
import { type Retention, readRetention } from './settings/retention-settings.ts'
import { readTracing } from './settings/tracing-settings.ts'
import type { TracingConfig } from './tracing/tracing-config.ts'

export type CommonConfig = {
  host: string
  port: number
  metricsPort: number
  logLevel: string
  /** The deadline of one call to Adyen, ms. */
  adyenTimeoutMs: number
  /** The operator's own limit of a payment, minor units of whatever currency. */
  paymentMaxValue: number
  /** What card pages and links may offer: at least `scheme`, a card that is typed. */
  paymentMethods: PageMethod[]
  /** For how long a payment of the same account and amount is a duplicate, s; 0 for never. */
  duplicateWindowS: number
  /** Refunds above it need an approval, minor units of whatever currency; null for none. */
  refundApprovalAbove: number | null
  /** How long after its capture a settlement report must have a payment, days. */
  settlementMissingDays: number
  retention: Retention
  /** Requests a minute of each client, and of each address without a key; null for no limit. */
  rateLimit: number | null
  /** What customers know the merchant by; null: their page names nobody. */
  merchantName: string | null
  /** Addresses and networks of proxies whose X-Forwarded-For is believed. */
  trustProxy: readonly string[]
  /** Connections to the database; `reservedConnections` and one to listen on come on top. */
  connections: ShareSizes
  /** How long a start waits for the database, s. */
  databaseWaitS: number
  /** How long it says that it is not ready, and still accepts, before it stops; s. */
  drainS: number
  /** Null: clients come with keys alone. */
  oauth: OAuthConfig | null
  /** Null: nothing is traced. */
  tracing: TracingConfig | null
}

/** Whose access tokens are accepted. */
export type OAuthConfig = {
  /** As it stands in `iss`, character by character. */
  issuer: string
  /** What must be in `aud`. */
  audience: string
}

export type AdyenConfig = {
  environment: 'TEST' | 'LIVE'
  apiKey: string
  merchantAccount: string
  hmacKeys: Buffer[]
  /** Keys of the token webhooks, which have their own; none where they are not used. */
  tokenHmacKeys: Buffer[]
  liveUrlPrefix: string | undefined
  checkoutUrl: string | undefined
  webhookUser: string | undefined
  webhookPassword: string | undefined
  /** Who may download reports; without one the API key must be allowed to. Both or neither. */
  reportUser?: string | undefined
  reportPassword?: string | undefined
  /** Whether an agent's card page is for a card that is read out by phone (MOTO). */
  moto: boolean
  /** Whether several partial captures of a payment are switched on for the merchant account. */
  multiplePartialCaptures: boolean
}

export type ProductionConfig = CommonConfig & {
  kind: 'production'
  databaseUrl: string
  /** Where notices are heard and the schema is changed; undefined: by `databaseUrl`. */
  databaseDirectUrl: string | undefined
  publicUrl: string
  /** Whether webhooks may go to this machine, also over http: with TEST alone. */
  webhooksAllowLoopback: boolean
  /** Ports that the URL of a webhook endpoint may name. */
  webhookPorts: number[]
  /** 32 bytes each: the first seals the secrets of webhook endpoints, all of them open. */
  sealingKeys: Buffer[]
  adyen: AdyenConfig
}

export type SandboxConfig = CommonConfig & {
  kind: 'sandbox'
  dir: string
  simulatorPort: number
  /** Of the page that customers return to. */
  shopPort: number
  /** Of the issuer of access tokens; null: none is started. */
  issuerPort: number | null
}

type Config = ProductionConfig | SandboxConfig

/** What is wrong with the environment: a sentence for each variable. */
export class ConfigFault extends Error {
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(`The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:`)
    this.faults = faults
  }
}

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']
/** A crashed create is finished within 15 s, and a stop ends within 10: no call may take longer. */
const longestTimeoutMs = 9_000
const largestPayment = 999_999_999_999
const longestWindowS = 24 * 60 * 60
const longestMissingDays = 60
const largestRateLimit = 1_000_000
const mostConnections = 1_000
const longestWaitS = 3_600
const longestDrainS = 600
const longestName = 100

/** Production is whatever has one of these set. */
function isProduction(env: Env): boolean {
  return Object.entries(env).some(
    ([name, value]) =>
      value && (/^ADYEN_/.test(name) || /^(DATABASE_(DIRECT_)?URL|PUBLIC_URL)$/.test(name))
  )
}

/**
 * Reads the configuration; throws a `ConfigFault` that names all that is missing or wrong. Without
 * a sandbox at hand (`hasSandbox`) it is production, whatever is set.
 */
export function readConfig(env: Env, hasSandbox = true): Config {
  const reader = createReader(env)
  const production = !hasSandbox || isProduction(env)
  const common: CommonConfig = {
    host: reader.text('HOST') ?? (production ? '0.0.0.0' : '127.0.0.1'),
    port: reader.integer('PORT', 3000, 0, 65_535),
    metricsPort: reader.integer('METRICS_PORT', 9464, 0, 65_535),
    logLevel: reader.oneOf('LOG_LEVEL', logLevels) ?? 'info',
    adyenTimeoutMs: reader.integer('ADYEN_TIMEOUT_MS', 8_000, 100, longestTimeoutMs),
    paymentMethods: readPaymentMethods(reader),
    paymentMaxValue: reader.integer('PAYMENT_MAX_VALUE', largestPayment, 1, largestPayment),
    duplicateWindowS: reader.integer('DUPLICATE_WINDOW_S', 600, 0, longestWindowS),
    refundApprovalAbove: reader.integer('REFUND_APPROVAL_ABOVE', null, 0, largestPayment),
    settlementMissingDays: reader.integer('SETTLEMENT_MISSING_DAYS', 7, 0, longestMissingDays),
    retention: readRetention(reader),
    rateLimit: reader.integer('RATE_LIMIT', null, 1, largestRateLimit),
    trustProxy: readNetworks(reader, 'TRUST_PROXY'),
    connections: {
      requests: reader.integer('DATABASE_CONNECTIONS', 8, 1, mostConnections),
      reads: reader.integer('DATABASE_READ_CONNECTIONS', 4, 1, mostConnections),
      background: reader.integer('DATABASE_BACKGROUND_CONNECTIONS', 4, 1, mostConnections)
    },
    databaseWaitS: reader.integer('DATABASE_WAIT_S', 60, 0, longestWaitS),
    // Nobody balances load over a sandbox.
    drainS: reader.integer('DRAIN_S', production ? 10 : 0, 0, longestDrainS),
    merchantName: readMerchantName(reader),
    oauth: readOAuth(reader),
    tracing: readTracing(reader)
  }
  const config: Config = production
    ? readProduction(common, reader)
    : {
        ...common,
        kind: 'sandbox',
        // The sandbox has a key that is known to whoever can read its folder: loopback only.
        host: '127.0.0.1',
        dir: reader.text('SANDBOX_DIR') ?? '.sandbox',
        simulatorPort: reader.integer('SIMULATOR_PORT', 3001, 0, 65_535),
        shopPort: reader.integer('SHOP_PORT', 3002, 0, 65_535),
        issuerPort: readIssuerPort(reader)
      }
  if (reader.faults.length > 0) throw new ConfigFault(reader.faults)
  return config
}

function readProduction(common: CommonConfig, reader: Reader): ProductionConfig {
  const environment = reader.oneOf('ADYEN_ENVIRONMENT', ['TEST', 'LIVE'], true) ?? 'TEST'
  const live = environment === 'LIVE'
  const adyen: AdyenConfig = {
    environment: live ? 'LIVE' : 'TEST',
    apiKey: reader.required('ADYEN_API_KEY'),
    merchantAccount: reader.required('ADYEN_MERCHANT_ACCOUNT'),
    hmacKeys: readHexKeys(reader, 'ADYEN_HMAC_KEYS', reader.required('ADYEN_HMAC_KEYS')),
    tokenHmacKeys: readHexKeys(
      reader,
      'ADYEN_TOKEN_HMAC_KEYS',
      reader.text('ADYEN_TOKEN_HMAC_KEYS') ?? ''
    ),
    liveUrlPrefix: reader.text('ADYEN_LIVE_URL_PREFIX'),
    checkoutUrl: readOrigin(reader, 'ADYEN_CHECKOUT_URL'),
    webhookUser: reader.text('ADYEN_WEBHOOK_USER'),
    webhookPassword: reader.text('ADYEN_WEBHOOK_PASSWORD'),
    reportUser: reader.text('ADYEN_REPORT_USER'),
    reportPassword: reader.text('ADYEN_REPORT_PASSWORD'),
    moto: reader.flag('ADYEN_MOTO'),
    multiplePartialCaptures: reader.flag('ADYEN_MULTIPLE_PARTIAL_CAPTURES')
  }
  if (live && adyen.liveUrlPrefix === undefined) {
    reader.fault('ADYEN_LIVE_URL_PREFIX is required with ADYEN_ENVIRONMENT=LIVE')
  }
  if (live && adyen.checkoutUrl !== undefined) {
    reader.fault('ADYEN_CHECKOUT_URL is refused with ADYEN_ENVIRONMENT=LIVE')
  }
  if ((adyen.webhookUser === undefined) !== (adyen.webhookPassword === undefined)) {
    reader.fault('ADYEN_WEBHOOK_USER and ADYEN_WEBHOOK_PASSWORD must be set both or neither')
  }
  if ((adyen.reportUser === undefined) !== (adyen.reportPassword === undefined)) {
    reader.fault('ADYEN_REPORT_USER and ADYEN_REPORT_PASSWORD must be set both or neither')
  }
  const webhooksAllowLoopback = reader.flag('WEBHOOKS_ALLOW_LOOPBACK')
  if (live && webhooksAllowLoopback) {
    reader.fault('WEBHOOKS_ALLOW_LOOPBACK is refused with ADYEN_ENVIRONMENT=LIVE')
  }
  return {
    ...common,
    kind: 'production',
    webhooksAllowLoopback,
    webhookPorts: readPorts(reader, 'WEBHOOK_PORTS') ?? [443],
    sealingKeys: readHexKeys(reader, 'SEALING_KEYS', reader.text('SEALING_KEYS') ?? ''),
    databaseUrl: readDatabaseUrl(reader),
    databaseDirectUrl: readDirectUrl(reader),
    publicUrl: readPublicUrl(reader),
    adyen
  }
}

/** The URL of the database alone, for the commands that need nothing else. */
export function readDatabaseUrl(reader: Reader): string {
  const url = reader.required('DATABASE_URL')
  for (const fault of url === '' ? [] : faultsOfUrl(url)) reader.fault(`DATABASE_URL ${fault}`)
  return url
}

/** Past a pooler, to the database itself; undefined where it is not set. */
export function readDirectUrl(reader: Reader): string | undefined {
  const url = reader.text('DATABASE_DIRECT_URL')
  const faults = url === undefined ? [] : faultsOfUrl(url)
  for (const fault of faults) reader.fault(`DATABASE_DIRECT_URL ${fault}`)
  const schema = schemaOf(reader.text('DATABASE_URL') ?? '')
  if (url !== undefined && schema !== undefined && schemaOf(url) !== schema) {
    reader.fault(`DATABASE_DIRECT_URL must name the schema ${schema}, as DATABASE_URL does`)
  }
  return url
}

function readPublicUrl(reader: Reader): string {
  const text = reader.required('PUBLIC_URL')
  if (text === '') return text
  checkUrl(reader, 'PUBLIC_URL', text)
  let end = text.length
  while (text[end - 1] === '/') end -= 1
  return text.slice(0, end)
}

/** Both or neither. */
function readOAuth(reader: Reader): OAuthConfig | null {
  const [issuer, audience] = [reader.text('OAUTH_ISSUER'), reader.text('OAUTH_AUDIENCE')]
  if ((issuer === undefined) !== (audience === undefined)) {
    reader.fault('OAUTH_ISSUER and OAUTH_AUDIENCE must be set both or neither')
  }
  if (issuer !== undefined) checkUrl(reader, 'OAUTH_ISSUER', issuer)
  return issuer === undefined || audience === undefined ? null : { issuer, audience }
}

function readPaymentMethods(reader: Reader): PageMethod[] {
  const named = (reader.text('PAYMENT_METHODS') ?? 'scheme').split(',').map((one) => one.trim())
  const unknown = named.filter((one) => !(pageMethods as readonly string[]).includes(one))
  if (unknown.length > 0) {
    reader.fault(`PAYMENT_METHODS: ${unknown.join(', ')} is none of ${pageMethods.join(', ')}`)
  } else if (!named.includes('scheme')) {
    reader.fault('PAYMENT_METHODS must have scheme: not everybody has a wallet')
  }
  return pageMethods.filter((one) => named.includes(one))
}

/** The sandbox brings an issuer of its own where it is told to. */
function readIssuerPort(reader: Reader): number | null {
  const port = reader.integer('ISSUER_PORT', 3009, 0, 65_535)
  if (!reader.flag('SANDBOX_OAUTH')) return null
  if (reader.text('OAUTH_ISSUER') !== undefined) {
    reader.fault('OAUTH_ISSUER is refused with SANDBOX_OAUTH, which brings an issuer of its own')
  }
  return port
}

function readMerchantName(reader: Reader): string | null {
  const name = reader.text('MERCHANT_NAME') ?? null
  if (name !== null && name.length > longestName) {
    reader.fault(`MERCHANT_NAME must have at most ${longestName} characters`)
  }
  return name
}

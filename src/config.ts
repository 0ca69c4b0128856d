/**
 * The configuration of the service, read once from the environment: every fault is shown at once,
 * and a part of a production configuration never falls back to the sandbox.
 */
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { isLoopback } from './clients/client.ts'
import { faultsOfUrl } from './database/connection-url.ts'
import type { ShareSizes } from './database/shares.ts'

export type Env = Readonly<Record<string, string | undefined>>

export type CommonConfig = {
  host: string
  port: number
  metricsPort: number
  logLevel: string
  /** The deadline of one call to Adyen, ms. */
  adyenTimeoutMs: number
  /** The operator's own limit of a payment, minor units of whatever currency. */
  paymentMaxValue: number
  /** For how long a payment of the same account and amount is a duplicate, s; 0 for never. */
  duplicateWindowS: number
  /** Refunds above it need an approval, minor units of whatever currency; null for none. */
  refundApprovalAbove: number | null
  /** How long after its capture a settlement report must have a payment, days. */
  settlementMissingDays: number
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
const hmacKey = /^[0-9a-fA-F]{64}$/
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
    paymentMaxValue: reader.integer('PAYMENT_MAX_VALUE', largestPayment, 1, largestPayment),
    duplicateWindowS: reader.integer('DUPLICATE_WINDOW_S', 600, 0, longestWindowS),
    refundApprovalAbove: reader.integer('REFUND_APPROVAL_ABOVE', null, 0, largestPayment),
    settlementMissingDays: reader.integer('SETTLEMENT_MISSING_DAYS', 7, 0, longestMissingDays),
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
    merchantName: readMerchantName(reader)
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
        shopPort: reader.integer('SHOP_PORT', 3002, 0, 65_535)
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
    publicUrl: readPublicUrl(reader, live),
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
  return url
}

function readPublicUrl(reader: Reader, live: boolean): string {
  const text = reader.required('PUBLIC_URL')
  if (text === '') return text
  const url = URL.canParse(text) ? new URL(text) : undefined
  const secure = url?.protocol === 'https:'
  const local = !live && url?.protocol === 'http:' && isLoopback(url.hostname)
  if (!secure && !local) {
    reader.fault('PUBLIC_URL must be https (with ADYEN_ENVIRONMENT=TEST also http to loopback)')
  }
  if (url !== undefined && (url.search || url.hash || url.username || url.password)) {
    reader.fault('PUBLIC_URL must have no query, fragment or user information')
  }
  let end = text.length
  while (text[end - 1] === '/') end -= 1
  return text.slice(0, end)
}

/**
 * A comma-separated list, for rotation. Node decodes hexadecimal up to the first wrong digit
 * without a word, so that a slip would leave a key that anybody can guess.
 */
function readHexKeys(reader: Reader, name: string, text: string): Buffer[] {
  if (text === '') return []
  const keys = text.split(',').map((key) => key.trim())
  const wrong = keys.flatMap((key, place) => (hmacKey.test(key) ? [] : [place + 1]))
  if (wrong.length > 0) {
    reader.fault(`${name}: key ${wrong.join(', ')} is not 64 hexadecimal digits`)
  }
  return keys.map((key) => Buffer.from(key, 'hex'))
}

function readPorts(reader: Reader, name: string): number[] | undefined {
  const ports = reader.text(name)?.split(',').map(Number)
  if (ports?.some((port) => !Number.isInteger(port) || port < 1 || port > 65_535)) {
    reader.fault(`${name} must be ports with commas, such as 443,8443`)
  }
  return ports
}

function readOrigin(reader: Reader, name: string): string | undefined {
  const text = reader.text(name)
  if (text === undefined) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search) {
    reader.fault(`${name} must be an origin without a path, such as http://127.0.0.1:9999`)
    return undefined
  }
  return url.origin
}

/** Addresses, and networks such as 10.0.0.0/8, with commas. */
function readNetworks(reader: Reader, name: string): string[] {
  const all =
    reader
      .text(name)
      ?.split(',')
      .map((one) => one.trim()) ?? []
  const wrong = all.filter((one) => isIP(one) === 0 && !ipaddr.isValidCIDR(one))
  if (wrong.length > 0) reader.fault(`${name}: ${wrong.join(', ')} is no address and no network`)
  return all
}

function readMerchantName(reader: Reader): string | null {
  const name = reader.text('MERCHANT_NAME') ?? null
  if (name !== null && name.length > longestName) {
    reader.fault(`MERCHANT_NAME must have at most ${longestName} characters`)
  }
  return name
}

type Reader = ReturnType<typeof createReader>

/** Reads variables and gathers their faults; an empty text counts as not set. */
export function createReader(env: Env) {
  const faults: string[] = []
  const fault = (text: string) => {
    faults.push(text)
  }
  const text = (name: string) => env[name]?.trim() || undefined
  return {
    faults: faults as readonly string[],
    fault,
    text,
    required(name: string): string {
      const value = text(name)
      if (value === undefined) fault(`${name} is required`)
      return value ?? ''
    },
    oneOf(name: string, values: readonly string[], required = false): string | undefined {
      const value = text(name)
      if (value === undefined && required) fault(`${name} is required: ${values.join(' or ')}`)
      if (value !== undefined && !values.includes(value)) {
        fault(`${name} must be one of ${values.join(', ')}`)
      }
      return value
    },
    /** `true` or `false`; false where it is not set. */
    flag(name: string): boolean {
      const value = text(name) ?? 'false'
      if (value !== 'true' && value !== 'false') fault(`${name} must be true or false`)
      return value === 'true'
    },
    /** `otherwise` where it is not set. */
    integer<Otherwise extends number | null>(
      name: string,
      otherwise: Otherwise,
      min: number,
      max: number
    ): number | Otherwise {
      const value = text(name)
      if (value === undefined) return otherwise
      const number = /^\d+$/.test(value) ? Number(value) : Number.NaN
      if (number >= min && number <= max) return number
      fault(`${name} must be an integer from ${min} to ${max}`)
      return otherwise
    }
  }
}

/**
 * The service with everything that it needs beside it: an embedded PostgreSQL, and the simulator of
 * Adyen as a process of its own. All its data stays in one folder.
 */
import { hash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import * as fs from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import type { Logger } from 'pino'
import { scopes } from '../src/clients/client.ts'
import type { SandboxConfig } from '../src/config.ts'
import { migrate } from '../src/database/migrate.ts'
import { startService } from '../src/service.ts'
import { toBanner } from './banner.ts'
import { type Beside, startBeside } from './beside.ts'
import { openDatabase } from './database.ts'
import { startPostgres } from './postgres.ts'
import { oauthSubject, seed } from './seed.ts'
import { startShop } from './shop.ts'

const merchantAccount = 'SandboxMerchant'
const databaseName = 'payments'
const secretsFile = 'secrets.json'
const runningFile = 'running.json'

type Secrets = { demoKey: string; adyenApiKey: string; hmacKey: string }

export type Sandbox = { close(): Promise<void> }

/**
 * Starts it all and prints how to use it. `onFault`: a part of it has ended by itself, so the rest
 * is of no use.
 */
export async function startSandbox(
  config: SandboxConfig,
  log: Logger,
  print: (text: string) => void,
  onFault: (reason: string) => void
): Promise<Sandbox> {
  const dir = resolve(config.dir)
  const closers: Array<() => Promise<void>> = []
  // Last opened, first closed: the service drains while its database is still there.
  const close = async () => {
    for (const end of closers.splice(0).reverse()) await end()
  }
  try {
    await fs.mkdir(dir, { recursive: true, mode: 0o755 })
    const secrets = await readSecrets(dir)
    const postgres = await startPostgres({ dir: join(dir, 'postgres'), onExit: onFault })
    closers.push(postgres.stop)
    const databaseUrl = postgres.url(databaseName)
    const db = await openDatabase(postgres.url('postgres'), databaseUrl, databaseName)
    await migrate(db, { cure: `Start afresh: rm -rf ${quote(config.dir)} && npm start` })
    const seeded = await seed(db, secrets.demoKey, config.issuerPort !== null)
    await db.destroy()

    const port = config.port || (await findFreePort())
    const publicUrl = `http://${config.host}:${port}`
    const simulator = await startSimulator(config, dir, secrets, publicUrl, onFault)
    closers.push(simulator.stop)
    const issuer = await startIssuer(config, secrets, publicUrl, onFault)
    closers.push(issuer.stop)
    const merchantName = config.merchantName ?? 'Sandbox Merchant'
    const service = await startService({
      ...config,
      merchantName,
      port,
      publicUrl,
      databaseUrl,
      sandbox: true,
      oauth: issuer.oauth ?? config.oauth,
      sealingKeys: [Buffer.from(toKey(secrets, 'sealing'), 'hex')],
      log,
      adyen: {
        environment: 'TEST',
        apiKey: secrets.adyenApiKey,
        merchantAccount,
        hmacKeys: [Buffer.from(secrets.hmacKey, 'hex')],
        tokenHmacKeys: [Buffer.from(toKey(secrets, 'token webhooks'), 'hex')],
        liveUrlPrefix: undefined,
        checkoutUrl: simulator.url,
        webhookUser: undefined,
        webhookPassword: undefined,
        moto: false,
        multiplePartialCaptures: false
      }
    })
    closers.push(service.close)
    const shop = await startShop({
      ...{ host: config.host, port: config.shopPort, merchantName },
      ...{ apiUrl: publicUrl, key: secrets.demoKey }
    })
    closers.push(shop.close)
    await writePrivately(join(dir, runningFile), JSON.stringify({ databaseUrl }))
    closers.push(() => fs.rm(join(dir, runningFile), { force: true }))
    const urls = { publicUrl, simulatorUrl: simulator.url, shopUrl: shop.url }
    print(toBanner({ ...urls, dir: config.dir, ...secrets, ...seeded, ...issuer }))
    return { close }
  } catch (error) {
    await close()
    throw error
  }
}

/** As a shell takes it. */
function quote(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/** The database of a sandbox that runs on this folder; undefined where none does. */
export async function findSandboxDatabase(dir: string): Promise<string | undefined> {
  try {
    const text = await fs.readFile(join(resolve(dir), runningFile), 'utf8')
    return (JSON.parse(text) as { databaseUrl: string }).databaseUrl
  } catch {
    return undefined
  }
}

/** Made once, so that what was copied from one start works after the next. */
async function readSecrets(dir: string): Promise<Secrets> {
  const file = join(dir, secretsFile)
  try {
    return JSON.parse(await fs.readFile(file, 'utf8')) as Secrets
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const secrets: Secrets = {
    demoKey: `opk_${randomBytes(32).toString('base64url')}`,
    adyenApiKey: randomBytes(24).toString('base64url'),
    hmacKey: randomBytes(32).toString('hex')
  }
  await writePrivately(file, JSON.stringify(secrets, null, 2))
  return secrets
}

/** A key of its own for each use; made of the first, since a folder may be older than they are. */
function toKey({ hmacKey }: Secrets, use: 'token webhooks' | 'sealing' | 'oauth'): string {
  return hash('sha256', `${use} ${hmacKey}`)
}

/** Written beside and renamed, so that a crash leaves the old file or the new one. */
async function writePrivately(file: string, text: string): Promise<void> {
  await fs.writeFile(`${file}.new`, text, { mode: 0o600 })
  await fs.rename(`${file}.new`, file)
}

async function startSimulator(
  config: SandboxConfig,
  dir: string,
  secrets: Secrets,
  publicUrl: string,
  onFault: (reason: string) => void
): Promise<Beside> {
  const env = {
    SIMULATOR_PORT: String(config.simulatorPort),
    SIMULATOR_DIR: join(dir, 'simulator'),
    SIMULATOR_API_KEY: secrets.adyenApiKey,
    SIMULATOR_MERCHANT_ACCOUNT: merchantAccount,
    SIMULATOR_HMAC_KEY: secrets.hmacKey,
    SIMULATOR_TOKEN_HMAC_KEY: toKey(secrets, 'token webhooks'),
    SIMULATOR_WEBHOOK_URL: `${publicUrl}/webhooks/adyen`
  }
  return await startBeside('the simulator of Adyen', './simulator/main.ts', env, onFault)
}

/** Where it is asked for. Its one client may be given every scope, for this service alone. */
async function startIssuer(
  { issuerPort }: SandboxConfig,
  secrets: Secrets,
  audience: string,
  onFault: (reason: string) => void
) {
  if (issuerPort === null) return { stop: async () => {} }
  const client = { id: oauthSubject, secret: toKey(secrets, 'oauth') }
  const env = {
    ISSUER_PORT: String(issuerPort || (await findFreePort())),
    ISSUER_AUDIENCE: audience,
    ISSUER_SCOPES: scopes.join(' '),
    ISSUER_CLIENTS: JSON.stringify([client])
  }
  const started = await startBeside('the issuer of tokens', './issuer-process.ts', env, onFault)
  const { url: issuer, stop } = started
  return { stop, oauth: { issuer, audience }, tokens: { issuer, ...client } }
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** The servers that are compared, each with its own database. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import type { Build } from './build.ts'
import { merchantAccount, returnOrigin, type ServerName } from './operations.ts'
import {
  type Child,
  findFreePort,
  startBalancer,
  startHelper,
  startMain,
  untilReady
} from './processes.ts'
import { createTemplate, pushAccounts, seedFloor, seedOurs } from './seed.ts'
import { openClient, type Site } from './site.ts'

export type Target = {
  name: ServerName
  /** Of its instances. */
  pids: readonly number[]
  port: number
  /** What stands before its instances, and is none of the server. */
  balancer?: number
  apiKey: string
  db: pg.Client
  build?: Build
  /** Makes `count` payments that wait for their outcome, the first with that number. */
  seed(first: number, count: number): Promise<void>
  /** Statements that count what creates, and notifications, have written so far, as `written`. */
  tallies: { create: string; webhook: string }
  /** A statement that counts what was accepted and is not applied yet, as `due`. */
  backlog: string | undefined
  /** When events were committed, by their ids: `id`, and `at`, ms of the clock. */
  commits: string
  /** Starts another instance on the same database. */
  startAnother(): Promise<Instance>
}

export type Instance = Child & { port: number }

const pages = 'select count(*) as written from payment where checkout_url is not null'

export async function startFloor(site: Site): Promise<Target> {
  const db = await openClient(site.url('floor'), site.cleaner)
  await db.query(await readFile(new URL('floor.sql', import.meta.url), 'utf8'))
  const env = {
    FLOOR_DATABASE_URL: site.url('floor'),
    FLOOR_PROVIDER_URL: `http://127.0.0.1:${site.stub.said.port}`,
    FLOOR_HMAC_KEY: site.hmacKey
  }
  const startAnother = async () => {
    const { said, ...child } = await startHelper<{ port: number }>('floor.ts', env, site.cleaner)
    return { ...child, port: said.port }
  }
  const { pid, port } = await startAnother()
  return {
    name: 'floor',
    pids: [pid],
    port,
    apiKey: 'none',
    db,
    seed: (first, count) => seedFloor(db, first, count),
    tallies: {
      create: pages,
      webhook: `select least((select count(*) from inbox),
        (select count(*) from payment where status = 'captured')) as written`
    },
    backlog: undefined,
    commits: '',
    startAnother
  }
}

/** The configuration of a production, with the stub in Adyen's place. */
export function productionEnv(
  site: Site,
  port: number,
  database = 'service'
): Record<string, string> {
  return {
    DATABASE_URL: site.url(database),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    HOST: '127.0.0.1',
    PORT: String(port),
    METRICS_PORT: '0',
    DRAIN_S: '0',
    ADYEN_ENVIRONMENT: 'TEST',
    ADYEN_API_KEY: 'bench',
    ADYEN_MERCHANT_ACCOUNT: merchantAccount,
    ADYEN_HMAC_KEYS: site.hmacKey,
    ADYEN_CHECKOUT_URL: `http://127.0.0.1:${site.stub.said.port}`,
    // The receiver of the bench is here.
    WEBHOOKS_ALLOW_LOOPBACK: 'true'
  }
}

type InstanceOptions = {
  database?: string | undefined
  program?: string | undefined
  env?: Record<string, string>
  port?: number
}

/** Starts an instance of the service on its database, and waits until it is ready. */
export async function startInstance(
  site: Site,
  logName: string,
  { database, program, env = {}, port: wanted }: InstanceOptions = {}
): Promise<Instance> {
  const port = wanted ?? (await findFreePort())
  const log = join(site.folder, logName)
  const whole = { ...productionEnv(site, port, database), ...env }
  const child = startMain([], whole, log, site.cleaner, program)
  await untilReady(port, child, log)
  return { ...child, port }
}

/** Runs a command of a build to its end; its code, and what it wrote. */
async function runMain(site: Site, { name, program }: Build, ...args: string[]) {
  const log = join(site.folder, `${name}-${args.join('-').slice(0, 40)}.log`)
  const env = { DATABASE_URL: site.url(name) }
  const { process } = startMain(args, env, log, site.cleaner, program)
  const [code] = await once(process, 'exit')
  return { code: code as number | null, text: await readFile(log, 'utf8') }
}

/** What the bench asks of a client, as far as the build knows it. */
const wantedScopes = ['payments:read', 'payments:write', 'accounts:write', 'webhooks:write']

/** The database of a build is migrated, and its client made, by its own commands. */
async function prepare(site: Site, build: Build): Promise<string> {
  const run = async (...args: string[]) => {
    const { code, text } = await runMain(site, build, ...args)
    if (code !== 0) throw new Error(`${build.name}: ${args[0]} has failed: ${text}`)
    return text
  }
  await run('migrate')
  // It lists its scopes, whether it takes the word for help or for a fault.
  const { text: usage } = await runMain(site, build, 'client', '--help')
  const client = await run(
    ...['client', 'create', '--name', 'bench', '--return-origin', returnOrigin, '--json'],
    ...wantedScopes.filter((one) => usage.includes(one)).flatMap((one) => ['--scope', one])
  )
  return (JSON.parse(client) as { key: string }).key
}

export async function startOurs(site: Site, build: Build = { name: 'service' }): Promise<Target> {
  const { name, program } = build
  const apiKey = await prepare(site, build)
  const startAnother = () => startInstance(site, `${name}.log`, { database: name, program })
  const { port, pid } = await startAnother()
  await pushAccounts(port, apiKey)
  const template = await createTemplate(port, apiKey)
  const db = await openClient(site.url(name), site.cleaner)
  return {
    name,
    pids: [pid],
    port,
    apiKey,
    db,
    build,
    seed: (first, count) => seedOurs(db, template, first, count),
    tallies: {
      create: pages,
      webhook: `select least((select count(*) from notification where status = 'applied'),
        (select count(*) from payment where status = 'captured'),
        (select count(*) from ledger_transfer where posting = 'payment')) as written`
    },
    backlog: 'select count(*) as due from notification where next_attempt_at is not null',
    commits: `select payment_id || '.' || sequence as id,
        extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000 as at
      from payment_event where payment_id = any(
        select split_part(id, '.', 1) from unnest($1::text[]) id)`,
    startAnother
  }
}

/** The balancer has seen that its instances are ready, ms. */
const seenMs = 500

/** The target as two instances behind the balancer, until `stop`. */
export async function startTwo(site: Site, target: Target) {
  const other = await target.startAnother()
  const balancer = await startBalancer([target, other], site.cleaner)
  await new Promise((resolve) => setTimeout(resolve, seenMs))
  const both: Target = {
    ...target,
    pids: [...target.pids, other.pid],
    port: balancer.said.port,
    balancer: balancer.pid
  }
  const stop = async () => {
    await balancer.stop()
    await other.stop()
  }
  return { target: both, stop }
}

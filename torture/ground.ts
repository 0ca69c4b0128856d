/** What is tortured: two instances behind a balancer on one database, and Adyen beside them. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import {
  type Child,
  type Cleaner,
  startBalancer,
  startHelper,
  startMain,
  untilReady
} from '../bench/processes.ts'
import { scopes } from '../src/clients/client.ts'
import { findFreePort } from '../test/test-service.ts'

export type Instance = Child & { port: number }

export type Ground = {
  /** Of the balancer: what clients, browsers and Adyen are told. */
  url: string
  simulatorUrl: string
  apiKey: string
  /** Of the owner of the database. */
  ownerUrl: string
  postgresVersion: string
  instances: readonly [Instance, Instance]
  /** Ends an instance at once, as a power cut would. */
  kill(place: Place): Promise<void>
  /** Asks an instance to end, and waits until it has. */
  stop(place: Place): Promise<void>
  /** Starts it again, by another `src/main.ts` where one is given; until it is ready. */
  start(place: Place, program?: string): Promise<void>
}
export type Place = 0 | 1
export const places: readonly Place[] = [0, 1]

type Options = {
  /** For logs; the cleaner removes it. */
  folder: string
  /** Connects to the server's own database as somebody who may do everything. */
  serverUrl(database: string): string
  /** `src/main.ts` of what runs at first: this tree unless given. */
  program?: string
}

const run = promisify(execFile)
export const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
/** On a machine that is busy with other work a start takes long. */
const readyWithinMs = 120_000
const database = 'payments'
const role = 'service'
export const returnOrigin = 'https://selfcare.example'

/** Runs a command of a tree to its end; answers what it wrote. */
export async function runMain(
  program: string,
  args: readonly string[],
  env: Record<string, string>
): Promise<string> {
  const all = ['--disable-warning=ExperimentalWarning', program, ...args]
  const { stdout } = await run(process.execPath, all, {
    env: { PATH: process.env.PATH ?? '', ...env }
  })
  return stdout
}

/** Brings the schema to what `program` needs; also while instances run. */
export const migrate = (program: string, ownerUrl: string) =>
  runMain(program, ['migrate', '--grant-to', role], { DATABASE_URL: ownerUrl })

export async function openGround(cleaner: Cleaner, options: Options): Promise<Ground> {
  const { folder, serverUrl, program: first = main } = options
  const server = new pg.Client(serverUrl('postgres'))
  await server.connect()
  await server.query(`create database ${database}`)
  await server.query(`create role ${role} login`)
  const { rows } = await server.query<{ server_version: string }>('show server_version')
  await server.end()
  const ownerUrl = serverUrl(database)
  await migrate(first, ownerUrl)
  const apiKey = await addClient(first, ownerUrl)

  const ports = [await findFreePort(), await findFreePort()] as const
  const balancer = await startBalancer(
    ports.map((port) => ({ port })),
    cleaner,
    { checkEveryMs: 200 }
  )
  const url = `http://127.0.0.1:${balancer.said.port}`
  const adyen = { apiKey: 'torture', hmacKey: randomBytes(32).toString('hex'), account: 'Torture' }
  const simulator = await startHelper<{ url: string }>(
    '../torture/simulator.ts',
    {
      SIMULATOR_WEBHOOK_URL: `${url}/webhooks/adyen`,
      SIMULATOR_API_KEY: adyen.apiKey,
      SIMULATOR_HMAC_KEY: adyen.hmacKey,
      SIMULATOR_MERCHANT_ACCOUNT: adyen.account
    },
    cleaner
  )
  const serviceUrl = new URL(ownerUrl)
  serviceUrl.username = role
  const env = {
    DATABASE_URL: serviceUrl.href,
    PUBLIC_URL: url,
    HOST: '127.0.0.1',
    METRICS_PORT: '0',
    LOG_LEVEL: 'warn',
    DRAIN_S: '1',
    // What a killed instance was at is taken up once this and two seconds are over.
    ADYEN_TIMEOUT_MS: '1000',
    ADYEN_ENVIRONMENT: 'TEST',
    ADYEN_API_KEY: adyen.apiKey,
    ADYEN_MERCHANT_ACCOUNT: adyen.account,
    ADYEN_HMAC_KEYS: adyen.hmacKey,
    ADYEN_CHECKOUT_URL: simulator.said.url,
    // What is killed writes none: it is that of the tests, and of those that end as they should.
    NODE_COMPILE_CACHE: fileURLToPath(new URL('../.tap/compile-cache', import.meta.url))
  }
  const launch = async (place: Place, program: string): Promise<Instance> => {
    const port = ports[place]
    const log = join(folder, `instance-${place}.log`)
    const child = startMain([], { ...env, PORT: String(port) }, log, cleaner, program)
    await untilReady(port, child, log, readyWithinMs)
    return { ...child, port }
  }
  const instances: [Instance, Instance] = await Promise.all([launch(0, first), launch(1, first)])
  const end = async (place: Place, signal: NodeJS.Signals) => {
    const { process: child } = instances[place]
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
  return {
    ...{ url, simulatorUrl: simulator.said.url, apiKey, ownerUrl, instances },
    postgresVersion: rows[0]?.server_version ?? '',
    kill: (place) => end(place, 'SIGKILL'),
    stop: (place) => end(place, 'SIGTERM'),
    async start(place, program = main) {
      instances[place] = await launch(place, program)
    }
  }
}

/** A client that may do everything; answers its key. */
async function addClient(program: string, ownerUrl: string): Promise<string> {
  const asked = ['--name', 'torture', '--return-origin', returnOrigin, '--json']
  const all = scopes.flatMap((scope) => ['--scope', scope])
  const told = await runMain(program, ['client', 'create', ...asked, ...all], {
    DATABASE_URL: ownerUrl
  })
  return (JSON.parse(told) as { key: string }).key
}

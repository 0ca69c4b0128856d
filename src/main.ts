/**
 * The only file with side effects of its own: it reads the environment and starts what is asked
 * for.
 */
import { existsSync, readFileSync } from 'node:fs'
import { text as readAll } from 'node:stream/consumers'
import { parseEnv } from 'node:util'
import type { Logger } from 'pino'
import { clientUsage, readClientArguments, runClientCommand } from './clients/client.commands.ts'
import { asksForHelp, CommandFault, readArguments, usageFault } from './command-line.ts'
import {
  ConfigFault,
  type ProductionConfig,
  readConfig,
  readDatabaseUrl,
  readDirectUrl
} from './config.ts'
import { checkConnections, checkDirect } from './database/connection-check.ts'
import { connect, type Db } from './database/database.ts'
import { DatabaseFault, findRemedy } from './database/fault.ts'
import { grantTo } from './database/grants.ts'
import { findPendingMigrations, migrate } from './database/migrate.ts'
import { isUnavailable, reasonOf } from './database/unavailable.ts'
import {
  eraseUsage,
  readEraseArguments,
  readsLines,
  runEraseCommand
} from './erasure/erasure.commands.ts'
import { createLogger } from './logger.ts'
import { createReader } from './settings/reader.ts'
import { readVerifyArguments, runVerifyCommand, verifyUsage } from './verify/verify.commands.ts'
import { createSealing } from './webhooks/sealing.ts'
import { findMissingKeys } from './webhooks/webhook.store.ts'

/** All is stopped within this, and the time to drain, or the process ends without it; s. */
const stopWithinS = 9.5

const usage = `
npm start                                the service, or without configuration the sandbox
npm run migrate [-- --grant-to ROLE]     what the database lacks; what ROLE needs to run the service
npm run client -- --help                 API clients and their keys
npm run verify -- --help                 reads the database and names what is broken
npm run erase -- --help                  takes what is personal from what is kept of an account
npm run openapi [-- --check]             writes openapi/, or compares it with the routes

README.md has the variables, which may also stand in a file .env.
`.trim()

/** Of commands that have more to say. */
const usages: Readonly<Record<string, string>> = {
  client: clientUsage,
  verify: verifyUsage,
  erase: eraseUsage
}

/** The image does not carry it. */
const hasSandbox = existsSync(new URL('../sandbox/sandbox.ts', import.meta.url))

const commands: Readonly<Record<string, (args: string[]) => Promise<void>>> = {
  start,
  migrate: runMigrate,
  client: runClient,
  verify: runVerify,
  erase: runErase,
  openapi: runOpenApi
}

async function start(args: string[]): Promise<void> {
  readArguments(args, {}, 0, usage)
  const config = readConfig(process.env, hasSandbox)
  if (config.kind === 'sandbox') {
    // Its log goes to stderr, so that what it prints for people stands alone on stdout.
    const { logLevel, tracing } = config
    const isTerminal = process.stderr.isTTY === true
    const log = createLogger(logLevel, isTerminal, 'stderr', tracing !== null)
    const print = (text: string) => void process.stdout.write(text)
    const { startSandbox } = await loadSandbox()
    const starting = startSandbox(config, log, print, (reason) => end(log, reason))
    stopOnSignals(log, config, starting)
    await starting
    return
  }
  const { logLevel, tracing } = config
  const log = createLogger(logLevel, process.stdout.isTTY === true, 'stdout', tracing !== null)
  // Most of the time that a start takes is reading it: nobody waits for that to hear of a fault.
  const { startService } = await import('./service.ts')
  const starting = startService({
    ...config,
    sandbox: false,
    log,
    check: async (db) => {
      await checkConnections(config.databaseUrl, config.databaseDirectUrl)
      await refuseDatabase(db, config)
    }
  })
  stopOnSignals(log, config, starting)
  const { url } = await starting
  if (config.sealingKeys.length === 0) {
    log.warn('the secrets of webhook endpoints are kept as they are: set SEALING_KEYS')
  }
  log.info({ url, adyen: config.adyen.environment }, 'ready')
}

async function loadSandbox() {
  return await import('../sandbox/sandbox.ts')
}

/** Throws a `ConfigFault` where migrations are pending, or secrets can't be opened. */
async function refuseDatabase(db: Db, { sealingKeys }: ProductionConfig): Promise<void> {
  const pending = await findPendingMigrations(db)
  if (pending.length > 0) {
    throw new ConfigFault([`Migrations are pending: ${pending.join(', ')}. Run npm run migrate.`])
  }
  const missing = await findMissingKeys(db, createSealing(sealingKeys).keyIds)
  if (missing.length === 0) return
  throw new ConfigFault([`SEALING_KEYS lacks what sealed secrets: key ${missing.join(', ')}.`])
}

/** Node as process 1 of a container ignores signals that nobody handles. */
function stopOnSignals(
  log: Logger,
  { drainS }: Pick<ProductionConfig, 'drainS'>,
  starting: Promise<{ close(): Promise<void> }>
): void {
  let stopping = false
  const stop = async (signal: string) => {
    if (stopping) return
    stopping = true
    log.info({ signal }, 'stopping')
    const withinMs = (drainS + stopWithinS) * 1_000
    setTimeout(() => end(log, 'it did not stop in time'), withinMs).unref()
    const started = await Promise.race([starting, undefined])
    await started?.close()
    process.exit(0)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

function end(log: Logger, reason: string): void {
  log.fatal(reason)
  process.exit(1)
}

async function runMigrate(args: string[]): Promise<void> {
  const options = { 'grant-to': { type: 'string' } } as const
  const { 'grant-to': role } = readArguments(args, options, 0, usage).values
  const url = directDatabaseUrl()
  await checkDirect(url)
  const db = connect(url, { max: 1, patient: true })
  const say = (line: string) =>
    void process.stdout.write(`${line}
`)
  try {
    const applied = await migrate(db, {
      tell: (line) => void process.stderr.write(`${line}\n`),
      finish: async (own) => {
        if (role !== undefined) await grantTo(own, role)
      }
    })
    say(applied.length === 0 ? 'Nothing to migrate.' : `Applied ${applied.join(', ')}.`)
    if (role !== undefined) say(`${role} may do what the service needs.`)
  } finally {
    await db.destroy()
  }
}

async function runClient(args: string[]): Promise<void> {
  const asked = readClientArguments(args)
  await withDatabase(async (db, sandbox) => {
    process.stdout.write(`${await runClientCommand(db, asked, sandbox)}\n`)
  })
}

async function runVerify(args: string[]): Promise<void> {
  const asked = readVerifyArguments(args)
  const tell = (line: string) => void process.stderr.write(`${line}\n`)
  await withDatabase(async (db) => {
    const { text, holds } = await runVerifyCommand(db, asked, tell)
    process.stdout.write(`${text}\n`)
    if (!holds) process.exitCode = 1
  })
}

async function runErase(args: string[]): Promise<void> {
  const asked = readEraseArguments(args)
  const said = readsLines(asked) ? await readAll(process.stdin) : ''
  const lines = said.split(/\r?\n/).filter(Boolean)
  const tell = (line: string) => void process.stderr.write(`${line}\n`)
  const erase = async (db: Db) => {
    const { text, isDone } = await runEraseCommand(db, asked, lines, tell)
    if (text !== '') process.stdout.write(`${text}\n`)
    if (!isDone) process.exitCode = 1
  }
  await withDatabase(erase, { patient: true })
}

/** With that of DATABASE_URL, or of the running sandbox where nothing is set. */
async function withDatabase(
  run: (db: Db, sandbox: boolean) => Promise<void>,
  options: { patient?: boolean } = {}
): Promise<void> {
  const dir = process.env.SANDBOX_DIR || '.sandbox'
  const sandbox = hasSandbox && !process.env.DATABASE_URL
  const ownUrl = options.patient ? directDatabaseUrl : onlyDatabaseUrl
  const url = sandbox ? await (await loadSandbox()).findSandboxDatabase(dir) : ownUrl()
  if (url === undefined) {
    throw new CommandFault('Set DATABASE_URL, or start the sandbox first (npm start).')
  }
  const db = connect(url, { max: 1, ...options })
  try {
    await run(db, sandbox)
  } finally {
    await db.destroy()
  }
}

async function runOpenApi(args: string[]): Promise<void> {
  const options = { check: { type: 'boolean' } } as const
  const { check = false } = readArguments(args, options, 0, usage).values
  const { writeOpenApi } = await import('./openapi-file.ts')
  if (!(await writeOpenApi(check))) {
    throw new CommandFault('openapi/ is not what the routes say. Run npm run openapi.')
  }
}

/** Past a pooler where there is one: what holds for a session is of no use behind it. */
function directDatabaseUrl(): string {
  const reader = createReader(process.env)
  const url = readDirectUrl(reader) ?? readDatabaseUrl(reader)
  if (reader.faults.length > 0) throw new ConfigFault(reader.faults)
  return url
}

function onlyDatabaseUrl(): string {
  const reader = createReader(process.env)
  const url = readDatabaseUrl(reader)
  if (reader.faults.length > 0) throw new ConfigFault(reader.faults)
  return url
}

/** What the environment says counts more. A file that can't be read might hold DATABASE_URL. */
function loadVariables(path: string): void {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path))
    if (text.includes('\0')) throw new TypeError('It holds NUL.')
    for (const [name, value] of Object.entries(parseEnv(text))) process.env[name] ??= value
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reason = error instanceof TypeError ? 'is no text in UTF-8' : `can't be read: ${code}`
    throw new CommandFault(`The file ${path} ${reason}.`)
  }
}

async function main(): Promise<void> {
  if (existsSync('.env')) loadVariables('.env')
  const [name = 'start', ...args] = process.argv.slice(2)
  const isKnown = Object.hasOwn(commands, name)
  if (asksForHelp(isKnown ? args : [name])) {
    process.stdout.write(`${usages[name] ?? usage}\n`)
    return
  }
  if (!isKnown) throw usageFault([`There is no command ${name}.`], usage)
  await commands[name]?.(args)
}

main().catch((error: NodeJS.ErrnoException) => {
  process.stderr.write(`${describe(error)}\n`)
  process.exit(error instanceof CommandFault ? error.exitCode : 1)
})

/** People get a sentence; only what nobody expected comes with its stack. */
function describe(error: NodeJS.ErrnoException): string {
  if (error instanceof ConfigFault) return `${error.message}\n- ${error.faults.join('\n- ')}`
  if (error instanceof CommandFault || error instanceof DatabaseFault) return error.message
  if (error.code === 'EADDRINUSE') {
    const { port } = error as { port?: number }
    const names = 'PORT, METRICS_PORT, SIMULATOR_PORT or SHOP_PORT'
    return `Port ${port} is in use. Set ${names} to a free one.`
  }
  if (isUnavailable(error)) return `The database does not answer: ${reasonOf(error)}`
  return findRemedy(error) ?? error.stack ?? String(error)
}

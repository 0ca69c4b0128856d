/**
 * `npm run bench -- growth [--sizes 10000,1000000] [--folder DIR]`: whether the service stays as
 * quick as its history grows. Makes a year of so many payments, runs every GET route of the
 * OpenAPI document and every task of the worker, and prints time, pages and rows of each, as a
 * table and as JSON. Ends with 1 where a table that grows with payments is read from end to end, or
 * an answer is not 2xx.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type pg from 'pg'
import { pino } from 'pino'
import { startPostgres } from '../sandbox/postgres.ts'
import { buildApp } from '../src/app.ts'
import { createContext } from '../src/service.ts'
import { tasksOf } from '../src/tasks.ts'
import { type Plan, watchPlans } from './growth-plans.ts'
import { type Request, readNames, requestsOf } from './growth-requests.ts'
import { createDeliveries, makeDue, toOptions } from './growth-service.ts'
import { closeYear, keys, makeYear } from './growth-year.ts'
import type { Cleaner } from './processes.ts'
import { openClient } from './site.ts'

/** What one route or task needed at one size. */
type Measured = {
  /** `list`, `read` and `task` are to stay; a `report` goes by what it is about. */
  kind: Request['kind'] | 'task'
  name: string
  size: number
  /** Median, ms; of a task where nothing is due. */
  ms: number
  /** Of all its statements; of a task where some is due. */
  statements: number
  buffers: number
  rows: number
  scanned: string[]
  /** Of a request, where it is not 2xx; of a task, what failed. */
  fault?: string
  slowest?: string
}

/** Of a table that has no more rows, reading all of its hundred pages or so is the quickest. */
const enoughRows = 5_000
const timesEach = 7
/** What takes longer is measured less often, ms. */
const patienceMs = 3_000

/**
 * What does not grow with payments: settings, one row a day, and queues that are empty when nothing
 * is due.
 */
const small: ReadonlySet<string> = new Set([
  ...['client', 'api_key', 'api_key_use', 'webhook_endpoint', 'growth_size', 'kysely_migration'],
  ...['settlement_report', 'billing_file', 'daily_closing', 'daily_comparison', 'comparison_mark'],
  ...['event_outbox', 'posting_outbox', 'latest_payment', 'page_return', 'card_sync'],
  ...['card_registration', 'settlement_staged', 'settlement_content']
])

export async function measureGrowth(
  cleaner: Cleaner,
  tell: (line: string) => void,
  print: (text: string) => void
): Promise<boolean> {
  const { values } = parseArgs({
    args: process.argv.slice(3),
    options: {
      sizes: { type: 'string', default: '10000,1000000,10000000' },
      /** The years are kept here, and measured again where they are there. */
      folder: { type: 'string' }
    }
  })
  const sizes = values.sizes.split(',').map(Number)
  if (!sizes.every((size) => Number.isInteger(size) && size >= 1_000)) {
    throw new Error('--sizes takes numbers of at least 1000, with commas')
  }
  const folder = values.folder ?? (await mkdtemp(join(tmpdir(), 'payments-growth-')))
  if (values.folder === undefined) {
    cleaner.add(() => rm(folder, { recursive: true, force: true }))
  }
  const postgres = await startPostgres({ dir: folder, durable: false })
  cleaner.add(() => postgres.stop())
  const server = await openClient(postgres.url('postgres'), cleaner)
  await server.query('alter system set autovacuum = off')
  await server.query('select pg_reload_conf()')
  const measured: Measured[] = []
  for (const size of sizes) {
    const name = `growth_${size}`
    const url = postgres.url(name)
    const known = await server.query('select from pg_database where datname = $1', [name])
    if (known.rowCount === 0) {
      await server.query(`create database ${name}`)
      const made = await makeYear(url, (to) => openClient(to, cleaner), size, tell)
      const each = Math.round(made.bytes / size)
      print(`${size} payments: made in ${Math.round(made.seconds)} s, ${each} bytes each`)
    }
    await closeYear(url)
    measured.push(...(await measure(url, size, cleaner, { tell })))
    if (values.folder === undefined) await server.query(`drop database ${name} with (force)`)
  }
  print(toTable(measured, sizes))
  print(JSON.stringify(measured))
  return measured.every(({ scanned, fault }) => scanned.length === 0 && fault === undefined)
}

type Options = {
  tell?: (line: string) => void
  times?: number
  /** Of a table that has no more rows, all may be read. */
  fewRows?: number
  /** By the kind of a request, or the name of a task. */
  isAsked?: (what: string) => boolean
}

type How = Required<Pick<Options, 'times' | 'fewRows'>> & { size: number }

/** Asks for everything once with its plan, and then as often as `times` says. */
export async function measure(
  url: string,
  size: number,
  cleaner: Cleaner,
  options: Options = {}
): Promise<Measured[]> {
  const { tell = () => {}, isAsked = () => true } = options
  const how = { size, times: options.times ?? timesEach, fewRows: options.fewRows ?? enoughRows }
  const faults: string[] = []
  const log = pino({ level: 'error' }, { write: (line: string) => void faults.push(line) })
  const context = createContext(toOptions(url, log))
  const app = await buildApp(context)
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  const db = await openClient(url, cleaner)
  try {
    const names = await readNames(db)
    await makeDue(db)
    const scansBefore = await readScans(db)
    const measured: Measured[] = []
    const requests = (await requestsOf(names)).filter(({ kind }) => isAsked(kind))
    for (const request of requests) {
      measured.push(await measureRequest(origin, request, how))
    }
    tell(`${size} payments: ${measured.length} requests measured`)
    const { shares } = context
    const background = { ...context, db: shares.background, reads: shares.background }
    const tasks = tasksOf(background, createDeliveries(background))
    for (const task of tasks.filter(({ name }) => isAsked(name))) {
      const begun = faults.length
      measured.push({
        ...(await measureTask(task, how)),
        ...(faults.length > begun && { fault: faults[begun] as string })
      })
    }
    await app.close()
    await shares.destroy()
    // What the server itself has counted, whoever asked for it.
    const scanned = scannedBetween(scansBefore, await readScans(db), how.fewRows)
    const none = { ms: 0, statements: 0, buffers: 0, rows: 0 }
    return [...measured, { kind: 'task', name: 'counted by the server', size, ...none, scanned }]
  } finally {
    await db.end()
  }
}

async function measureRequest(
  origin: string,
  request: Request,
  { size, times, fewRows }: How
): Promise<Measured> {
  const { kind, name, path, client = 'own', accept = 'application/json' } = request
  const ask = async () => {
    const headers = { authorization: `Bearer ${keys[client]}`, accept }
    const answer = await fetch(`${origin}${path}`, { headers, redirect: 'manual' })
    const text = await answer.text()
    return answer.status < 400 ? undefined : `${answer.status} ${text}`
  }
  let fault: string | undefined
  const askAgain = async () => {
    fault = await ask()
  }
  const plans = await watchPlans(askAgain)
  const ms = await timeOf(askAgain, times)
  return { kind, name, size, ms, ...sumOf(plans, fewRows), ...(fault && { fault }) }
}

async function measureTask(
  { name, run }: { name: string; run: () => Promise<number> },
  { size, times, fewRows }: How
): Promise<Measured> {
  const plans = await watchPlans(run)
  // Until nothing is due.
  for (let round = 0; round < 20 && (await run()) > 0; round += 1);
  return { kind: 'task', name, size, ms: await timeOf(run, times), ...sumOf(plans, fewRows) }
}

function sumOf(plans: readonly Plan[], fewRows: number) {
  const sum = (of: 'buffers' | 'rows') => plans.reduce((total, plan) => total + plan[of], 0)
  const scanned = plans
    .flatMap(({ scanned }) => scanned)
    .filter(({ table, rows }) => rows > fewRows && !small.has(table))
    .map(({ table }) => table)
  const [slowest] = plans.toSorted((one, other) => other.buffers - one.buffers)
  return {
    statements: plans.length,
    buffers: sum('buffers'),
    rows: sum('rows'),
    scanned: [...new Set(scanned)],
    ...(slowest && { slowest: slowest.text.replaceAll(/\s+/g, ' ').slice(0, 300) })
  }
}

/** Median, ms. */
async function timeOf(work: () => Promise<unknown>, count: number): Promise<number> {
  const times: number[] = []
  const giveUpAt = performance.now() + patienceMs
  while (times.length < count && (times.length === 0 || performance.now() < giveUpAt)) {
    const begun = performance.now()
    await work()
    times.push(performance.now() - begun)
  }
  return times.toSorted((one, other) => one - other)[Math.floor(times.length / 2)] ?? 0
}

/** Of each table that grows, by the server's own count: scans, and rows that they read. */
async function readScans(db: pg.Client): Promise<Map<string, Scans>> {
  await db.query('select pg_stat_force_next_flush()')
  const { rows } = await db.query<{ table: string } & Scans>(
    'select relname as table, seq_scan as count, seq_tup_read as rows from pg_stat_user_tables'
  )
  return new Map(rows.map(({ table, count, rows }) => [table, { count, rows }]))
}
type Scans = { count: number; rows: number }

/** Tables that grow and were read from end to end meanwhile. */
function scannedBetween(
  before: Map<string, Scans>,
  after: Map<string, Scans>,
  fewRows: number
): string[] {
  return [...after]
    .flatMap(([table, { count, rows }]) => {
      const { count: counted = 0, rows: read = 0 } = before.get(table) ?? {}
      return count > counted && (rows - read) / (count - counted) > fewRows ? [table] : []
    })
    .filter((table) => !small.has(table))
}

/** Beside the smallest size, where both are worth a look. */
const goal = 1.3

function toTable(measured: readonly Measured[], sizes: readonly number[]): string {
  const names = [...new Set(measured.map(({ name }) => name))]
  const head = sizes.map((size) => `${size}: ms | pages | rows`).join(' | ')
  const rows = names.map((name) => {
    const all = measured.filter((one) => one.name === name)
    const cells = sizes.map((size) => {
      const one = all.find((other) => other.size === size)
      if (one === undefined) return '– | – | –'
      return `${one.ms.toFixed(1)} | ${one.buffers} | ${one.rows}`
    })
    const [first, last] = [all[0] as Measured, all.at(-1) as Measured]
    const grows =
      first.kind !== 'report' && last.ms > goal * first.ms && last.buffers > goal * first.buffers
    const scanned = [...new Set(all.flatMap((one) => one.scanned))]
    const marks = [
      ...(scanned.length > 0 ? [`reads all of ${scanned.join(', ')}`] : []),
      ...(grows ? [`${(last.ms / first.ms).toFixed(1)} ×`] : []),
      ...all.flatMap(({ fault }) => fault?.slice(0, 200) ?? [])
    ]
    return `| ${first.kind} | ${name} | ${cells.join(' | ')} | ${marks.join('; ')} |`
  })
  const columns = 3 + 3 * sizes.length
  return [`| | | ${head} | |`, `|${'---|'.repeat(columns)}`, ...rows].join('\n')
}

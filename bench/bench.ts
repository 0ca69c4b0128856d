/**
 * The benchmark: `npm run bench [-- --quick] [-- --only create|read|webhook|wait|start]…`, or one of
 * `npm run bench -- restart` and `npm run bench -- overload` alone. Measures the
 * service against the floor of the same run (see `floor.ts`), one at a time and in turns, on an
 * embedded PostgreSQL of its own. Progress goes to stderr, the results to stdout. Ends with 1 where
 * an answer was not 2xx or a write was lost. `npm run bench -- migration` is an upgrade under load,
 * `npm run bench -- hanging` one endpoint of Adyen's that hangs, `npm run bench -- growth` years of
 * payments.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { measureGrowth } from './growth.ts'
import { measureHanging } from './hanging.ts'
import { describeMachine, isInMemory } from './machine.ts'
import { measureMigration } from './migration.ts'
import { firstReadable, type Operation, operations, readableCount } from './operations.ts'
import { measureOverload } from './overload.ts'
import { createCleaner } from './processes.ts'
import {
  hasFaults,
  toNotes,
  toOverloadTable,
  toRestartTable,
  toStartUpTable,
  toTable,
  toWaitingTable
} from './report.ts'
import { measureRestart } from './restart.ts'
import { type Bench, measure, type Pair } from './rounds.ts'
import { openSite, type Site } from './site.ts'
import { measureStartUp } from './start-up.ts'
import { startFloor, startOurs } from './targets.ts'
import { measureWaiting } from './waiting.ts'

const parts = [...operations, 'wait', 'start'] as const
/** Measured alone, where they are named: each takes a minute. */
const scenarios = ['restart', 'overload'] as const
type Part = (typeof parts)[number] | (typeof scenarios)[number]

const connections = 16

function readOptions(): { quick: boolean; only: readonly Part[] } {
  const { values, positionals } = parseArgs({
    options: { quick: { type: 'boolean' }, only: { type: 'string', multiple: true } },
    allowPositionals: true
  })
  const [scenario] = positionals
  if (scenario !== undefined) {
    const known = scenarios.find((name) => name === scenario)
    if (known === undefined) throw new Error(`There are ${scenarios.join(' and ')}`)
    return { quick: false, only: [known] }
  }
  const isPart = (name: string): name is (typeof parts)[number] => parts.some((one) => one === name)
  const unknown = (values.only ?? []).filter((name) => !isPart(name))
  if (unknown.length > 0) throw new Error(`--only takes ${parts.join(', ')}`)
  return { quick: values.quick === true, only: (values.only ?? parts).filter(isPart) }
}

const tell = (line: string) => void process.stderr.write(`${line}\n`)
const print = (text: string) => void process.stdout.write(`${text}\n\n`)

async function run(site: Site): Promise<boolean> {
  const { quick, only } = readOptions()
  if (await isInMemory(site.folder)) {
    tell(`${site.folder} is kept in memory: commits cost no disk here`)
  }
  print(`${describeMachine(site.postgresVersion)}; ${connections} connections.`)
  const targets = { floor: await startFloor(site), service: await startOurs(site) }
  const bench: Bench = {
    site,
    targets,
    connections,
    roundSeconds: quick ? 2 : 5,
    warmUpSeconds: quick ? 1 : 2.5,
    tell
  }
  for (const { seed } of Object.values(targets)) await seed(firstReadable, readableCount)
  const results = new Map<Operation, Pair[]>()
  for (const operation of operations.filter((one) => only.includes(one))) {
    results.set(operation, await measure(bench, operation))
  }
  if (results.size > 0) {
    print(toTable(results))
    const notes = toNotes(results)
    if (notes !== '') print(notes)
  }
  let passed = true
  if (only.includes('wait')) {
    tell('callers who wait')
    const waiting = await measureWaiting(site, targets.service)
    print(toWaitingTable(waiting))
    passed = waiting.faults.length === 0
  }
  if (only.includes('restart')) {
    tell('a rolling restart')
    const restart = await measureRestart(site, targets.service)
    print(toRestartTable(restart))
    passed = restart.faults.length === 0
  }
  if (only.includes('overload')) {
    tell('overload')
    const overload = await measureOverload(site, targets.service)
    print(toOverloadTable(overload))
    passed = overload.rounds.every(({ faults }) => faults.length === 0)
  }
  if (only.includes('start')) {
    tell('start of the service')
    const cold = await measureStartUp(site)
    const warm = await measureStartUp(site, join(site.folder, 'compile-cache'))
    print(toStartUpTable(cold, warm))
  }
  return passed && !hasFaults(results)
}

async function main(): Promise<void> {
  const cleaner = createCleaner()
  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      stopping = true
      tell('stopping')
      cleaner.clean().then(() => process.exit(130))
    })
  }
  let passed = false
  try {
    const own = { migration: measureMigration, hanging: measureHanging, growth: measureGrowth }
    const other = own[process.argv[2] as keyof typeof own]
    if (other !== undefined) passed = await other(cleaner, tell, print)
    else {
      readOptions()
      passed = await run(await openSite(cleaner))
    }
  } catch (error) {
    // What is stopped in the middle complains; that is no news then.
    if (!stopping) tell(error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
  await cleaner.clean()
  process.exit(stopping ? 130 : passed ? 0 : 1)
}

main()

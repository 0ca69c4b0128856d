/**
 * The benchmark: `npm run bench -- --help` says what there is. Measures the service against the
 * floor of the same run (see `floor.ts`) and, where it is named, another commit of this repository,
 * one at a time and in turns, on an embedded PostgreSQL of its own. Progress goes to stderr, the
 * results to stdout. Ends with 1 where an answer was not 2xx or a write was lost.
 */
import { writeFileSync } from 'node:fs'
import { checkOut, findCommit } from './build.ts'
import { measureDeliveries } from './deliveries.ts'
import { measureFeed } from './feed.ts'
import { measureGrowth } from './growth.ts'
import { measureHanging } from './hanging.ts'
import { describeMachine, isInMemory } from './machine.ts'
import { measureMigration } from './migration.ts'
import { firstReadable, readableCount } from './operations.ts'
import { type Options, readOptions, UsageFault } from './options.ts'
import { measureOverload } from './overload.ts'
import { type Cleaner, createCleaner } from './processes.ts'
import { hasFaults, type Measured, toNotes, toTable } from './report.ts'
import { measureRestart } from './restart.ts'
import { type Bench, measure } from './rounds.ts'
import { rows } from './rows.ts'
import { measureSettlement } from './settlement.ts'
import { openSite } from './site.ts'
import { measureSoak } from './soak.ts'
import type { Part, Stage } from './stage.ts'
import { measureStartUp } from './start-up.ts'
import { measureStorm } from './storm.ts'
import { startFloor, startOurs } from './targets.ts'
import { measureWaiting } from './waiting.ts'

/** What is measured beside the rows. */
const parts: Readonly<Record<string, Part>> = {
  storm: { about: '100 callers at once with one key', takes: '20 s', run: measureStorm },
  feed: { about: 'from the commit of an event to its reader', takes: '30 s', run: measureFeed },
  out: { about: 'deliveries a second to one endpoint', takes: '30 s', run: measureDeliveries },
  wait: { about: '5,000 callers who wait for a change', takes: '30 s', run: measureWaiting },
  start: { about: 'ready from spawn; memory idle and at most', takes: '30 s', run: measureStartUp }
}

/** Measured where they are named, alone. */
const longParts: Readonly<Record<string, Part>> = {
  restart: { about: 'a rolling restart under load', takes: '1 min', run: measureRestart },
  overload: { about: 'creates over 1,000 connections', takes: '1 min', run: measureOverload },
  soak: { about: 'memory under mixed load (--minutes, 10)', takes: '11 min', run: measureSoak }
}

type Tell = (line: string) => void
/**
 * Measured alone, on a site of its own; reads options after its name by itself and prints its
 * tables. False: a goal was missed.
 */
type Scenario = {
  about: string
  takes: string
  run(cleaner: Cleaner, tell: Tell, print: Tell): Promise<boolean>
}
const scenarios: Readonly<Record<string, Scenario>> = {
  growth: {
    about: 'years of payments: every GET route and task; --sizes, --folder',
    takes: '5 min a million',
    run: measureGrowth
  },
  hanging: { about: 'an endpoint of Adyen that hangs', takes: '1 min', run: measureHanging },
  migration: { about: 'an upgrade under load', takes: '1 min', run: measureMigration },
  settlement: {
    about: 'a settlement report read and applied; see settlement.ts',
    takes: '5 min',
    run: measureSettlement
  }
}

const tell: Tell = (line) => void process.stderr.write(`${line}\n`)
const print: Tell = (text) => void process.stdout.write(`${text}\n\n`)

/** All that was measured so far, in the file that was asked for. */
function createRecord(file: string | undefined, head: object) {
  const record: Record<string, unknown> = { ...head, startedAt: new Date().toISOString() }
  return (name: string, raw: unknown) => {
    record[name] = raw
    if (file !== undefined) writeFileSync(file, `${JSON.stringify(record, undefined, 1)}\n`)
  }
}

async function run(cleaner: Cleaner, options: Options): Promise<boolean> {
  const { quick, against, json, minutes } = options
  const commit = against === undefined ? undefined : await findCommit(against)
  const site = await openSite(cleaner)
  if (await isInMemory(site.folder)) {
    tell(`${site.folder} is kept in memory: commits cost no disk here`)
  }
  const machine = describeMachine(site.postgresVersion)
  print(`${machine}.`)
  const record = createRecord(json, { machine, quick, against: commit })
  const old =
    commit === undefined ? [] : [await startOurs(site, await checkOut(site, commit, tell))]
  const service = await startOurs(site)
  const builds = [...old, service]
  const targets = [await startFloor(site), ...builds]
  for (const { seed } of targets) await seed(firstReadable, readableCount)

  const bench: Bench = {
    ...{ site, targets, tell },
    roundSeconds: quick ? 1.5 : 5,
    warmUpSeconds: quick ? 1 : 2.5
  }
  const results: Measured[] = []
  for (const row of rows.filter(({ id }) => options.rows.includes(id))) {
    results.push({ row, laps: await measure(bench, row) })
    record('rows', results)
  }
  if (results.length > 0) print([toTable(results, against), toNotes(results)].join('\n\n').trim())
  let passed = !hasFaults(results)
  const stage: Stage = { site, service, builds, against, quick, minutes, tell }
  for (const [name, part] of Object.entries({ ...parts, ...longParts })) {
    if (!options.parts.includes(name)) continue
    tell(part.about)
    const outcome = await part.run(stage)
    record(name, outcome.raw)
    print(outcome.text)
    passed &&= outcome.passed
  }
  return passed
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
    const options = readOptions({ rows, parts, longParts, scenarios }, process.argv.slice(2))
    const scenario = scenarios[options.scenario ?? '']
    if (options.help !== undefined) print(options.help)
    passed =
      options.help !== undefined ||
      (await (scenario?.run(cleaner, tell, print) ?? run(cleaner, options)))
  } catch (error) {
    // What is stopped in the middle complains; that is no news then.
    if (error instanceof UsageFault) tell(error.message)
    else if (!stopping) tell(error instanceof Error ? (error.stack ?? error.message) : `${error}`)
  }
  await cleaner.clean()
  process.exit(stopping ? 130 : passed ? 0 : 1)
}

main()

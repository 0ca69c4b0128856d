/**
 * `npm run torture`: the service under load while what it stands on is killed, again and again; see
 * `torture/README.md`. Progress goes to stderr, the table to stdout. Ends with 1 where anything was
 * lost, doubled, stuck or broken, with 2 where it cannot be run.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeMachine } from '../bench/machine.ts'
import { createCleaner } from '../bench/processes.ts'
import { thousands } from '../bench/report.ts'
import { findMissing } from './cluster.ts'
import { changeRelease, killInstances, stopDatabase } from './parts.ts'
import { killLeaders } from './patroni.ts'
import type { Outcome, Part, Stage } from './trial.ts'

const parts: Readonly<Record<string, Part>> = {
  kills: {
    ...{ about: 'instances are killed', takes: '8 min', times: 200 },
    ...{ fault: 'SIGKILL of one of two instances', run: killInstances }
  },
  database: {
    ...{ about: 'PostgreSQL is stopped at once', takes: '3 min', times: 40 },
    ...{ fault: 'pg_ctl stop -m immediate', run: stopDatabase }
  },
  patroni: {
    ...{ about: 'the leader of three is killed', takes: '8 min', times: 10 },
    ...{ fault: 'SIGKILL of the leader and its Patroni', run: killLeaders, findMissing }
  },
  upgrade: {
    ...{ about: 'from the last release, back, and again', takes: '1 min', times: 3 },
    ...{ fault: 'change of release, instance by instance', run: changeRelease }
  }
}

const usage = `
npm run torture                      all parts
npm run torture -- PART…             these
  --times N                          so many faults in each
  --minutes N                        no more faults in a part after so long
  --within S                         how soon all must be well again, s; 5
  --help                             prints this

Parts:
${Object.entries(parts)
  .map(
    ([name, { about, takes, times }]) => `  ${name.padEnd(10)}${about}, ${times} times; ${takes}`
  )
  .join('\n')}
`.trim()

/** It cannot be run as it was asked for; the message says why. */
class UsageFault extends Error {}

function readOptions(args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: {
        times: { type: 'string' },
        within: { type: 'string' },
        minutes: { type: 'string' },
        help: { type: 'boolean' }
      },
      allowPositionals: true
    })
    const unknown = positionals.find((name) => !(name in parts))
    if (unknown !== undefined) throw new Error(`there is no ${unknown}`)
    const numberOf = (name: 'times' | 'minutes' | 'within') => {
      const value = values[name] === undefined ? undefined : Number(values[name])
      if (value === undefined || (Number.isInteger(value) && value > 0)) return value
      throw new Error(`--${name} takes a whole number from 1`)
    }
    const names = Object.keys(parts).filter(
      (name) => positionals.length === 0 || positionals.includes(name)
    )
    return {
      names,
      times: numberOf('times'),
      minutes: numberOf('minutes') ?? Number.POSITIVE_INFINITY,
      withinS: numberOf('within') ?? 5,
      help: values.help === true
    }
  } catch (error) {
    throw new UsageFault(`${(error as Error).message}\n\n${usage}`)
  }
}

/** Before anything is started. */
async function checkInstalled(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const missing = (await parts[name]?.findMissing?.()) ?? []
    if (missing.length === 0) continue
    throw new UsageFault(
      `The part ${name} needs Debian's ${missing.join(', ')}: ` +
        `apt-get install --no-install-recommends ${missing.join(' ')}. Name other parts, or these.`
    )
  }
}

const cleaner = createCleaner()
let isStopping = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    isStopping = true
    cleaner.clean().then(() => process.exit(130))
  })
}

async function runPart(
  name: string,
  asked: Pick<Stage, 'times' | 'minutes' | 'withinS'>
): Promise<Outcome> {
  const own = createCleaner()
  cleaner.add(() => own.clean())
  const folder = await mkdtemp(join(tmpdir(), 'payments-torture-'))
  own.add(() => rm(folder, { recursive: true, force: true }))
  // PostgreSQL may be another user.
  await chmod(folder, 0o755)
  const tell = (line: string) => void process.stderr.write(`${name}: ${line}\n`)
  try {
    return await (parts[name] as Part).run({ cleaner: own, folder, tell, ...asked })
  } finally {
    await own.clean()
  }
}

const headsOf = (withinS: number) => [
  ...['part', 'faults', 'payments', 'acknowledged requests', 'requests, unanswered at first'],
  ...['longest until answered, paid, s', 'longest until settled, s'],
  ...['lost', 'doubled', `stuck ${withinS} s after`, 'broken']
]

function toRow(name: string, times: number, outcome: Outcome): string {
  const { lost, doubled, broken } = outcome.verdict
  const s = (value: number) => value.toFixed(1)
  const cells = [
    ...[
      name,
      `${outcome.faults === times ? '' : `${outcome.faults} of `}${times} × ${parts[name]?.fault}`,
      thousands(outcome.payments)
    ],
    ...[thousands(outcome.acknowledged)],
    `${thousands(outcome.sent)}, ${thousands(outcome.unanswered)}`,
    `${s(outcome.longestAnswerS)}, ${s(outcome.longestOutcomeS)}`,
    ...[s(outcome.longestSettledS), lost.length, doubled.length],
    ...[outcome.stuck.length, broken.length]
  ]
  return `| ${cells.join(' | ')} |`
}

const shown = 10
function toFaults(name: string, { verdict, stuck }: Outcome): string[] {
  return Object.entries({ ...verdict, stuck }).flatMap(([what, all]) =>
    all.slice(0, shown).map((one) => `- ${name}, ${what}: ${one}`)
  )
}

async function runAll(): Promise<number> {
  const { names, times, minutes, withinS, help } = readOptions(process.argv.slice(2))
  if (help) {
    process.stdout.write(`${usage}\n`)
    return 0
  }
  await checkInstalled(names)
  const [rows, notes, faults]: [string[], string[], string[]] = [[], [], []]
  const versions = new Set<string>()
  for (const name of names) {
    const count = times ?? (parts[name] as Part).times
    const outcome = await runPart(name, { times: count, minutes, withinS })
    versions.add(outcome.postgresVersion)
    rows.push(toRow(name, count, outcome))
    notes.push(...outcome.notes.map((note) => `- ${name}: ${note}`))
    faults.push(...toFaults(name, outcome))
  }
  const heads = headsOf(withinS)
  const table = [`| ${heads.join(' | ')} |`, `|${'---|'.repeat(heads.length)}`, ...rows]
  const when = `${new Date().toISOString().slice(0, 10)}, ${describeMachine([...versions].join(' and '))}`
  process.stdout.write(`${[when, '', ...table, '', ...notes, ...faults].join('\n')}\n`)
  return faults.length === 0 ? 0 : 1
}

let code = 2
try {
  code = await runAll()
} catch (error) {
  if (error instanceof UsageFault) process.stderr.write(`${error.message}\n`)
  else if (!isStopping) {
    code = 1
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  }
}
await cleaner.clean()
process.exit(isStopping ? 130 : code)

/** `npm run mutants`: whether the simulation finds a safeguard that is gone. See README.md. */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { type Cleaner, createCleaner } from '../bench/processes.ts'
import { CommandFault, readArguments, usageFault } from '../src/command-line.ts'
import { type Mutant, readMutants } from './mutant.ts'

const usage = `
npm run mutants [-- OPTIONS] [NAME…]   removes a safeguard at a time, and has the simulation find it

  --lanes N           how many at once, 1 unless given
  --show              prints all that was found as well
  --help              prints this
`.trim()

const options = {
  lanes: { type: 'string' },
  show: { type: 'boolean' },
  help: { type: 'boolean' }
} as const

/** How many histories share two instances. */
const groupSize = 50
/** No further group is begun after so long, ms. */
const withinMs = 10 * 60_000
/** How many kinds of failure are shown of a mutant. */
const kindsMax = 2

const root = join(import.meta.dirname, '..')
const run = promisify(execFile)
const print = (text: string) => void process.stdout.write(`${text}\n`)

/**
 * `kinds`: what was found, and how often; empty where nothing was. `messages`: the same in full.
 * `fault`: why it could not be run.
 */
type Outcome = {
  fault?: string
  done: number
  s: number
  kinds: Array<[kind: string, count: number]>
  messages: string[]
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments(process.argv.slice(2), options, 100, usage)
  if (values.help) return print(usage)
  const lanes = Number(values.lanes ?? 1)
  if (!Number.isSafeInteger(lanes) || lanes < 1) throw usageFault(['--lanes takes a number'], usage)
  const all = await readMutants()
  const unknown = positionals.filter((name) => all.every((one) => one.name !== name))
  if (unknown.length > 0) throw usageFault([`there is no ${unknown.join()}`], usage)
  const waiting = all.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  const cleaner = createCleaner()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void cleaner.clean().then(() => process.exit(1)))
  }
  print(
    `${new Date().toISOString().slice(0, 10)}, ${availableParallelism()} × ${cpus()[0]?.model}\n`
  )
  print('| safeguard | found after | by |\n|---|---|---|')
  const count = waiting.length
  let found = 0
  const runLane = async () => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const outcome = await tryMutant(mutant)
      print(describe(mutant, outcome))
      if (values.show) for (const message of outcome.messages) print(`    ${message}`)
      if (outcome.kinds.length > 0) found += 1
    }
  }
  try {
    await Promise.all(Array.from({ length: lanes }, runLane))
  } finally {
    await cleaner.clean()
  }
  print(`\n${found} of ${count} were found.`)
  if (found < count) process.exitCode = 1

  async function tryMutant(mutant: Mutant): Promise<Outcome> {
    const own = createCleaner()
    cleaner.add(() => own.clean())
    try {
      return await findMutant(mutant, own)
    } catch (error) {
      return { done: 0, s: 0, kinds: [], messages: [], fault: String(error).split('\n')[0] ?? '' }
    } finally {
      await own.clean()
    }
  }
}

/** Runs the simulation of a copy of this tree that lacks the safeguard, until it has failed. */
async function findMutant({ file, seed, histories }: Mutant, cleaner: Cleaner): Promise<Outcome> {
  const began = performance.now()
  const folder = await mkdtemp(join(tmpdir(), 'payments-mutant-'))
  cleaner.add(() => rm(folder, { recursive: true, force: true }))
  const isLeft = (path: string) => ['node_modules', '.git', '.tap'].includes(basename(path))
  await cp(root, folder, { recursive: true, filter: (path) => path === root || !isLeft(path) })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  await run('git', ['apply', file], { cwd: folder })
  const load = (name: string) => import(pathToFileURL(join(folder, 'simulate', name)).href)
  const { groupsOf, kindsOf, runSeed } = (await load('run.ts')) as typeof import('./run.ts')
  const { openStage } = (await load('stage.ts')) as typeof import('./stage.ts')
  const stage = await openStage(cleaner)
  const outcome: Outcome = { done: 0, s: 0, kinds: [], messages: [] }
  for (const group of groupsOf(histories, groupSize, seed)) {
    const { found } = await runSeed(stage, group)
    outcome.done += group.size
    outcome.s = (performance.now() - began) / 1_000
    outcome.kinds = [...kindsOf(found)].map(([kind, at]) => [kind, at.length])
    outcome.messages = found.flatMap(({ messages }) => messages)
    if (found.length > 0 || outcome.s * 1_000 > withinMs) break
  }
  return outcome
}

function describe({ name, without }: Mutant, { done, s, kinds, fault }: Outcome): string {
  const by = kinds.slice(0, kindsMax).map(([kind, count]) => `${count} × ${kind.trim()}`)
  const what = fault ?? (kinds.length === 0 ? '**not found**' : by.join('; '))
  return `| ${without} (\`${name}\`) | ${done} histories, ${s.toFixed(0)} s | ${what} |`
}

main().catch((error) => {
  print(error instanceof CommandFault ? error.message : `${error?.stack ?? error}`)
  process.exit(error instanceof CommandFault ? error.exitCode : 1)
})

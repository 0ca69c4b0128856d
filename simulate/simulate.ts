/** `npm run simulate`: see README.md in this folder. */
import { readFileSync } from 'node:fs'
import { createCleaner } from '../bench/processes.ts'
import { CommandFault, readArguments, usageFault } from '../src/command-line.ts'
import {
  describeHistory,
  type Found,
  groupsOf,
  kindsOf,
  makeSmaller,
  type Result,
  readSeeds,
  simulate
} from './run.ts'
import { openStage } from './stage.ts'

const usage = `
npm run simulate [-- OPTIONS]     seeded histories of payments on two instances, with faults

  --histories N       how many, 10000 unless given
  --seed N            the seed of the first; by chance unless given
  --group N           how many share two instances and a database at once, 100 unless given
  --lanes N           how many groups at once, 2 unless given
  --smaller S         in how many seconds the first that fails is made smaller, 300 unless given
  --replay SEED/PLACE one history alone, by the seed of its group and its place there; made smaller
  --help              prints this
`.trim()

const options = {
  histories: { type: 'string' },
  seed: { type: 'string' },
  group: { type: 'string' },
  lanes: { type: 'string' },
  smaller: { type: 'string' },
  replay: { type: 'string' },
  help: { type: 'boolean' }
} as const

/** How many messages are printed of a history that failed. */
const printedMax = 5
const seedMax = 2 ** 30

const print = (text: string) => void process.stdout.write(`${text}\n`)

async function main(): Promise<void> {
  const { values } = readArguments(process.argv.slice(2), options, 0, usage)
  if (values.help) return print(usage)
  const number = (name: 'histories' | 'seed' | 'group' | 'lanes' | 'smaller', usual: number) => {
    const given = Number(values[name] ?? usual)
    if (Number.isSafeInteger(given) && given >= 1) return given
    throw usageFault([`--${name} takes a whole number from 1`], usage)
  }
  const cleaner = createCleaner()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void cleaner.clean().then(() => process.exit(1)))
  }
  try {
    const smallerWithinMs = number('smaller', 300) * 1_000
    if (values.replay !== undefined) return await replay(values.replay, smallerWithinMs)
    const seed = number('seed', 1 + Math.floor(Math.random() * seedMax))
    const groups = groupsOf(number('histories', 10_000), number('group', 100), seed)
    print(`seed ${seed}`)
    const all = [...readSeeds(), ...groups]
    const count = all.reduce((sum, { size }) => sum + size, 0)
    const began = performance.now()
    let told = 0
    const result = await simulate(all, number('lanes', 2), cleaner, ({ done, found }) => {
      for (const one of found.slice(told)) print(describeFound(one))
      told = found.length
      const perS = (done * 1_000) / (performance.now() - began)
      const left = Math.ceil((count - done) / perS / 60)
      print(
        `${done} of ${count} histories, ${perS.toFixed(1)}/s, ${left} min left, ${found.length} failed`
      )
    })
    await cleaner.clean()
    report(result, (performance.now() - began) / 1_000)
    const [first] = result.found
    if (first === undefined) return
    process.exitCode = 1
    await replay(`${first.seed}/${first.place}`, smallerWithinMs)
  } finally {
    await cleaner.clean()
  }
}

function report({ done, found, counts }: Result, s: number): void {
  for (const [what, count] of [...counts].sort()) print(`  ${what.padEnd(44)}${count}`)
  const cpu = readCpuS()
  const perHistory = cpu === undefined ? '' : `, ${((1000 * cpu) / done).toFixed(0)} ms CPU each`
  print(`${done} histories in ${s.toFixed(0)} s, ${(done / s).toFixed(1)}/s${perHistory}`)
  print(
    found.length === 0
      ? 'All came to their end, and all invariants hold.'
      : `Failed: ${found.length}`
  )
  for (const [kind, places] of kindsOf(found)) print(`  ${places.length} × ${kind}`)
}

function describeFound(found: Found): string {
  const { seed, size, place } = found
  const head = `\nFAILED --replay ${seed}/${place} (of ${size})`
  return `${head}\n${describeHistory(seed, found, printedMax)}`
}

async function replay(text: string, smallerWithinMs: number): Promise<void> {
  const [, seed, place] = /^(\d+)\/(\d+)$/.exec(text) ?? []
  if (seed === undefined) throw usageFault(['--replay takes SEED/PLACE'], usage)
  const cleaner = createCleaner()
  try {
    print(`\n${text} alone, and then smaller ones`)
    const stage = await openStage(cleaner)
    const from = { seed: Number(seed), place: Number(place) }
    const smallest = await makeSmaller(stage, from, smallerWithinMs)
    if (smallest === undefined) return print('Alone it holds: run its group again.')
    process.exitCode = 1
    print(`The smallest that fails:\n${describeHistory(from.seed, smallest, printedMax)}`)
  } finally {
    await cleaner.clean()
  }
}

/** Processor time of this process and of all that it has started and seen the end of, s. */
function readCpuS(): number | undefined {
  try {
    const text = readFileSync('/proc/self/stat', 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100
  } catch {
    return undefined
  }
}

main().catch((error) => {
  print(error instanceof CommandFault ? error.message : `${error?.stack ?? error}`)
  process.exit(error instanceof CommandFault ? error.exitCode : 1)
})

/** What the command line asks for. */
import { parseArgs } from 'node:util'
import type { Row } from './rows.ts'

export type Options = {
  quick: boolean
  /** Ids of rows, and names of parts, that are to be measured. */
  rows: readonly string[]
  parts: readonly string[]
  /** Instead of rows and parts. */
  scenario: string | undefined
  /** Another commit that is measured too. */
  against: string | undefined
  /** A file for all that was measured. */
  json: string | undefined
  minutes: number
  /** The text, where it was asked for. */
  help: string | undefined
}

/** The user asked for what there is not; the message says what there is. */
export class UsageFault extends Error {}

type Named = Readonly<Record<string, { about: string; takes: string }>>
/** What there is to choose from. */
type Choice = { rows: readonly Row[]; parts: Named; longParts: Named; scenarios: Named }

const head = `
npm run bench                         all rows and parts, 10 to 20 min
npm run bench -- --quick              the same with short rounds, about 5 min
npm run bench -- --only NAME          a row, all rows that begin so, or a part; may be repeated
npm run bench -- NAME                 one that is measured alone; may have options of its own
  --against REV                       another commit too, in turns with this tree
  --json FILE                         all laps and all that the parts measured
  --minutes N                         of a soak
`.trim()

/** Reads the arguments of the command; throws a `UsageFault` for words that mean nothing. */
export function readOptions(choice: Choice, args: string[]): Options {
  const { rows, parts, longParts, scenarios } = choice
  const [first = '', ...rest] = args
  // A scenario reads what follows its name by itself.
  const scenario = first in scenarios && !rest.includes('--help') ? first : undefined
  const { values, positionals } = parse(choice, scenario === undefined ? args : [])
  const [alone, ...others] = positionals
  if (others.length > 0) throw fault(`one of ${positionals.join(', ')} at a time`, choice)
  if (alone !== undefined && !(alone in longParts || alone in scenarios)) {
    throw fault(`there is no ${alone}`, choice)
  }
  const minutes = Number(values.minutes ?? 10)
  if (!(minutes >= 1)) throw fault('--minutes takes a number from 1', choice)
  const only = values.only ?? (alone === undefined ? undefined : [alone])
  const isOf = (word: string, id: string) => id === word || id.startsWith(`${word}-`)
  for (const word of values.only ?? []) {
    const known = word in parts || rows.some(({ id }) => isOf(word, id))
    if (!known) throw fault(`there is no ${word}`, choice)
  }
  const isWanted = (id: string) => only === undefined || only.some((word) => isOf(word, id))
  return {
    quick: values.quick === true,
    rows: rows.map(({ id }) => id).filter(isWanted),
    parts: [...Object.keys(parts).filter(isWanted), ...(alone === undefined ? [] : [alone])],
    scenario,
    against: values.against,
    json: values.json,
    minutes,
    help: values.help === true ? toHelp(choice) : undefined
  }
}

function parse(choice: Choice, args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        quick: { type: 'boolean' },
        only: { type: 'string', multiple: true },
        against: { type: 'string' },
        json: { type: 'string' },
        minutes: { type: 'string' },
        help: { type: 'boolean' }
      },
      allowPositionals: true
    })
  } catch (error) {
    throw fault((error as Error).message, choice)
  }
}

function fault(what: string, choice: Choice): UsageFault {
  return new UsageFault(`${what}\n\n${toHelp(choice)}`)
}

function toHelp({ rows, parts, longParts, scenarios }: Choice): string {
  const line = (name: string, about: string, takes: string) =>
    `  ${name.padEnd(14)}${about.padEnd(46)}${takes}`.trimEnd()
  const lines = (named: Named) =>
    Object.entries(named).map(([name, { about, takes }]) => line(name, about, takes))
  return [
    head,
    '\nRows, against the floor where it can do the same (some 50 s each, with --quick 15):',
    ...rows.map(({ id, name, connections }) => line(id, `${name}, ${connections} connections`, '')),
    '\nParts:',
    ...lines(parts),
    '\nAlone:',
    ...lines(longParts),
    ...lines(scenarios)
  ].join('\n')
}

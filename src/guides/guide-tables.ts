/** The tables of the guides that the code says: written into `docs/` by `npm run guides`. */
import { kinds } from '../discrepancies/discrepancy.ts'
import { eventMeanings } from '../payments/event.ts'
import { isFinished, mayMove, moves, statuses, statusMeanings } from '../payments/payment.ts'
import { problems } from '../problems/problems.ts'
import { failures } from '../provider/failures.ts'

type Table = { head: readonly string[]; rows: ReadonlyArray<readonly string[]> }

const code = (text: string) => `\`${text}\``

/** Where a payment of this status may still go, each status once. */
function nextOf(status: (typeof statuses)[number]): string {
  const next = Object.entries(moves)
    .filter(([move]) => mayMove(status, move as keyof typeof moves))
    .map(([, { to }]) => to)
    .filter((to) => to !== status)
  return [...new Set(next)].map(code).join(', ')
}

const tables = {
  statuses: {
    head: ['status', 'finished', 'what it means, and what to do', 'may become'],
    rows: statuses.map((status) => [
      code(status),
      isFinished(status) ? 'yes' : 'no',
      statusMeanings[status],
      nextOf(status)
    ])
  },
  failures: {
    head: ['`failure.code`', 'means', 'tell the customer'],
    rows: Object.entries(failures).map(([name, { meaning, tell }]) => [code(name), meaning, tell])
  },
  events: {
    head: ['type', 'says'],
    rows: Object.entries(eventMeanings).map(([type, meaning]) => [code(type), meaning])
  },
  discrepancies: {
    head: ['kind', 'here', 'there', 'a person may decide'],
    rows: Object.entries(kinds).map(([kind, { ours, theirs, resolutions }]) => [
      code(kind),
      ours,
      theirs,
      resolutions.map(code).join(', ')
    ])
  },
  conflicts: {
    head: ['409', 'cause', 'cure'],
    rows: Object.entries(problems)
      .filter(([, { status }]) => status === 409)
      .map(([name, { cause, cure }]) => [code(name), cause, cure])
  }
} satisfies Record<string, Table>

function toMarkdown({ head, rows }: Table): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

const begin = '<!-- table: '
const end = '<!-- end of table -->'

/** The guide with each of its tables as the code has it now; throws where it names no table. */
export function fillTables(guide: string): string {
  const [before = '', ...parts] = guide.split(begin)
  const filled = parts.map((part) => {
    const name = part.slice(0, part.indexOf(' '))
    const table: Table | undefined = Object.hasOwn(tables, name)
      ? tables[name as keyof typeof tables]
      : undefined
    if (table === undefined) throw new Error(`There is no table ${name}.`)
    const rest = part.slice(part.indexOf(end))
    return `${begin}${name} -->\n\n${toMarkdown(table)}\n\n${rest}`
  })
  return before + filled.join('')
}

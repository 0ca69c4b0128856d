/** The `verify` command: what must always hold of a database, held against it while it is used. */
import { hasCardNumber } from '../card-number.ts'
import { readArguments } from '../command-line.ts'
import type { Db } from '../database/database.ts'
import { lateness } from './lateness.store.ts'
import {
  findFaults,
  findLate,
  lateMax,
  readIds,
  readNewestRows,
  type SectionName,
  sections,
  type TextTable,
  textTables
} from './verify.store.ts'

export const verifyUsage = `
npm run verify [-- --json]

Reads the database (DATABASE_URL, or that of the running sandbox) and names what is broken, and
what is late. It only reads, in short steps, and takes no lock that anybody waits for. Ends with 0
where all holds, 1 where something is broken or could not be read, 2 for a wrong use.

  --json   prints JSON
  --help   prints this
`.trim()

/** Something that does not hold, as a sentence that should be true, and what breaks it. */
export type Finding = { name: string; count: number; ids: string[] }

export type Report = {
  /** How many of each kind were looked at. */
  read: Record<string, number>
  broken: Finding[]
  /** Not broken, but it should have been done by now; up to 1,000 of each are counted. */
  late: Finding[]
}

type Options = {
  /** Is told how far it is, in a line, each time that so many steps were made. */
  tell?: (line: string) => void
  /** How many of the newest rows of each table are searched for card numbers. */
  rowsMax?: number
}

/** As many ids are named of each finding. */
const idsMax = 24
const stepsToTell = 50

const noCardNumber = 'no card number stands in a text'

/** Looks at all of the database, a step at a time: each sees it as of one moment. */
export async function verify(
  db: Db,
  { tell = () => {}, rowsMax = 2_000 }: Options = {}
): Promise<Report> {
  const broken = new Map<string, Finding>()
  const add = (name: string, id: string) => {
    const finding = broken.get(name) ?? { name, count: 0, ids: [] }
    broken.set(name, finding)
    finding.count += 1
    if (finding.ids.length < idsMax && !finding.ids.includes(id)) finding.ids.push(id)
  }
  const read: Report['read'] = {}
  for (const section of Object.keys(sections) as SectionName[]) {
    read[section] = await verifySection(db, section, add, tell)
  }
  read.rowsSearched = 0
  for (const table of textTables) {
    read.rowsSearched += await searchTexts(db, table, rowsMax, add)
  }
  tell(`searched ${read.rowsSearched} rows for card numbers`)
  const late: Finding[] = []
  for (const name of Object.keys(lateness)) {
    const found = await readOnly(db, (tx) => findLate(tx, name, idsMax))
    if (found.count > 0) late.push({ name, ...found })
  }
  return { read, broken: [...broken.values()], late }
}

async function verifySection(
  db: Db,
  section: SectionName,
  add: (name: string, id: string) => void,
  tell: (line: string) => void
): Promise<number> {
  let count = 0
  let after: string | number | undefined = sections[section].first
  for (let step = 1; after !== undefined; step++) {
    const from: string | number = after
    const { ids, faults } = await readOnly(db, async (tx) => {
      const ids = await readIds(tx, section, from)
      return { ids, faults: ids.length > 0 ? await findFaults(tx, section, ids) : [] }
    })
    for (const { name, id } of faults) add(name, id)
    count += ids.length
    after = ids.at(-1)
    if (after === undefined || step % stepsToTell === 0) tell(`${section}: ${count}`)
  }
  return count
}

async function searchTexts(
  db: Db,
  table: TextTable,
  limit: number,
  add: (name: string, id: string) => void
): Promise<number> {
  const rows = await readOnly(db, (tx) => readNewestRows(tx, table, limit))
  for (const { id, row } of rows) {
    if (textsIn(row).some(hasCardNumber)) add(noCardNumber, `${table} ${id}`)
  }
  return rows.length
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(textsIn)
}

/** The database itself refuses whatever would write. */
const readOnly = <T>(db: Db, read: (tx: Db) => Promise<T>): Promise<T> =>
  db.transaction().setAccessMode('read only').execute(read)

/** Runs the command; answers what to print, and whether all holds. */
export async function runVerifyCommand(
  db: Db,
  { json }: { json: boolean },
  tell: (line: string) => void
): Promise<{ text: string; holds: boolean }> {
  const report = await verify(db, { tell })
  const text = json ? JSON.stringify(report, null, 2) : describe(report)
  return { text, holds: report.broken.length === 0 }
}

/** Reads the arguments; throws a `CommandFault`. */
export function readVerifyArguments(args: readonly string[]): { json: boolean } {
  const options = { json: { type: 'boolean' } } as const
  const { json = false } = readArguments(args, options, 0, verifyUsage).values
  return { json }
}

function describe({ read, broken, late }: Report): string {
  const counts = Object.entries(read).map(([what, count]) => `${what} ${count}`)
  const holds = broken.length === 0 ? 'All invariants hold.' : `Broken: ${broken.length}`
  return [
    `Read ${counts.join(', ')}.`,
    ...broken.map((finding) => `BROKEN  ${describeFinding(finding)}`),
    ...late.map((finding) => `late    ${describeFinding(finding)}`),
    holds
  ].join('\n')
}

function describeFinding({ name, count, ids }: Finding): string {
  const many = count >= lateMax ? `${count} or more` : String(count)
  return `${name}: ${many}\n        ${ids.join(', ')}${count > ids.length ? ', …' : ''}`
}

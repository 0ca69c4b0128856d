/** The `erase` command: takes what is personal from what is kept of an account, and proves it. */
import { listCards, removeCard } from '../cards/card.store.ts'
import { CommandFault, readArguments, usageFault } from '../command-line.ts'
import type { Db } from '../database/database.ts'
import { isContended } from '../database/unavailable.ts'
import {
  type Blocks,
  cleanUp,
  countCardsToForget,
  countOpenRows,
  eraseRows,
  findHindrances,
  finishErasure,
  listErasures,
  openErasure,
  readBlocks,
  readIdentifyingValues,
  type Step,
  steps
} from './erasure.store.ts'
import type { Hindrance } from './hindrances.ts'
import { findValues, type Place, readTextTables } from './search.store.ts'

export const eraseUsage = `
npm run erase -- show ACCOUNT            what an erasure would change, and what hinders it
npm run erase -- run ACCOUNT --by NAME   erases what is personal of a closed account
npm run erase -- list                    the erasures that were made, a line of JSON each
npm run erase -- again --by NAME         erases the accounts of such lines, from stdin, once more
npm run erase -- find                    where the texts from stdin, a line each, stand

Works as the owner of the database (DATABASE_URL), or on the running sandbox. Keep what list prints
apart from the database: after a restore, again needs it. Ends with 0 where it is done, 1 where
something hinders it, waits or was found, 2 for a wrong use. docs/operations/personal-data.md says
what goes and what stays.

  --by     who answers for it, 1 to 100 characters; kept in the record
  --help   prints this
`.trim()

const by = { by: { type: 'string' } } as const
const actions = {
  show: { options: {}, arguments: ['ACCOUNT'] },
  run: { options: by, arguments: ['ACCOUNT'] },
  list: { options: {}, arguments: [] },
  again: { options: by, arguments: [] },
  find: { options: {}, arguments: [] }
} as const
type Action = keyof typeof actions

/** What is asked for; `account` is 0 and `by` empty where the action takes none. */
export type EraseAsked = { action: Action; account: number; by: string }

/** Whether the action reads lines from stdin. */
export const readsLines = ({ action }: EraseAsked) => action === 'again' || action === 'find'

/** Reads the arguments; throws a `CommandFault`. */
export function readEraseArguments(args: readonly string[]): EraseAsked {
  const [action = '', ...rest] = args
  if (!Object.hasOwn(actions, action)) {
    const names = Object.keys(actions).join(', ')
    throw usageFault([`${action || 'erase alone'} is not one of ${names}`], eraseUsage)
  }
  const { options, arguments: needed } = actions[action as Action]
  const { values, positionals } = readArguments(rest, options, needed.length, eraseUsage)
  const { by: name } = values as { by?: string }
  const [account = ''] = positionals
  const faults = []
  if (needed.length > 0 && !/^[1-9]\d{0,7}$/.test(account)) {
    faults.push(account === '' ? 'ACCOUNT is missing' : `${account} is no account number`)
  }
  if ('by' in options && (name === undefined || name.trim() === '' || name.length > 100)) {
    faults.push('--by needs a name of 1 to 100 characters')
  }
  if (faults.length > 0) throw usageFault(faults, eraseUsage)
  return { action: action as Action, account: Number(account), by: name?.trim() ?? '' }
}

type Tell = (line: string) => void
type Ended = { text: string; isDone: boolean }

/** Answers what to print, and whether nothing is left to do. `lines` are those of stdin. */
export async function runEraseCommand(
  db: Db,
  { action, account, by: name }: EraseAsked,
  lines: readonly string[],
  tell: Tell
): Promise<Ended> {
  switch (action) {
    case 'show':
      return await show(db, account, tell)
    case 'run':
      return await erase(db, account, name, tell)
    case 'list': {
      const all = await listErasures(db)
      return { text: all.map((one) => JSON.stringify(one)).join('\n'), isDone: true }
    }
    case 'again': {
      const ended: Ended[] = []
      for (const one of readAccounts(lines)) ended.push(await eraseAgain(db, one, name, tell))
      const text = ended.map((one) => one.text).join('\n\n')
      return { text, isDone: ended.every(({ isDone }) => isDone) }
    }
    case 'find': {
      const values = readValues(lines)
      const found = await search(db, values, tell)
      return { text: describeSearch(values, found), isDone: found.length === 0 }
    }
  }
}

/** The accounts of a record, each once. */
function readAccounts(lines: readonly string[]): number[] {
  const accounts = lines.map((line, at) => {
    try {
      const { account } = JSON.parse(line)
      if (/^[1-9]\d{0,7}$/.test(account)) return Number(account)
    } catch {}
    throw new CommandFault(`Line ${at + 1} is none that list prints: nothing is changed.`)
  })
  return [...new Set(accounts)]
}

/** Of fewer characters than these a text is found everywhere. */
const shortest = 4

function readValues(lines: readonly string[]): string[] {
  const short = lines.filter((line) => line.length < shortest)
  if (short.length === 0 && lines.length > 0) return [...lines]
  throw new CommandFault(`Hand over texts of at least ${shortest} characters, a line each.`)
}

async function show(db: Db, accountId: number, tell: Tell): Promise<Ended> {
  const found = await lookAt(db, accountId)
  const counts = await countAll(db, accountId, tell)
  const cards = (await listCards(db, accountId)).length
  const text = [
    `Account ${accountId}: nothing is changed.`,
    ...describeCounts(counts, 'to be erased'),
    ...(cards > 0 ? [`  ${cards} registered cards, to be removed at the provider`] : []),
    ...found.map((one) => `hinders  ${describeHindrance(one)}`)
  ].join('\n')
  return { text, isDone: found.length === 0 }
}

async function lookAt(db: Db, accountId: number): Promise<Hindrance[]> {
  if (await isKnown(db, accountId)) return await findHindrances(db, accountId)
  throw new CommandFault(`There is no account ${accountId}.`)
}

/** What was restored may be older than the account: others are erased all the same. */
async function eraseAgain(db: Db, accountId: number, name: string, tell: Tell): Promise<Ended> {
  if (await isKnown(db, accountId)) return await erase(db, accountId, name, tell)
  return { text: `Account ${accountId} is not there: nothing is to be erased.`, isDone: true }
}

async function isKnown(db: Db, accountId: number): Promise<boolean> {
  const known = await db.selectFrom('account').select('id').where('id', '=', accountId).execute()
  return known.length > 0
}

/** Rows to be changed, by table. */
async function countAll(db: Db, accountId: number, tell: Tell): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const step of steps) {
    const count = await eachPart(db, step, tell, (blocks) =>
      countOpenRows(db, step, accountId, blocks)
    )
    if (count > 0) counts[step.table] = count
  }
  return counts
}

/** The sum over all parts of a table: its blocks, or the rows that an index leads to. */
async function eachPart(
  db: Db,
  { table, isLookedThrough }: Step,
  tell: Tell,
  run: (blocks?: Blocks) => Promise<number>
): Promise<number> {
  if (!isLookedThrough) return await run()
  const all = await readBlocks(db, table)
  let sum = 0
  for (const [at, blocks] of all.entries()) {
    sum += await run(blocks)
    tellAt(tell, table, at, all.length)
  }
  return sum
}

const partsToTell = 50

function tellAt(tell: Tell, table: string, at: number, parts: number): void {
  if ((at + 1) % partsToTell === 0) tell(`${table}: ${at + 1} of ${parts} parts`)
}

/**
 * Erases, a batch a transaction: stopped anywhere it goes on when it is run again. What is personal
 * leads nowhere, so that no order matters; cards come first, since their removal is an event.
 */
async function erase(db: Db, accountId: number, name: string, tell: Tell): Promise<Ended> {
  const found = await lookAt(db, accountId)
  if (found.length > 0) {
    const text = [
      `Account ${accountId} cannot be erased yet, and nothing was changed:`,
      ...found.map((one) => `  ${describeHindrance(one)}`)
    ].join('\n')
    return { text, isDone: false }
  }
  const values = (await readIdentifyingValues(db, accountId)).filter(
    ({ length }) => length >= shortest
  )
  const erasureId = await openErasure(db, accountId, name)
  for (const { id } of await listCards(db, accountId)) {
    // Due at once: the service has the credential to ask the provider, and does.
    await db.transaction().execute((tx) => removeCard(tx, accountId, id, 0))
  }
  const counts: Record<string, number> = {}
  for (const step of steps) {
    const about = { erasureId, accountId }
    const count = await eachPart(db, step, tell, (blocks) => eraseAll(db, step, about, blocks))
    if (count > 0) counts[step.table] = count
  }
  await cleanUp(db, Object.keys(counts))
  // First: one that goes meanwhile still has its token, which is counted then.
  const cards = await countCardsToForget(db, accountId)
  const left = await countAll(db, accountId, tell)
  const isDone = Object.keys(left).length === 0 && cards === 0
  if (isDone) await finishErasure(db, erasureId)
  const text = [
    `Account ${accountId}: ${isDone ? 'erased.' : 'not done yet, run it again.'}`,
    ...describeCounts(counts, 'erased'),
    ...describeCounts(left, 'came meanwhile'),
    ...(cards > 0 ? [`  ${cards} cards wait for the provider to remove them`] : []),
    describeSearch(values, await search(db, values, tell))
  ].join('\n')
  return { text, isDone }
}

async function eraseAll(
  db: Db,
  step: Step,
  about: { erasureId: number; accountId: number },
  blocks: Blocks | undefined
): Promise<number> {
  let sum = 0
  for (let count = 1; count > 0; sum += count) {
    count = await persist(() =>
      db.transaction().execute((tx) => eraseRows(tx, step, about, blocks))
    )
  }
  return sum
}

const triesMax = 5

/** Instances lock rows in another order: of two that wait for each other one begins again. */
async function persist<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (tries === triesMax || !isContended(error)) throw error
    }
  }
}

/** Where any of the values stands in the database, in whatever column. */
async function search(db: Db, values: readonly string[], tell: Tell): Promise<Place[]> {
  if (values.length === 0) return []
  const places = new Map<string, Place>()
  for (const table of await readTextTables(db)) {
    const all = await readBlocks(db, table.table)
    for (const [at, blocks] of all.entries()) {
      for (const found of await findValues(db, table, values, blocks)) {
        const key = `${found.table}.${found.column}`
        const known = places.get(key)
        places.set(key, { ...(known ?? found), rows: found.rows + (known?.rows ?? 0) })
      }
      tellAt(tell, table.table, at, all.length)
    }
  }
  return [...places.values()]
}

const describeCounts = (counts: Record<string, number>, what: string) =>
  Object.entries(counts).map(([table, count]) => `  ${table}: ${count} ${what}`)

function describeHindrance({ name, count, ids }: Hindrance): string {
  return `${name}: ${count}, ${ids.join(', ')}${count > ids.length ? ', …' : ''}`
}

/** The values themselves are not printed: what is printed is kept. */
function describeSearch(values: readonly string[], found: readonly Place[]): string {
  if (values.length === 0) return 'Nothing was there by which a person is searched for.'
  const searched = `Searched for ${values.length} texts in every column of every table:`
  if (found.length === 0) return `${searched} none stands anywhere.`
  const places = found.map(
    ({ table, column, rows, example }) => `  ${table}.${column}: ${rows} rows, such as ${example}`
  )
  return [`${searched} found`, ...places].join('\n')
}

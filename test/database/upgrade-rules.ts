/**
 * What a migration may not do while the last release works on the same tables: hold a lock for as
 * long as a table is read, or take away what that release uses.
 */
import { isAlone } from '../../src/database/migration.ts'

type Known = {
  /** Tables that were there before the file. */
  tables: ReadonlySet<string>
  /** Whether the code of the last release uses a name. */
  isUsed(name: string): boolean
}

/** On a table that is there: each reads or writes all of it under a lock, or breaks a reader. */
const slow: ReadonlyArray<readonly [RegExp, string]> = [
  [/\badd column\b.*\bnot null\b(?!.*\bdefault\b)/s, 'a column that old writers leave out'],
  [/\badd column\b.*\b(check|references|unique|primary key)\b/s, 'a column with a rule of its own'],
  [/\badd column\b.*\bgenerated\b/s, 'a column that is computed for every row'],
  [
    /\badd column\b.*\bdefault\b.*\b(clock_timestamp|gen_random_uuid|random|nextval)\b/s,
    'a default that differs from row to row'
  ],
  [/\badd constraint\b.*\b(check|foreign key)\b(?!.*\bnot valid\s*$)/s, 'no "not valid"'],
  [
    /\badd constraint\b.*\b(unique|primary key|exclude)\b(?!.*\busing index\b)/s,
    'no "using index"'
  ],
  [/\balter (column )?\w+ (set data )?type\b/, 'another type'],
  [/\bset not null\b/, 'a scan for nulls'],
  [/\bset (logged|unlogged|tablespace|access method)\b/, 'all of the table written anew'],
  [/\brename\b/, 'another name'],
  [/\b(disable|enable) (trigger|row level security|rule)\b/, 'rules for old writers']
]

/** Whatever they are about. */
const never: ReadonlyArray<readonly [RegExp, string]> = [
  [/^(truncate|cluster|vacuum|lock)\b/, 'a lock on a whole table'],
  [/^reindex\b(?!.*\bconcurrently\b)/s, 'a lock on a whole table'],
  [/^(insert|delete|with|merge)\b/, 'a change of data'],
  [/^update\b/, 'a change of data that is not in batches: update … in (select … limit 1000)'],
  [/^drop (trigger|function|schema|type|view|owned)\b/, 'what old writers rely on'],
  [/^create (unique )?index concurrently (?!if not exists\b)/, 'no "if not exists"'],
  [/^drop index (?!concurrently if exists\b)/, 'no "concurrently if exists"']
]

/** What is wrong with the commands of one file; empty where the last release may run beside it. */
export function faultsOfUpgrade(commands: readonly string[], known: Known): string[] {
  const own = new Set(commands.flatMap((command) => createdBy(command) ?? []))
  const alone = commands.filter(isAlone)
  const faults = commands.flatMap((command) => faultsOf(command, own, known))
  const isMixed = alone.length > 0 && alone.length < commands.length
  return [...faults, ...(isMixed ? ['commands that run alone beside others: use two files'] : [])]
}

const createdBy = (command: string) => /^create table (?:if not exists )?(\w+)/i.exec(command)?.[1]

/** The tables that a file makes. */
export function tablesOf(commands: readonly string[]): string[] {
  return commands.flatMap((command) => createdBy(command) ?? [])
}

function faultsOf(command: string, own: ReadonlySet<string>, known: Known): string[] {
  const text = command
    .replaceAll(/--[^\n]*/g, '')
    .toLowerCase()
    .replaceAll(/\badd (?!column\b|constraint\b|generated\b)/g, 'add column ')
  if (isAlone(command)) return []
  const general = never.filter(([form]) => form.test(text)).map(([, fault]) => fault)
  return [...general, ...faultsOfTable(text, own, known), ...faultsOfDrop(text, known)]
}

function faultsOfTable(text: string, own: ReadonlySet<string>, { tables }: Known): string[] {
  const [, altered] = /^alter table (?:if exists |only )*(\w+)/.exec(text) ?? []
  const [, indexed] =
    /^create (?:unique )?index (?:if not exists )?\w* ?on (?:only )?(\w+)/.exec(text) ?? []
  const isThere = (name = '') => tables.has(name) && !own.has(name)
  if (isThere(indexed)) return ['no "concurrently if not exists"']
  if (!isThere(altered)) return []
  return slow.filter(([form]) => form.test(text)).map(([, fault]) => fault)
}

const notColumns = 'constraint|not null|default|expression|identity|index|table|sequence'
const droppedColumn = new RegExp(`\\bdrop (?!${notColumns})(?:column )?(?:if exists )?(\\w+)`, 'g')

/** A release after the one that stopped using it may take it away. */
function faultsOfDrop(text: string, { isUsed }: Known): string[] {
  const dropped = [
    ...text.matchAll(/^drop (?:table|sequence) (?:if exists )?(\w+)/g),
    ...text.matchAll(droppedColumn)
  ].map(([, name = '']) => name)
  return text.startsWith('alter table') || text.startsWith('drop')
    ? dropped.filter(isUsed).map((name) => `${name} is used by the last release`)
    : []
}

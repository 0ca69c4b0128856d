/** The schema as SQL for readers: one block for a table, with its indexes and triggers. */
import type { Catalog, Column, Table } from './catalog.ts'

const widest = 100

/** As the migrations make it; tables in the order of their names, and so not to be run. */
export function toSchemaSql({ sequences, functions, tables }: Catalog): string {
  const blocks = [
    '-- What the migrations make, written by `npm run schema`: read this, change those.',
    ...functions.map((definition) => `${definition.trimEnd()};`),
    ...sequences.map((name) => `create sequence ${name};`),
    ...tables.map(toTable)
  ]
  return `${blocks.join('\n\n')}\n`
}

function toTable({ name, columns, constraints, options, indexes, triggers }: Table): string {
  const rules = constraints.map((one) => `constraint ${one.name} ${toPlainSql(one.definition)}`)
  const lines = [...columns.map(toColumn), ...rules].map((line) => `  ${fold(line, '    ')}`)
  const storage = options.length === 0 ? '' : ` with (${options.join(', ')})`
  const others = [...indexes, ...triggers].map((one) => `${fold(toPlainSql(one), '  ')};`)
  return [`create table ${name} (\n${lines.join(',\n')}\n)${storage};`, ...others].join('\n')
}

function toColumn({ name, type, notNull, default: value, identity }: Column): string {
  const parts = [name, toPlainSql(type)]
  if (notNull) parts.push('not null')
  if (value !== null) parts.push(`default ${toPlainSql(value)}`)
  if (identity !== null) {
    parts.push(`generated ${identity === 'a' ? 'always' : 'by default'} as identity`)
  }
  return parts.join(' ')
}

/** PostgreSQL's writing in ours: small letters, short names, `in (…)`, no casts of plain texts. */
export function toPlainSql(definition: string): string {
  return definition
    .split(/('(?:[^']|'')*')/)
    .map((part, at) => (at % 2 === 0 ? part.toLowerCase() : part))
    .join('')
    .replace(/'::(text(\[\])?|jsonb)(?!\w)/g, "'")
    .replace(/('[^']*')::interval/g, 'interval $1')
    .replace(/ using btree | using btree$/g, ' ')
    .replaceAll('timestamp with time zone', 'timestamptz')
    .replaceAll('character(', 'char(')
    .replace(/ = any \(array\[([^\]]*)\]\)/g, ' in ($1)')
    .replace(/ <> all \(array\[([^\]]*)\]\)/g, ' not in ($1)')
}

const breaks =
  /(?<=, )|(?= (?:and|or|on|where|check|references|with|for each) )|(?<=\))(?= execute )/

/** Breaks a long line where a reader would. */
function fold(text: string, indent: string): string {
  const [first = '', ...rest] = text.split(breaks)
  const lines = [first]
  for (const part of rest) {
    const longer = `${lines.at(-1)}${part}`
    if (longer.trimEnd().length + indent.length <= widest) lines[lines.length - 1] = longer
    else lines.push(part.trimStart())
  }
  return lines.map((line) => line.trimEnd()).join(`\n${indent}`)
}

/** The schema as types for Kysely: a row of each table, what the database fills in marked so. */
import type { Catalog, Column, Table } from './catalog.ts'
import { toPlainSql } from './schema-sql.ts'

const types: Readonly<Record<string, string>> = {
  bigint: 'number',
  boolean: 'boolean',
  bytea: 'Buffer',
  integer: 'number',
  smallint: 'number',
  text: 'string',
  'text[]': 'string[]',
  date: 'Date',
  'timestamp with time zone': 'Date',
  uuid: 'string'
}

const json = 'Record<string, unknown>'

/** What PostgreSQL does not know of a column: a type, and the file of `src` that has it, if any. */
const known: Readonly<Record<string, readonly [type: string, file?: string]>> = {
  'authorisation.reported': ['AuthorisationReport[]', 'lifecycle/model'],
  'card_registration.customer': ['Customer', 'provider'],
  'client.scopes': ['Scope[]', 'clients/client'],
  'daily_closing.postings': ['unknown'],
  'daily_closing.settled': ['unknown'],
  'daily_comparison.sums': ['unknown'],
  'discrepancy.details': [json],
  'discrepancy.operator': ['Operator', 'payments/payment'],
  'discrepancy.resolution': ['Resolution', 'discrepancies/discrepancy'],
  'dispute.reported': ['DisputeEvent[]', 'provider'],
  'erasure.counts': ['Record<string, number>'],
  'ledger_transfer.credit_account': ['LedgerAccount', 'ledger/ledger'],
  'ledger_transfer.debit_account': ['LedgerAccount', 'ledger/ledger'],
  'ledger_transfer.posting': ['PostingKind', 'ledger/ledger'],
  'notification.item': ['NotificationItem', 'adyen/notification'],
  'operation.decision': ['Decision', 'lifecycle/model'],
  'operation.failure': ['Failure', 'provider'],
  'operation.operator': ['Operator', 'payments/payment'],
  'operation.processor': ['{ name: string; reference: string }'],
  'operation.reported': ['Report[]', 'lifecycle/model'],
  'other_event.data': [json],
  'payment.allocations': ['NamedAllocation[]', 'ledger/ledger'],
  'payment.authentication': ['Authentication', 'provider/authentication'],
  'payment.card': ['CardFace', 'provider'],
  'payment.customer': ['Customer', 'provider'],
  'payment.failure': ['Failure', 'provider'],
  'payment.metadata': ['Record<string, string>'],
  'payment.operator': ['Operator', 'payments/payment'],
  'payment.payment_methods': ['PageMethod[]', 'provider/page-methods'],
  'payment.settlement': ['Settlement', 'payments/payment'],
  'payment_event.data': [json],
  'payment_event.payment': ['unknown'],
  'payment_event.type': ['EventType', 'payments/event'],
  'settlement_line.meaning': ['Meaning', 'settlement/settlement'],
  'settlement_report.payouts': ['Record<string, string>'],
  'settlement_staged.content': ['SettlementLine', 'settlement/settlement']
}

/** Throws where a column is of a type, or has a name here, that says nothing to the other side. */
export function toTableTypes({ tables }: Catalog): string {
  const names = tables.flatMap(({ name, columns }) => columns.map((one) => `${name}.${one.name}`))
  const unused = Object.keys(known).filter((name) => !names.includes(name))
  if (unused.length > 0) throw new Error(`No such columns: ${unused.join(', ')}`)
  const rows = tables.map((table) => `  ${table.name}: ${toRow(table)}\n`).join('')
  return [
    '/** Written by `npm run schema` from what the migrations make: change those, not this. */\n',
    toImports(rows),
    `\n/** Of a row in which work is due. */\ntype Due = { ${due.join('; ')} }\n`,
    `\nexport type Database = {\n${rows}}\n`
  ].join('')
}

const due = [
  'next_attempt_at: Date | null',
  'attempts: Generated<number>',
  'lease: string | null',
  'leased_until: Date | null'
]

function toRow(table: Table): string {
  const columns = table.columns.map((column) => `${column.name}: ${toType(table, column)}`)
  const isDue = due.every((one) => columns.includes(one))
  const own = isDue ? columns.filter((one) => !due.includes(one)) : columns
  return `${isDue ? 'Due & ' : ''}{ ${own.join('; ')} }`
}

function toImports(body: string): string {
  const files = new Map([['kysely', new Set<string>()]])
  for (const name of ['Generated', 'GeneratedAlways']) {
    if (body.includes(`${name}<`)) files.get('kysely')?.add(name)
  }
  for (const [type, file] of Object.values(known)) {
    if (file === undefined) continue
    const path = `../${file}.ts`
    files.set(path, (files.get(path) ?? new Set()).add(type.replace('[]', '')))
  }
  const imports = [...files].map(
    ([path, names]) => `import type { ${[...names].sort().join(', ')} } from '${path}'\n`
  )
  return imports.sort().join('')
}

function toType(table: Table, column: Column): string {
  const value = known[`${table.name}.${column.name}`]?.[0] ?? oneOf(table, column) ?? plain(column)
  const type = column.notNull || value === 'unknown' ? value : `${value} | null`
  if (column.identity === 'a') return `GeneratedAlways<${type}>`
  const isGenerated = column.default !== null || column.identity !== null
  return isGenerated ? `Generated<${type}>` : type
}

function plain({ name, type }: Column): string {
  const found = /^character\(\d+\)$/.test(type) ? 'string' : types[type]
  if (found === undefined) throw new Error(`${name} is ${type}: say what that is in TypeScript`)
  return found
}

/** The values that a check allows, as a union; undefined where none lists them. */
function oneOf({ constraints }: Table, { name }: Column): string | undefined {
  for (const { kind, columns, definition } of constraints) {
    if (kind !== 'check' || columns.length !== 1 || columns[0] !== name) continue
    const [, list] = /^check \(\w+ in \(([^()]*)\)\)$/.exec(toPlainSql(definition)) ?? []
    if (list !== undefined) return list.split(', ').join(' | ')
  }
  return undefined
}

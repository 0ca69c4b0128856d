/**
 * What Citus and PgBouncer would refuse, or do otherwise in silence, found in the text of SQL; and
 * what would cross to another brand in the same database. The rules were tried there; none of the
 * two is needed to hold them.
 */
import ts from 'typescript'
import { isAlone } from '../../src/database/migration.ts'

const tokens = /'(?:[^']|'')*'|--[^\n]*|\$\d+|\w+|[^\s\w]/g

/** The time and chance, and arithmetic with them: where Citus wants what is immutable. */
const changing = /^(now|clock_timestamp|current_timestamp|gen_random_uuid|make_interval|interval)$/

const parametersMax = 12

/** Functions of a time that depend on the time zone of the session. */
const zoned = /^(extract|date_trunc|date_part|to_char)$/

/** What opens a part of a statement that ends with the parenthesis that it stands in. */
type Frame = '(' | 'case' | 'coalesce' | 'returning' | 'do update' | 'change'
const wantsImmutable: readonly Frame[] = ['case', 'coalesce', 'returning', 'do update']

/** Locks by number and channels are those of a database: `src/database/brand.ts` marks them. */
function faultsOfBrand(text: string, mark: RegExp): string[] {
  const faults = []
  if (/\bpublic\./.test(text)) faults.push('a schema by its name')
  if (/\bpg_\w*advisory\w*/.test(text) && !mark.test(text)) faults.push('a lock of all brands')
  if (/\bpg_notify\b/.test(text) && !mark.test(text)) faults.push('a notice to all brands')
  return faults
}

/** What is wrong with the text of one statement of the service. */
export function faultsOf(text: string): string[] {
  const words = (text.toLowerCase().match(tokens) ?? []).filter((word) => !word.startsWith('--'))
  const faults = new Set(faultsOfBrand(text.toLowerCase(), /\bpg_namespace\b/))
  const isWrite = words.some((_, at) => isWriteAt(words, at))
  if (isWrite) for (const fault of faultsOfParts(words)) faults.add(fault)
  const open: Frame[] = []
  for (const [at, word] of words.entries()) {
    if (word === ';') faults.add('several commands')
    if (word === 'gen_random_uuid') faults.add('gen_random_uuid()')
    if (/^\$\d+$/.test(word) && Number(word.slice(1)) > parametersMax) {
      faults.add(`more than ${parametersMax} numbered parameters`)
    }
    follow(open, words, at)
    if (!isWrite) continue
    if (word === 'pg_advisory_xact_lock') faults.add('a lock within a write')
    if (word === 'clock_timestamp') faults.add('clock_timestamp in a write')
    if (word === 'select' && open.includes('do update')) faults.add('a select in do update')
    const frame = open.findLast((one) => wantsImmutable.includes(one))
    if (changing.test(word) && frame !== undefined) faults.add(`${word} in ${frame}`)
    else if (open.includes('change') && isOfSession(words, at)) {
      faults.add('time of a column in a change')
    }
  }
  return [...faults]
}

/** `for update` and `for no key update` lock; `do update` belongs to its insert. */
function isWriteAt(words: readonly string[], at: number): boolean {
  const [word, before = ''] = [words[at], words[at - 1]]
  if (word === 'update') return !['for', 'key', 'do'].includes(before)
  return word === 'insert' || word === 'delete'
}

/**
 * Arithmetic with a column, or its parts: `timestamptz + interval` is only stable, and Citus
 * computes what is stable before it sends the change, when it has no row.
 */
function isOfSession(words: readonly string[], at: number): boolean {
  const [word = '', sign = '', before = ''] = [words[at], words[at - 1], words[at - 2]]
  if (zoned.test(word)) return true
  if (!/^(make_)?interval$/.test(word) || !/^[+-]$/.test(sign)) return false
  if (before !== ')') return /^[a-z_]/.test(before) && words[at - 3] !== ':'
  return !/^(now|make_interval)$/.test(words[openedBy(words, at - 2) - 1] ?? '')
}

/** Where the parenthesis was opened that ends at `at`. */
function openedBy(words: readonly string[], at: number): number {
  for (let depth = 0, place = at; place >= 0; place--) {
    if (words[place] === ')') depth += 1
    if (words[place] === '(') depth -= 1
    if (depth === 0) return place
  }
  return 0
}

/** What stands from `at` to the end of the parenthesis that it stands in. */
function partFrom(words: readonly string[], at: number): readonly string[] {
  let depth = 0
  const length = words.slice(at).findIndex((word) => {
    depth += word === '(' ? 1 : word === ')' ? -1 : 0
    return depth < 0
  })
  return words.slice(at, length < 0 ? undefined : at + length)
}

/** What a part reads, but for functions and for what is not known. */
const readBy = (part: readonly string[]) =>
  part.filter((name, at) => {
    const [before = '', earlier = ''] = [part[at - 1], part[at - 2]]
    const isRead = /^(from|join)$/.test(before) && earlier !== 'distinct'
    return isRead && /^[a-z]/.test(name) && name !== 'lateral' && part[at + 1] !== '('
  })

/** Citus takes a statement apart where a part inserts: what then is refused of single parts. */
function faultsOfParts(words: readonly string[]): string[] {
  const isNamed = (name: string, at: number) =>
    /^[a-z]/.test(name) && words[at + 1] === 'as' && /^(\(|materialized)$/.test(words[at + 2] ?? '')
  const parts = words.filter(isNamed)
  const inserts = words.flatMap((word, at) => (word === 'insert' ? [partFrom(words, at)] : []))
  const faults = []
  for (const part of inserts.filter((one) => one.includes('select'))) {
    if (readBy(part).some((name) => !parts.includes(name))) faults.push('an insert from a table')
    const [, change = ''] = /\bdo update\b(.*?)( returning\b|$)/.exec(part.join(' ')) ?? []
    if (/\$\d|\?/.test(change)) faults.push('a parameter in do update')
  }
  const places = words.flatMap((word, at) => (word === 'ctid' ? [partFrom(words, at)] : []))
  const isOfPart = (part: readonly string[]) =>
    part[1] === '=' && readBy(part).some((name) => parts.includes(name))
  if (inserts.length > 0 && places.some(isOfPart)) faults.push('ctid beside an insert')
  return faults
}

/** Keeps in `open` what the word at `at` stands in. */
function follow(open: Frame[], words: readonly string[], at: number): void {
  const [word, before] = [words[at], words[at - 1]]
  if (word === '(') open.push(before === 'coalesce' ? 'coalesce' : '(')
  else if (word === 'case') open.push('case')
  else if (word === 'end') open.splice(open.lastIndexOf('case'))
  else if (word === 'update' && before === 'do') open.push('do update')
  else if (word === 'delete' || (word === 'set' && open.at(-1) !== 'do update')) open.push('change')
  else if (word === 'returning') {
    if (/^(do update|change)$/.test(open.at(-1) ?? '')) open.pop()
    open.push('returning')
  } else if (word === ')') {
    const at = open.findLastIndex((frame) => frame === '(' || frame === 'coalesce')
    open.splice(Math.max(at, 0))
  }
}

/** What is wrong with one command of a migration. */
export function faultsOfMigration(command: string): string[] {
  const text = command.replaceAll(/--[^\n]*/g, '').toLowerCase()
  const faults = faultsOfBrand(text, /\btg_table_schema\b/)
  if (/^create trigger\b/.test(text)) {
    const isForRows = /\bfor each row\b/.test(text)
    if (!isForRows && !/\bbefore truncate on\b/.test(text)) faults.push('a trigger for statements')
  }
  if (/^create (or replace )?function\b/.test(text) && /\b(pg_)?notify\b/.test(text)) {
    faults.push('notify in a function')
  }
  if (/^create (or replace )?function\b[\s\S]*\bpg_\w*advisory/.test(text)) {
    faults.push('a lock in a function')
  }
  if (/^alter table\b/.test(text)) {
    if (/,/.test(text.replaceAll(/\([^()]*(\([^()]*\)[^()]*)*\)/g, ''))) {
      faults.push('several subcommands')
    }
    if (/\badd generated\b|\bset storage\b/.test(text)) faults.push('a subcommand of no use there')
  }
  const isChange = /^(insert|update|delete|with)\b/.test(text) && !isAlone(command)
  if (isChange) faults.push('a change of data')
  return faults
}

export type Statement = { name: string; text: string }

/**
 * The statements in a file of TypeScript: what stands in the tag sql, and what is handed to
 * `statement`; each by the name of the function or constant that has it. Fragments that have a name
 * in `fragments` are written out where they are used. What is built by calls is begun as SQL where
 * the place in it counts.
 */
export function readStatements(source: string, fragments = readFragments(source)): Statement[] {
  const found: Statement[] = []
  const visit = (node: ts.Node, name: string, outer: string) => {
    const own = nameOf(node) ?? name
    const text = textOf(node, fragments)
    if (text !== undefined && !(node.parent && ts.isTemplateSpan(node.parent))) {
      found.push({ name: own, text: outer + text })
    }
    ts.forEachChild(node, (child) => visit(child, own, builtBy(node, child) ?? outer))
  }
  visit(parse(source), '', '')
  return found
}

/** Calls of Kysely that put what they are given where Citus wants what is immutable. */
const built: Readonly<Record<string, string>> = {
  doUpdateSet: 'insert on conflict do update set ',
  returning: 'update returning ',
  coalesce: 'update coalesce('
}

/** The beginning of what `child` is, as an argument of the call `node`. */
function builtBy(node: ts.Node, child: ts.Node): string | undefined {
  if (!ts.isCallExpression(node) || child === node.expression) return
  if (!ts.isPropertyAccessExpression(node.expression)) return
  return built[node.expression.name.text]
}

type Fragments = Map<string, string>

/**
 * The constants of a file that are texts of SQL, by name, beside those that are `known`;
 * `exported`: those for others.
 */
export function readFragments(
  source: string,
  { exported = false, known = new Map() as Fragments } = {}
): Fragments {
  const fragments: Fragments = new Map(known)
  const visit = (node: ts.Node) => {
    const isOwn = ts.isVariableStatement(node) && !node.modifiers?.some(isExport)
    if (exported && (isOwn || ts.isFunctionDeclaration(node))) return
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer) {
      const { initializer } = node
      const body = ts.isArrowFunction(initializer) ? initializer.body : initializer
      const text = textOf(body, fragments) ?? literalOf(body, fragments)
      if (text !== undefined) fragments.set(node.name.text, text)
    }
    ts.forEachChild(node, visit)
  }
  visit(parse(source))
  return fragments
}

const isExport = ({ kind }: ts.ModifierLike) => kind === ts.SyntaxKind.ExportKeyword

const parse = (source: string) =>
  ts.createSourceFile('statements.ts', source, ts.ScriptTarget.Latest, true)

function nameOf(node: ts.Node): string | undefined {
  if (ts.isFunctionDeclaration(node)) return node.name?.text
  if (!ts.isVariableDeclaration(node)) return undefined
  return ts.isSourceFile(node.parent.parent.parent) ? node.name.getText() : undefined
}

/** The SQL that a node is, with a question mark for what is not known before it runs. */
function textOf(node: ts.Node, fragments: Map<string, string>): string | undefined {
  if (ts.isTaggedTemplateExpression(node) && node.tag.getText() === 'sql') {
    return literalOf(node.template, fragments)
  }
  if (!ts.isCallExpression(node)) return undefined
  const isText = /^(statement|sql\.raw|CompiledQuery\.raw)$/.test(node.expression.getText())
  const [first] = node.arguments
  return isText && first !== undefined ? literalOf(first, fragments) : undefined
}

function literalOf(node: ts.Node, fragments: Map<string, string>): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text
  if (ts.isBinaryExpression(node)) {
    const [left, right] = [literalOf(node.left, fragments), literalOf(node.right, fragments)]
    return left === undefined || right === undefined ? undefined : left + right
  }
  if (!ts.isTemplateExpression(node)) return undefined
  const spans = node.templateSpans.map(
    ({ expression, literal }) => `${expressionOf(expression, fragments)}${literal.text}`
  )
  return node.head.text + spans.join('')
}

function expressionOf(node: ts.Expression, fragments: Map<string, string>): string {
  if (ts.isIdentifier(node)) return fragments.get(node.text) ?? '?'
  if (ts.isConditionalExpression(node)) {
    return `${expressionOf(node.whenTrue, fragments)} ${expressionOf(node.whenFalse, fragments)}`
  }
  if (ts.isCallExpression(node)) {
    const called = ts.isIdentifier(node.expression) && fragments.get(node.expression.text)
    const [first] = node.arguments
    if (called) return called
    if (first && ts.isIdentifier(first)) return fragments.get(first.text) ?? '?'
  }
  return textOf(node, fragments) ?? '?'
}

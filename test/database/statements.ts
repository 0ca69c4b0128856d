/**
 * What Citus and PgBouncer would refuse, or do otherwise in silence, found in the text of SQL. The
 * rules were tried there; none of the two is needed to hold them.
 */
import ts from 'typescript'
import { isAlone } from '../../src/database/migration.ts'

const tokens = /'(?:[^']|'')*'|--[^\n]*|\$\d+|\w+|[^\s\w]/g

/** The time and chance, and arithmetic with them: where Citus wants what is immutable. */
const changing = /^(now|clock_timestamp|current_timestamp|gen_random_uuid|make_interval|interval)$/

const parametersMax = 12

/** What opens a part of a statement that ends with the parenthesis that it stands in. */
type Frame = '(' | 'case' | 'coalesce' | 'returning' | 'do update'
const wantsImmutable: readonly Frame[] = ['case', 'coalesce', 'returning', 'do update']

/** What is wrong with the text of one statement of the service. */
export function faultsOf(text: string): string[] {
  const words = (text.toLowerCase().match(tokens) ?? []).filter((word) => !word.startsWith('--'))
  const faults = new Set<string>()
  const isWrite = words.some((_, at) => isWriteAt(words, at))
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
    if (word === 'select' && open.includes('do update')) faults.add('a select in do update')
    const frame = open.findLast((one) => wantsImmutable.includes(one))
    if (changing.test(word) && frame !== undefined) faults.add(`${word} in ${frame}`)
  }
  return [...faults]
}

/** `for update` and `for no key update` lock; `do update` belongs to its insert. */
function isWriteAt(words: readonly string[], at: number): boolean {
  const [word, before = ''] = [words[at], words[at - 1]]
  if (word === 'update') return !['for', 'key', 'do'].includes(before)
  return word === 'insert' || word === 'delete'
}

/** Keeps in `open` what the word at `at` stands in. */
function follow(open: Frame[], words: readonly string[], at: number): void {
  const [word, before] = [words[at], words[at - 1]]
  if (word === '(') open.push(before === 'coalesce' ? 'coalesce' : '(')
  else if (word === 'case') open.push('case')
  else if (word === 'end') open.splice(open.lastIndexOf('case'))
  else if (word === 'update' && before === 'do') open.push('do update')
  else if (word === 'returning') {
    if (open.at(-1) === 'do update') open.pop()
    open.push('returning')
  } else if (word === ')') {
    const at = open.findLastIndex((frame) => frame === '(' || frame === 'coalesce')
    open.splice(Math.max(at, 0))
  }
}

/** What is wrong with one command of a migration. */
export function faultsOfMigration(command: string): string[] {
  const faults: string[] = []
  const text = command.replaceAll(/--[^\n]*/g, '').toLowerCase()
  if (/^create trigger\b/.test(text)) {
    const isForRows = /\bfor each row\b/.test(text)
    if (!isForRows && !/\bbefore truncate on\b/.test(text)) faults.push('a trigger for statements')
  }
  if (/^create (or replace )?function\b/.test(text) && /\b(pg_)?notify\b/.test(text)) {
    faults.push('notify in a function')
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
 * in `fragments` are written out where they are used.
 */
export function readStatements(source: string, fragments = readFragments(source)): Statement[] {
  const found: Statement[] = []
  const visit = (node: ts.Node, name: string) => {
    const own = nameOf(node) ?? name
    const text = textOf(node, fragments)
    if (text !== undefined && !(node.parent && ts.isTemplateSpan(node.parent))) {
      found.push({ name: own, text })
    }
    ts.forEachChild(node, (child) => visit(child, own))
  }
  visit(parse(source), '')
  return found
}

/** The constants of a file that are texts of SQL, by name; `exported`: those for others. */
export function readFragments(source: string, { exported = false } = {}): Map<string, string> {
  const fragments = new Map<string, string>()
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

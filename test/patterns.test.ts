import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import addFormats from 'ajv-formats'
import { check } from 'recheck'
import t from 'tap'
import ts from 'typescript'
import { apiDocuments, buildApp } from '../src/app.ts'
import { connect } from '../src/database/database.ts'
import { formats } from '../src/http/formats.ts'
import { documentOf } from '../src/openapi/openapi.plugin.ts'
import { testContext } from './test-context.ts'

type Pattern = { source: string; flags: string }

/** It compiles the patterns of schemas, which are those of the document. */
const compilesSchemas = 'http/validation.plugin.ts'
/** They read files of our own, and nothing else. */
const readOwnFiles = ['openapi-file.ts', 'database/migrate.ts']

const src = new URL('../src/', import.meta.url).pathname

/** Every regular expression of a file; throws for one that is only known when it runs. */
function patternsOf(path: string, text: string): Pattern[] {
  const found: Pattern[] = []
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) {
      const end = node.text.lastIndexOf('/')
      found.push({ source: node.text.slice(1, end), flags: node.text.slice(end + 1) })
    } else if (
      (ts.isNewExpression(node) || ts.isCallExpression(node)) &&
      node.expression.getText(file) === 'RegExp'
    ) {
      const [source, flags] = node.arguments ?? []
      if (path === compilesSchemas) return
      if (!source || !ts.isStringLiteralLike(source) || (flags && !ts.isStringLiteralLike(flags))) {
        throw new Error(`${path}: ${node.getText(file)} can't be checked`)
      }
      found.push({ source: source.text, flags: flags?.text ?? '' })
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

/** Where no proof is possible texts are tried: the same ones each time, and against no clock. */
const repeatable = {
  timeout: 60_000,
  randomSeed: 1,
  attackTimeout: null,
  incubationTimeout: null
} as const

/** What is wrong with them: all but `safe` is, also where the checker does not know a pattern. */
async function faultsOf(patterns: readonly Pattern[]): Promise<string[]> {
  const once = new Map(patterns.map((one) => [`/${one.source}/${one.flags}`, one]))
  const faults = [...once].map(async ([text, { source, flags }]) => {
    const found = await check(source, flags, repeatable)
    if (found.status === 'safe') return []
    const reason = found.status === 'vulnerable' ? found.complexity.summary : found.error.kind
    return [`${text}: ${found.status} ${reason}`]
  })
  return (await Promise.all(faults)).flat()
}

t.test('F1: every pattern takes linear time', async (t) => {
  t.test('of the code', async (t) => {
    const paths = (await readdir(src, { recursive: true })).filter(
      (path) => path.endsWith('.ts') && !readOwnFiles.includes(path)
    )
    const files = paths.map(async (path) =>
      patternsOf(path, await readFile(join(src, path), 'utf8'))
    )
    const patterns = (await Promise.all(files)).flat()
    t.ok(patterns.length > 50, `${patterns.length} of them`)
    t.same(await faultsOf(patterns), [])
  })

  t.test('of the document, and of the formats that it names', async (t) => {
    const patterns = new Map<string, Pattern>()
    const add = (source: string, flags: string) => patterns.set(source, { source, flags })
    for (const { pattern, patternProperties, format } of await schemasOfDocument()) {
      // JSON Schema's dialect has the flag u.
      if (typeof pattern === 'string') add(pattern, 'u')
      for (const name of Object.keys(patternProperties ?? {})) add(name, 'u')
      if (typeof format !== 'string') continue
      // Our own are functions, of patterns in the code.
      if (Object.hasOwn(formats, format)) continue
      const checked = addFormats.default.get(format as 'email') as { validate?: unknown }
      const validate = checked.validate ?? checked
      if (validate instanceof RegExp) add(validate.source, validate.flags)
    }
    t.ok(patterns.size > 5, `${patterns.size} of them`)
    t.same(await faultsOf([...patterns.values()]), [])
  })

  t.test('and one that does not is found', async (t) => {
    const slow = "const a = /^(a+)+$/\nconst b = new RegExp('-*-*-*x', 'u')\nconst c = /a/v"
    const faults = await faultsOf(patternsOf('', slow))
    t.same(
      faults.map((one) => one.split(': ')[1]),
      ['vulnerable exponential', 'vulnerable 4th degree polynomial', 'unknown invalid']
    )
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source code.
    t.throws(() => patternsOf('', 'new RegExp(`${a}`)'), /checked/)
  })
})

/** Every object of the OpenAPI documents, but for examples. */
async function schemasOfDocument(): Promise<Array<Record<string, unknown>>> {
  const db = connect('postgresql://nobody@localhost/none')
  const context = testContext(db)
  const app = await buildApp(context)
  await app.ready()
  const found: Array<Record<string, unknown>> = []
  const documents = apiDocuments.map((one) => documentOf(app, one))
  JSON.stringify(documents, (name, value) => {
    if (name === 'examples') return undefined
    if (typeof value === 'object' && value !== null) found.push(value)
    return value
  })
  await app.close()
  await db.destroy()
  return found
}

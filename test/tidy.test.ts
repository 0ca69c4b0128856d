/**
 * The architecture as a test: a file's name says which worlds it may touch, its folder whom it
 * knows.
 */
import { readdir, readFile } from 'node:fs/promises'
import { dirname, posix } from 'node:path'
import t from 'tap'

/** Packages by the role of a file: the suffix is the permission. */
const packages: Readonly<Record<string, RegExp>> = {
  rules: /^(node:crypto|standardwebhooks)$/,
  schema: /^typebox$/,
  store: /^(kysely|node:crypto|safe-stable-stringify)$/,
  commands: /^node:(crypto|util)$/,
  routes: /^(fastify|@fastify\/type-provider-typebox|typebox|node:crypto)$/,
  plugin:
    /^(fastify|@(fastify|scalar)\/.+|ajv.*|csv-stringify|negotiator|node:(crypto|http|stream))$/,
  jobs: /^node:crypto$/,
  provider: /^@adyen\/api-library\b/,
  reader: /^(csv-parse|marked|yaml|node:(stream|fs\/promises))$/,
  verifier: /^jose\//,
  transport: /^(@adyen\/api-library\b.*|undici|node:(dns|timers)\/promises|ipaddr\.js)$/,
  wiring: /./,
  sandbox: /^(node:.+|kysely|pino|oidc-provider)$/,
  simulator: /^(node:.+|fastify)$/
}

/** Roles of our own files, by the role that imports them. */
const roles: Readonly<Record<string, readonly string[]>> = {
  rules: ['rules'],
  schema: ['rules', 'schema'],
  store: ['rules', 'store', 'wiring'],
  commands: ['rules', 'store', 'commands', 'wiring'],
  routes: ['rules', 'schema', 'store', 'commands', 'plugin', 'reader', 'wiring'],
  plugin: ['rules', 'schema', 'store', 'plugin', 'wiring'],
  jobs: ['rules', 'store', 'commands', 'wiring'],
  provider: ['rules', 'provider', 'transport'],
  reader: ['rules'],
  verifier: ['rules', 'transport', 'verifier'],
  transport: ['rules', 'transport']
}

/** Folders and files of src, low to high: each knows only what stands before it. */
const order = [
  ...[
    'problems',
    'problem',
    'money',
    'database-clock',
    'id',
    'identifier',
    'country-codes',
    'card-number',
    'html'
  ],
  ...['provider', 'command-line', 'tracing', 'outbound', 'database', 'due'],
  ...[
    'service-context',
    'clients',
    'oauth',
    'http',
    'openapi',
    'events',
    'ledger',
    'accounts',
    'cards'
  ],
  ...['payments', 'lifecycle', 'disputes', 'receipts', 'discrepancies', 'checkout', 'operations'],
  ...['settlement', 'billing', 'books', 'feed', 'webhooks', 'verify', 'erasure'],
  ...['tmf', 'tmf-payments', 'tmf-payment-methods', 'tmf-accounts', 'guides'],
  ...[
    'adyen',
    'adyen-reports',
    'settings',
    'config',
    'logger',
    'metrics',
    'tasks',
    'app',
    'service'
  ],
  ...['openapi-file', 'main']
]

/** Rules among the files of src itself and of what all stands on; the others wire things up. */
const barePaths = [
  'problems/problems.ts',
  'problem.ts',
  'money.ts',
  'database-clock.ts',
  'id.ts',
  'identifier.ts',
  'country-codes.ts',
  'card-number.ts',
  'html.ts',
  'provider.ts',
  'due/delays.ts'
]
/** The only ones that read the environment. */
const programs = ['main.ts', 'sandbox/issuer-process.ts', 'sandbox/simulator/main.ts']
/**
 * What is loaded by whom while it runs: the sandbox, which is not in the image, and the parts that
 * a command needs; and packages that take 20 MB of memory and are seldom asked for.
 */
const loadsLater: Readonly<Record<string, RegExp>> = {
  'main.ts': /./,
  'openapi/openapi.plugin.ts': /^'@scalar\/fastify-api-reference'$/,
  'service.ts': /^'\.\/tracing\/open-telemetry\.ts'$/
}
/** By their types alone: the tables that the schema has; the parts that the service is made of. */
const knowsAllTypes = ['database/tables.ts', 'service-context.ts']
/** Written by `npm run schema`: as long as the schema is. */
const generated = 'database/tables.ts'
/** Rooms whose files are what all others stand on. */
const wiringRooms = ['tracing', 'database', 'due', 'settings', 'metrics']

const longest = { line: 100, function: 70, file: 400, test: 500, room: 3000 }
/** What people paste into a shell stands on one line, however long. */
const isPasted = (line: string) => line.startsWith('curl ')
const vagueFolders = ['utils', 'util', 'helpers', 'common', 'types', 'lib', 'shared', 'misc']

function roleOf(path: string): string {
  const [folder = ''] = path.split('/')
  if (barePaths.includes(path)) return 'rules'
  if (path.startsWith('sandbox/simulator/')) return 'simulator'
  if (folder === 'sandbox') return folder
  if (!path.includes('/')) return 'wiring'
  const suffix = /\.(\w+)\.ts$/.exec(path)?.[1]
  return suffix ?? (wiringRooms.includes(folder) ? 'wiring' : 'rules')
}

const placeOf = (path: string) => (path.split('/')[0] as string).replace(/\.ts$/, '')

/** All that is wrong with a file; `path` is relative to src. */
function faultsOf(path: string, source: string): string[] {
  return [...importFaults(path, source), ...wordFaults(path, source), ...sizeFaults(path, source)]
}

const imports = /^import (type )?(?:[^'"]*? from )?['"]([^'"]+)['"]/gm

function importFaults(path: string, source: string): string[] {
  const faults: string[] = []
  const role = roleOf(path)
  if (packages[role] === undefined) return [`${path}: ${role} is no role of a file`]
  for (const [, type, target = ''] of source.matchAll(imports)) {
    if (!target.startsWith('.')) {
      if (type === undefined && !packages[role].test(target)) {
        faults.push(`${path}: a ${role} file may not import ${target}`)
      }
      continue
    }
    const other = posix.join(dirname(path), target)
    const isOfSimulator = other.startsWith('sandbox/simulator/')
    if ((role === 'simulator') !== isOfSimulator) {
      faults.push(`${path}: the simulator is a stranger to ${other}`)
    }
    if (role === 'sandbox' || role === 'simulator') continue
    const [place, otherPlace] = [placeOf(path), placeOf(other)]
    const [at, otherAt] = [order.indexOf(place), order.indexOf(otherPlace)]
    const isUp = otherAt > at && !(type !== undefined && knowsAllTypes.includes(path))
    if (at < 0 || otherAt < 0) faults.push(`${path}: no place in the order for ${other}`)
    else if (isUp) faults.push(`${path}: ${place} may not know ${otherPlace}`)
    const otherRole = roleOf(other)
    if (type === undefined && roles[role]?.includes(otherRole) === false) {
      faults.push(`${path}: a ${role} file may not import a ${otherRole} file, ${other}`)
    }
  }
  return faults
}

const lazily = 'imports while it runs, or within a type'

/** What no file may say. */
const words: ReadonlyArray<readonly [RegExp, string]> = [
  [/^\s*(export )?(declare )?(const )?enum\s/m, 'has an enum'],
  [/^export default\b/m, 'has a default export'],
  [/\b(TODO|FIXME|XXX)\b/, 'leaves something to do'],
  [/^export (type )?(\*|\{[^}]*\})\s*(as \w+ )?from\b/m, 'exports what another file makes'],
  [/\bimport\(/, lazily],
  [/\brequire\(/, 'requires'],
  [/\bconsole\./, 'prints']
]

function wordFaults(path: string, source: string): string[] {
  const faults = words
    .filter(([word, what]) => word.test(what === lazily ? withoutLater(path, source) : source))
    .map(([, what]) => `${path}: ${what}`)
  if (!programs.includes(path) && /\bprocess\.env\b/.test(source)) {
    faults.push(`${path}: reads the environment`)
  }
  if (
    roleOf(path) === 'rules' &&
    /\bDate\.now\(|\bnew Date\(\)/.test(source) &&
    path !== 'database-clock.ts'
  ) {
    faults.push(`${path}: reads the clock`)
  }
  const folder = path.split('/').slice(0, -1)
  if (folder.some((name) => vagueFolders.includes(name))) faults.push(`${path}: in a vague folder`)
  const isDeep = folder.length > (roleOf(path) === 'simulator' ? 2 : 1)
  if (isDeep) faults.push(`${path}: more than one folder deep`)
  if (!/^[a-z0-9-]+(\.[a-z]+)?\.ts$/.test(path.split('/').at(-1) as string)) {
    faults.push(`${path}: its name is not kebab-case`)
  }
  return faults
}

function withoutLater(path: string, source: string): string {
  return source.replaceAll(/\bimport\(([^)]*)\)/g, (whole, target) =>
    loadsLater[path]?.test(target) ? '' : whole
  )
}

function sizeFaults(path: string, source: string): string[] {
  const lines = source.trimEnd().split('\n')
  const faults = lines.flatMap((line, at) =>
    [...line].length > longest.line && !isPasted(line)
      ? [`${path}:${at + 1}: ${[...line].length} columns`]
      : []
  )
  if (lines.length > longest.file && path !== generated)
    faults.push(`${path}: ${lines.length} lines`)
  for (const { name, own } of functionsOf(lines)) {
    if (own > longest.function) faults.push(`${path}: ${name} has ${own} lines`)
  }
  return faults
}

/** Every function that is declared, and how many lines it has but for functions within it. */
function functionsOf(lines: readonly string[]): Array<{ name: string; own: number }> {
  const found: Array<{ name: string; from: number; to: number; own: number }> = []
  for (const [from, line] of lines.entries()) {
    const [, indent, name = ''] = /^(\s*)(?:export )?(?:async )?function\*? (\w+)/.exec(line) ?? []
    if (indent === undefined || /\}\s*$/.test(line)) continue
    const to = lines.findIndex((other, place) => place > from && other === `${indent}}`)
    for (const outer of found) if (outer.to > to) outer.own -= to - from + 1
    found.push({ name, from, to, own: to - from + 1 })
  }
  return found
}

type File = { path: string; source: string }

/** What is wrong with the files together: rooms that are too large, and imports in a circle. */
function faultsTogether(files: readonly File[]): string[] {
  const linesOf = ({ source }: File) => source.trimEnd().split('\n').length
  const rooms = Object.entries(
    Object.groupBy(files, ({ path }) => dirname(path)) as Record<string, File[]>
  )
  const large = rooms
    .map(([room, own]) => [room, own.reduce((sum, file) => sum + linesOf(file), 0)] as const)
    .filter(([, lines]) => lines > longest.room)
    .map(([room, lines]) => `${room}: ${lines} lines in all`)
  return [...large, ...cyclesOf(files)]
}

/** Files whose imports lead back to them, by types alone as well. */
function cyclesOf(files: readonly File[]): string[] {
  const others = new Map(
    files.map(({ path, source }) => [
      path,
      [...source.matchAll(imports)]
        .map(([, , target = '']) => target)
        .filter((target) => target.startsWith('.'))
        .map((target) => posix.join(dirname(path), target))
    ])
  )
  const found: string[] = []
  const visited = new Set<string>()
  const visit = (path: string, way: readonly string[]) => {
    if (way.includes(path)) found.push([...way.slice(way.indexOf(path)), path].join(' -> '))
    if (visited.has(path)) return
    visited.add(path)
    for (const other of others.get(path) ?? []) visit(other, [...way, path])
  }
  for (const path of others.keys()) visit(path, [])
  return found
}

async function filesOf(folder: string): Promise<File[]> {
  const root = new URL(`../${folder}/`, import.meta.url)
  const names = await readdir(root, { recursive: true })
  const paths = names.filter((name) => name.endsWith('.ts')).sort()
  return await Promise.all(
    paths.map(async (path) => ({ path, source: await readFile(new URL(path, root), 'utf8') }))
  )
}

t.test('every file of src keeps to its world, its place and its size', async (t) => {
  const ofSandbox = (await filesOf('sandbox')).map((file) => ({
    ...file,
    path: `sandbox/${file.path}`
  }))
  const files = [...(await filesOf('src')), ...ofSandbox]
  t.ok(files.length > 50)
  for (const { path, source } of files) t.same(faultsOf(path, source), [], path)
  const names = files.map(({ path }) => path.split('/').at(-1))
  const twice = names.filter((name, at) => names.indexOf(name) !== at && name !== 'main.ts')
  t.same(
    twice.filter(
      (name) => !['notifications.ts', 'money.ts', 'database.ts'].includes(name as string)
    ),
    [],
    'an editor tab says where you are'
  )
})

t.test('the typed client and the examples know the service by its document alone', async (t) => {
  const generated = 'openapi.ts'
  for (const { path, source } of await filesOf('clients/typescript/src')) {
    if (path !== generated) t.same(sizeFaults(path, source), [], path)
    for (const [, , target = ''] of source.matchAll(imports)) {
      t.match(target, /^(\.\/[\w-]+\.ts|openapi-fetch|node:(crypto|timers\/promises))$/, path)
    }
  }
  for (const { path, source } of await filesOf('examples')) {
    t.same(sizeFaults(path, source), [], path)
    t.notMatch(source, /from '[^']*\/(src|sandbox|test)\/(?!index\.ts)/, path)
  }
})

t.test('no room of src is too large, and no import leads back to its file', async (t) => {
  const files = await filesOf('src')
  t.ok(files.some(({ path }) => path.startsWith('lifecycle/')))
  t.same(faultsTogether(files), [])
})

t.test('a large room and a circle of imports are found', async (t) => {
  const half = 'const a = 1\n'.repeat(1500)
  const room = [
    { path: 'payments/a.ts', source: half },
    { path: 'payments/b.ts', source: half }
  ]
  t.same(faultsTogether(room), [])
  t.same(faultsTogether([...room, { path: 'payments/c.ts', source: 'const a = 1\n' }]), [
    'payments: 3001 lines in all'
  ])
  const chain = [
    { path: 'payments/a.ts', source: "import { b } from './b.ts'" },
    { path: 'payments/b.ts', source: "import {\n  c,\n  d\n} from '../money.ts'" },
    { path: 'money.ts', source: "import 'pg'" }
  ]
  t.same(faultsTogether(chain), [])
  const back = { path: 'money.ts', source: "import type { A } from './payments/a.ts'" }
  t.same(faultsTogether([...chain.slice(0, 2), back]), [
    'payments/a.ts -> payments/b.ts -> money.ts -> payments/a.ts'
  ])
})

/** What at the top of a file would be about the other files of its process, or wait for them. */
const ruling = /^(t\.(beforeEach|afterEach|jobs)\b|await t\.)/m

t.test('no test is too wide or too long, runs alone, or rules others', async (t) => {
  for (const { path, source } of await filesOf('test')) {
    const faults = sizeFaults(path, source).filter((fault) => /columns$/.test(fault))
    t.same(faults, [], path)
    const lines = source.trimEnd().split('\n').length
    t.ok(lines < longest.test, `${path}: ${lines} lines`)
    t.notMatch(source, /\b(t|tap)\.(only|todo)\(|\bonly: true/, path)
    t.notMatch(source, ruling, `${path} shares its process`)
  }
})

t.test('the examples are short, and know of the service only what its client does', async (t) => {
  for (const { path, source } of await filesOf('examples')) {
    t.same(sizeFaults(path, source), [], path)
    t.ok(source.trimEnd().split('\n').length < 200, `${path} has 200 lines or more`)
    const targets = [...source.matchAll(imports)].map(([, , target = '']) => target)
    t.notMatch(targets.join(' '), /(^| )(\.\.\/)+(src|sandbox)\//, path)
  }
})

const bad: ReadonlyArray<readonly [path: string, source: string, fault: RegExp]> = [
  ['payments/payment.ts', "import { sql } from 'kysely'", /rules file may not import kysely/],
  ['payments/payment.ts', "import {\n  a,\n  b\n} from 'fastify'", /may not import fastify/],
  ['payments/payment.ts', "import 'pg'", /may not import pg/],
  ['payments/payment.ts', "import { b } from './payment.store.ts'", /may not import a store file/],
  ['payments/payment.ts', 'const now = Date.now()', /reads the clock/],
  ['payments/payment.schema.ts', "import { b } from './payment.store.ts'", /a store file/],
  ['payments/payment.store.ts', "import http from 'node:http'", /may not import node:http/],
  ['payments/payment.store.ts', "import { b } from '../http/auth.plugin.ts'", /a plugin file/],
  [
    'payments/payment.routes.ts',
    "import { sql } from 'kysely'",
    /routes file may not import kysely/
  ],
  ['payments/pay.commands.ts', "import { f } from 'fastify'", /may not import fastify/],
  ['payments/payment.routes.ts', "import { b } from '../adyen/adyen.ts'", /may not know adyen/],
  ['payments/payment.ts', "import type { B } from '../adyen/adyen.ts'", /may not know adyen/],
  ['ledger/ledger.store.ts', "import { b } from '../payments/payment.store.ts'", /may not know/],
  [
    'adyen/adyen.provider.ts',
    "import { b } from '../../sandbox/simulator/state.ts'",
    /no place in the order/
  ],
  ['sandbox/simulator/state.ts', "import type { B } from '../../src/provider.ts'", /a stranger/],
  ['payments/payment.ts', "import { b } from '../unheard-of/b.ts'", /no place in the order/],
  ['unheard-of/b.ts', "import { b } from '../money.ts'", /no place in the order/],
  [
    'database/database.ts',
    "import { b } from '../payments/payment.store.ts'",
    /may not know payments/
  ],
  ['payments/payment.thing.ts', '', /thing is no role/],
  ['payments/a.ts', 'export enum A { B }', /has an enum/],
  ['payments/a.ts', 'const enum A { B }', /has an enum/],
  ['payments/a.ts', 'export default 1', /default export/],
  ['payments/a.ts', '// TODO: later', /something to do/],
  ['payments/a.ts', "export { b } from './b.ts'", /another file makes/],
  ['payments/a.ts', "export * from './b.ts'", /another file makes/],
  ['payments/a.ts', "export type {\n  B\n} from './b.ts'", /another file makes/],
  ['payments/a.ts', "const b = await import('pg')", /while it runs/],
  ['openapi/openapi.plugin.ts', "const b = await import('ajv')", /while it runs/],
  ['payments/a.ts', "console.log('x')", /prints/],
  ['config.ts', 'const url = process.env.DATABASE_URL', /reads the environment/],
  ['utils/a.ts', 'const a = 1', /vague folder/],
  ['payments/deep/a.ts', 'const a = 1', /one folder deep/],
  ['payments/camelCase.ts', 'const a = 1', /kebab-case/],
  ['payments/a.ts', `const a = '${'x'.repeat(100)}'`, /112 columns/],
  ['payments/a.ts', `// a\n${'const a = 1\n'.repeat(400)}`, /401 lines/],
  ['payments/a.ts', `export function f() {\n${'  g()\n'.repeat(70)}}`, /f has 72 lines/],
  ['payments/a.ts', `  async function f(\n  a: 1\n  ) {\n${'    g()\n'.repeat(70)}  }`, /f has 74/]
]
for (const [path, source, fault] of bad) {
  t.test(`refused: ${path}: ${source.slice(0, 60).replace(/\s+/g, ' ')}`, async (t) => {
    t.match(faultsOf(path, source).join('\n'), fault)
  })
}

t.test('what is good passes', async (t) => {
  const good: ReadonlyArray<readonly [path: string, source: string]> = [
    ['payments/payment.ts', "import type { Money } from '../money.ts'"],
    ['payments/payment.ts', "import { createHash } from 'node:crypto'"],
    ['payments/payment.ts', "import type { View } from './payment.schema.ts'"],
    ['payments/payment.store.ts', "import { sql } from 'kysely'\nimport { a } from './payment.ts'"],
    ['payments/pay.commands.ts', "import { post } from '../ledger/ledger.store.ts'"],
    ['database/tables.ts', "import type { Payment } from '../payments/payment.ts'"],
    ['http/auth.plugin.ts', "import { find } from '../clients/client.store.ts'"],
    [
      'payments/a.ts',
      `export function f() {\n${`  function g() {\n${'    h()\n'.repeat(40)}  }\n`.repeat(3)}}`
    ],
    ['main.ts', 'const config = readConfig(process.env)'],
    ['payments/a.ts', `export function f() {\n${'  g()\n'.repeat(68)}}`],
    ['payments/a.ts', '// An enumeration: any name will do, whatever the default export.']
  ]
  for (const [path, source] of good) t.same(faultsOf(path, source), [])
})

t.test('the image runs what npm start runs', async (t) => {
  const read = (name: string) => readFile(new URL(`../${name}`, import.meta.url), 'utf8')
  const { scripts } = JSON.parse(await read('package.json'))
  const dockerfile = await read('Dockerfile')
  const command = JSON.parse(/^CMD (.*)$/m.exec(dockerfile)?.[1] ?? '')
  t.equal(`exec ${command.join(' ')}`, scripts.start)
})

t.test('G12: compose keeps the data in its volume, whichever image it runs', async (t) => {
  const text = await readFile(new URL('../compose.yaml', import.meta.url), 'utf8')
  const [postgres = ''] = /^ {2}postgres:\n(?: {4}.*\n|\n)*/m.exec(text) ?? []
  const [, folder = ''] = /volumes: \['postgres:([^']+)'\]/.exec(postgres) ?? []
  // Up to 17 an image has a volume of its own at `data`; from 18 on none may be mounted there.
  t.match(postgres, new RegExp(`PGDATA: ${folder}/(?!data\\b).`))
  t.match(postgres, /restart: unless-stopped/)
  t.match(postgres, /pg_isready -h /, 'which is not answered while the database is set up')
  t.match(text, /^ {2}payments:\n(?: {4}.*\n)* {4}restart: unless-stopped/m)
})

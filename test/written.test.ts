/** What is written down names what is there: files, headings, tests, licences. */
import { readdir, readFile } from 'node:fs/promises'
import { basename, matchesGlob, posix } from 'node:path'
import t from 'tap'
import { isAllowed, productionPackages } from '../sandbox/licences.ts'
import { type Bom, pickProduction } from '../sandbox/sbom.ts'
import { anchorOf } from '../src/guides/guide.reader.ts'

const root = new URL('../', import.meta.url)
const read = (path: string) => readFile(new URL(path, root), 'utf8')

/** What is not of the repository, or is made by commands. */
const notOurs = /^(node_modules|\.git|\.tap|\.sandbox|clients\/typescript\/dist)(\/|$)/
const paths = (await readdir(root, { recursive: true })).filter((path) => !notOurs.test(path))
const known = new Set(paths)
const names = new Set(paths.map((path) => basename(path)))

const documents = new Map(
  await Promise.all(
    paths
      .filter((path) => /^(docs\/.*|[A-Z]+)\.md$/.test(path))
      .map(async (path) => [path, await read(path)] as const)
  )
)

/** Files that a document names in backticks: with a folder or an ending of ours. */
function namedIn(text: string): string[] {
  const bare = text.replaceAll(/^```.*?^```$/gms, '')
  return [...bare.matchAll(/`([\w.*/-]+)`/g)]
    .map(([, name = '']) => name)
    .filter(
      (name) =>
        /^(src|test|docs|sandbox|bench|simulate|migrations|findings|examples|clients)\//.test(
          name
        ) || /^[\w*/-][\w.*/-]*\.(ts|md|sql|sh)$/.test(name)
    )
}

/** By its whole path, or as rooms of `src` are named; bare names anywhere; with `*` any of them. */
function isThere(name: string): boolean {
  const path = name.replace(/\/$/, '')
  if (path.includes('*')) return paths.some((one) => matchesGlob(one, `**/${path}`))
  return known.has(path) || known.has(`src/${path}`) || names.has(path)
}

/** Links to files of the repository, as paths from its root, each with its heading. */
function linksOf(document: string, text: string): Array<readonly [path: string, anchor: string]> {
  return [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, href = '']) => {
    const [path = '', anchor = ''] = href.split('#')
    const whole = path === '' ? document : posix.join(posix.dirname(document), path)
    return [whole.replace(/\/$/, ''), anchor]
  })
}

t.test('every file that a document names is there', async (t) => {
  t.ok(documents.size > 20)
  for (const [document, text] of documents) {
    t.same(
      namedIn(text).filter((name) => !isThere(name)),
      [],
      document
    )
  }
  t.same(namedIn('`src/nowhere.ts`, `nothing.store.ts`').filter(isThere), [])
})

t.test('every link leads to a file, and to a heading of it', async (t) => {
  for (const [document, text] of documents) {
    for (const [path, anchor] of linksOf(document, text)) {
      t.ok(known.has(path), `${document}: ${path}`)
      if (!anchor) continue
      const headings = [...(await read(path)).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
        anchorOf(heading)
      )
      t.ok(headings.includes(anchor), `${document}: ${path}#${anchor}`)
    }
  }
})

t.test('a test has the sentences that SECURITY.md quotes of it', async (t) => {
  const quotes = [
    ...(documents.get('SECURITY.md') ?? '').matchAll(
      /`(test\/[\w./-]+)` \(("[^)\n]*?(?:\([^)]*\))?")\)/g
    )
  ]
  t.ok(quotes.length > 40)
  for (const [, path = '', said = ''] of quotes) {
    const source = await read(path)
    for (const sentence of said.slice(1, -1).split('", "')) {
      t.ok(source.includes(sentence), `${path}: ${sentence}`)
    }
  }
})

t.test('every decision has its day, and what lost', async (t) => {
  for (const [document, text] of documents) {
    if (!document.startsWith('docs/decisions/') || document.endsWith('README.md')) continue
    t.ok((documents.get('docs/decisions/README.md') ?? '').includes(`](${basename(document)})`))
    for (const record of text.split(/^## /m).slice(1)) {
      const [title = ''] = record.split('\n')
      t.match(record, /^\n\d{4}-\d\d-\d\d\. \S/m, title)
      t.match(record, /^\*Instead of:\* \S/m, title)
    }
  }
})

t.test('what the service runs with has a hash, and a licence that is allowed', async (t) => {
  const packages = await productionPackages()
  t.ok(packages.length > 50)
  t.same(
    packages.filter(({ licence }) => !isAllowed(licence)),
    []
  )
  const lock = JSON.parse(await read('package-lock.json'))
  for (const [path, { integrity, link }] of Object.entries<Record<string, string>>(lock.packages)) {
    if (path.includes('node_modules/') && !link) t.match(integrity, /^sha512-/, path)
  }
  t.ok(isAllowed('(MIT OR GPL-3.0-only)'))
  for (const licence of [
    'GPL-3.0-only',
    'MIT AND GPL-3.0-only',
    'none',
    'UNLICENSED',
    'MIT OR X AND Y'
  ]) {
    t.notOk(isAllowed(licence), licence)
  }
})

t.test('the list of parts has what the service runs with, and nothing else', async (t) => {
  const part = (name: string) => ({ 'bom-ref': `${name}@1`, name, version: '1' })
  const all: Bom = {
    metadata: { component: part('folder') },
    components: [part('a'), part('b')],
    dependencies: [
      { ref: 'folder@1', dependsOn: ['a@1', 'b@1'] },
      { ref: 'b@1', dependsOn: ['a@1'] }
    ]
  }
  const bom = pickProduction(all, 'service', [{ name: 'a', version: '1', licence: 'MIT' }])
  t.match(bom, { metadata: { component: { name: 'service' } } })
  t.same(bom.components, [part('a')])
  t.same(bom.dependencies, [{ ref: 'folder@1', dependsOn: ['a@1'] }])
})

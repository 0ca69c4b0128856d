/** The guides as their readers use them: every command is run, every link followed. */
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import t from 'tap'
import { anchorOf } from '../src/guides/guide.reader.ts'
import { fillTables } from '../src/guides/guide-tables.ts'
import { guideNames } from '../src/guides/guides.ts'
import { commandsOf, follow } from './shell-blocks.ts'
import { testService } from './test-service.ts'

const folder = new URL('../docs/', import.meta.url)
const files = (await readdir(folder)).filter((name) => name.endsWith('.md')).sort()
const sources = new Map(
  await Promise.all(
    files.map(async (name) => [name, await readFile(new URL(name, folder), 'utf8')] as const)
  )
)

/** Hosts of the standards and manuals that guides lead to. Nothing is asked of them here. */
const hosts = [
  'docs.adyen.com',
  'www.rfc-editor.org',
  'www.standardwebhooks.com',
  'github.com',
  'www.tmforum.org'
]

t.test('every guide is listed, and every one that is listed is there', async (t) => {
  t.same(files, [...guideNames.map((name) => `${name}.md`), 'README.md'].sort())
  const index = sources.get('README.md') as string
  for (const name of guideNames) t.ok(index.includes(`](${name}.md)`), name)
})

t.test('the tables say what the code says', async (t) => {
  for (const [name, guide] of sources) t.equal(fillTables(guide), guide, name)
  const wrong = '<!-- table: nothing -->\n<!-- end of table -->'
  t.throws(() => fillTables(wrong), /no table nothing/)
})

t.test('every link leads somewhere', async (t) => {
  const headings = (name: string) =>
    [...(sources.get(name) ?? '').matchAll(/^#+ (.+)$/gm)].map(([, text = '']) => anchorOf(text))
  for (const [name, guide] of sources) {
    for (const [, href = ''] of guide.matchAll(/\]\(([^)]+)\)/g)) {
      const [, file = '', anchor] = /^([\w-]*(?:\.md)?)(?:#(.+))?$/.exec(href) ?? []
      if (/^https:/.test(href)) t.ok(hosts.includes(new URL(href).host), `${name}: ${href}`)
      else t.ok(sources.has(file || name), `${name}: ${href}`)
      if (anchor) t.ok(headings(file || name).includes(anchor), `${name}: ${href}`)
    }
  }
})

t.test('a service shows the guides, and what runs in them works', async (t) => {
  const shop = createServer((_, reply) => reply.end('shop')).listen(0, '127.0.0.1')
  await once(shop, 'listening')
  t.teardown(() => void shop.close())
  const service = await testService(t, { adyenTimeoutMs: 1_000 })
  const given = {
    'KEY=opk_…': `KEY=${service.key}`,
    'http://127.0.0.1:3000': service.url,
    'http://127.0.0.1:3001': service.simulatorUrl,
    'http://127.0.0.1:3002': `http://127.0.0.1:${(shop.address() as { port: number }).port}`
  }
  const prelude = commandsOf(sources.get('quick-start.md') as string)
    .split('\n')
    .slice(0, 4)
    .join('\n')

  await t.test('as pages that link to each other', async (t) => {
    const list = await service.call('GET', '/docs/guides', { key: null })
    for (const name of guideNames) {
      t.ok(list.text.includes(`href="${name}"`), name)
      const page = await service.call('GET', `/docs/${name}`, { key: null })
      t.match(page, { status: 200, headers: new Map([['content-type', /^text\/html/]]) })
      t.notMatch(page.text, /href="[^"]*\.md/, 'no link to a file')
      t.notMatch(page.text, /<p>(#|\||```)/, 'no Markdown is left')
    }
  })
  for (const name of guideNames) {
    const commands = commandsOf(sources.get(`${name}.md`) as string)
    if (commands === '') continue
    await t.test(`the commands of ${name}`, (t) => follow(t, `${prelude}\n${commands}`, given))
  }
})

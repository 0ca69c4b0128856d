/** The runbook as somebody follows it at night: what it names is there, and its commands work. */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { parseEnv, promisify } from 'node:util'
import t from 'tap'
import { parse } from 'yaml'
import { clientUsage } from '../src/clients/client.commands.ts'
import { discrepancyKinds, kinds } from '../src/discrepancies/discrepancy.ts'
import { commandsOf, follow } from './shell-blocks.ts'
import { findFreePort, type TestService, testService } from './test-service.ts'

const root = new URL('../', import.meta.url)
const read = (path: string) => readFile(new URL(path, root), 'utf8')
const folder = 'docs/operations/'
const names = (await readdir(new URL(folder, root))).filter((name) => name.endsWith('.md'))
const pages = new Map(
  await Promise.all(names.map(async (name) => [name, await read(folder + name)] as const))
)
const page = (name: string) => pages.get(name) as string

/** Those that say what to do when something has happened. */
const procedures = [...pages].filter(([, text]) => text.includes('*When you are here:*'))

const { groups } = parse(await read('ops/prometheus/alerts.yaml')) as {
  groups: Array<{ rules: Array<{ alert: string }> }>
}
const alerts = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert))

t.test('the index leads to every page', async (t) => {
  for (const name of names) {
    if (name !== 'README.md') t.ok(page('README.md').includes(`](${name}`), name)
  }
})

t.test('each says when you are here first, and last how to know that it is over', async (t) => {
  t.ok(procedures.length >= 12)
  for (const [name, text] of procedures) {
    t.match(text, /^# .+\n\n\*When you are here:\* \S/, name)
    const [, end = ''] = text.split('*How to know that it is over:*')
    t.match(end, /^```sh$/m, `${name} says what to look at`)
    t.notMatch(end, /^#/m, `${name} ends with it`)
  }
})

t.test('each alert leads to a page, and pages name alerts that there are', async (t) => {
  const sections = page('alerts.md').split(/^## /m).slice(1, -1)
  t.equal(sections.length, alerts.length)
  for (const section of sections) {
    t.match(section, /\nGo on with \[[^\]]+\]\([\w-]+\.md(#[\w-]+)?\)\.\n+$/, section.slice(0, 20))
  }
  for (const [name, text] of procedures) {
    for (const [, alert = ''] of text.matchAll(/\*((?:[A-Z][a-z]+){2,})\*/g)) {
      t.ok(alerts.includes(alert), `${name}: ${alert}`)
    }
  }
})

t.test('every kind of discrepancy has its row, with what resolves it', async (t) => {
  const rows = [...page('discrepancy-by-kind.md').matchAll(/^\| `(\w+)` \|(?:.*?\|){3} (.*) \|$/gm)]
  t.same(
    rows.map(([, kind, resolutions]) => [kind, resolutions]),
    discrepancyKinds.map((kind) => [
      kind,
      kinds[kind].resolutions.map((one) => `\`${one}\``).join(', ')
    ])
  )
})

t.test('commands, settings and paths that pages name are there', async (t) => {
  const { scripts } = JSON.parse(await read('package.json')) as { scripts: object }
  const settings = new Set(
    Object.keys(parseEnv((await read('.env.example')).replaceAll(/^#(?=[A-Z_]+=)/gm, '')))
  )
  const contract = await read('openapi/payments.v1.yaml')
  const paths = [...contract.matchAll(/^ {2}(\/v1\/\S+):$/gm)].map(([, path = '']) => path)
  const known = new Set(paths.map((path) => path.replaceAll(/\{\w+\}/g, '{}')))
  t.ok(known.size > 30)
  for (const [name, text] of pages) {
    for (const [, command = ''] of text.matchAll(/npm run (?:--silent )?([\w:]+)/g)) {
      t.ok(Object.hasOwn(scripts, command), `${name}: npm run ${command}`)
    }
    for (const [, command] of text.matchAll(/client -- ([a-z-]+)/g)) {
      t.ok(clientUsage.includes(`client -- ${command}`), `${name}: client ${command}`)
    }
    for (const [, setting = ''] of text.matchAll(/`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`/g)) {
      t.ok(settings.has(setting), `${name}: ${setting}`)
    }
    for (const [, path = ''] of text.matchAll(/(?<![\w.])(\/v1\/[\w/{}$-]+)/g)) {
      const general = path.replaceAll(/\{\w+\}|\$\w+/g, '{}')
      t.ok(known.has(general), `${name}: ${path}`)
    }
  }
})

/** A service where everything has happened that a page is about, and the ids that stand for it. */
async function troubledService(service: TestService): Promise<Record<string, string>> {
  const { call, control, createPayment, pay, until } = service
  const { id } = await createPayment()
  await pay(id)
  await until(id, ({ status }) => status === 'captured')
  const { accountId } = (await call('GET', `/v1/payments/${id}`)).body
  await control('POST', '/_simulator/payments/last/event', { eventCode: 'SOMETHING_NEW' })
  const lost = {
    ...{ eventCode: 'AUTHORISATION', success: 'true', pspReference: 'LOST000000000001' },
    ...{ merchantReference: 'pay_0000000000000000', eventDate: new Date().toISOString() },
    amount: { currency: 'GBP', value: 1008 },
    additionalData: { shopperReference: `account-${accountId}` }
  }
  await control('POST', '/_simulator/webhooks', { items: [lost] })
  const made = await call('POST', '/v1/webhook-endpoints', {
    idempotencyKey: 'endpoint',
    body: { url: 'http://127.0.0.1:9/hook', events: ['*'] }
  })
  const find = async (path: string) => {
    for (let tries = 0; tries < 200; tries += 1) {
      const [first] = (await call('GET', path)).body.data
      if (first !== undefined) return first.id as string
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`nothing came at ${path}`)
  }
  await find('/v1/notifications?status=waiting')
  return {
    'ACCOUNT=2…': `ACCOUNT=${accountId}`,
    'PAYMENT=pay_…': `PAYMENT=${id}`,
    'NOTIFICATION=ntf_…': `NOTIFICATION=${await find('/v1/notifications?status=parked')}`,
    'DISCREPANCY=dis_…': `DISCREPANCY=${await find('/v1/discrepancies?status=open')}`,
    'ENDPOINT=whe_…': `ENDPOINT=${made.body.id}`
  }
}

const has = (program: string) =>
  promisify(execFile)(program, ['--version']).then(
    () => true,
    () => false
  )
const skip = !((await has('jq')) && (await has('psql'))) && 'jq or psql is not installed'

t.test('the commands work, and every metric that they look for is told', { skip }, async (t) => {
  const metricsPort = await findFreePort()
  const service = await testService(t, { metricsPort })
  const given = {
    'KEY=opk_…': `KEY=${service.key} DATABASE_URL='${service.databaseUrl}'`,
    'http://127.0.0.1:3000': service.url,
    'http://127.0.0.1:9464': `http://127.0.0.1:${metricsPort}`,
    ...(await troubledService(service))
  }
  const prelude = commandsOf(page('README.md'))
  for (const [name, text] of procedures) {
    await t.test(name, async (t) => {
      const said = await follow(t, `${prelude}\n${commandsOf(text)}`, given)
      t.notMatch(said, /"code":"/, 'no problem was answered')
    })
  }

  await t.test('and have done what their pages say', async (t) => {
    const { call } = service
    t.match((await call('GET', '/v1/notifications?status=parked')).body.data, [])
    t.match((await call('GET', '/v1/notifications?status=waiting')).body.data, [])
    t.match((await call('GET', '/v1/discrepancies?status=open')).body.data, [])
    const { data } = (await call('GET', '/v1/payments?reference=pay_0000000000000000')).body
    t.match(data, [{ amountCaptured: 1008 }])
  })

  const told = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
  const lines = told.split('\n')
  for (const [name, text] of pages) {
    for (const [, single, bare] of commandsOf(text).matchAll(
      /^\s*metrics (?:'([^']+)'|(\w+))$/gm
    )) {
      const asked = alternativesOf(single ?? bare ?? '')
      // What only a fault, an answer or an issuer brings has no series yet.
      for (const one of asked) {
        const metric = /^\w+/.exec(one)?.[0] ?? ''
        const isTold = lines.some((line) => new RegExp(`^${one}`).test(line))
        const isThere = one === metric && told.includes(`# TYPE ${metric}`)
        const isOfTask = one.includes('{task=') && told.includes(`{task="${taskOf(one)}"`)
        t.ok(isTold || isThere || isOfTask, `${name}: ${one}`)
      }
    }
  }
})

/** The parts of `a|b\{kind="(x|y)`: what stands between brackets is one of its part. */
function alternativesOf(pattern: string): string[] {
  return pattern.split(/\|(?![^(]*\))/).flatMap((part) => {
    const [, before = '', list = '', after = ''] = /^([^(]*)\(([^)]*)\)(.*)$/.exec(part) ?? []
    return before === '' ? [part] : list.split('|').map((one) => `${before}${one}${after}`)
  })
}

const taskOf = (part: string) => /task="(\w+)/.exec(part)?.[1] ?? ''

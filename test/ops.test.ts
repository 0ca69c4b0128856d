/** Alerts and dashboard as they are: what they name is told, and each alert fires when it must. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { parse } from 'yaml'
import { findFreePort, testService } from './test-service.ts'

const read = (path: string) => readFile(new URL(`../${path}`, import.meta.url), 'utf8')

type Rule = {
  alert: string
  expr: string
  labels: { severity: string }
  annotations: { summary: string; runbook_url: string }
}
const { groups } = parse(await read('ops/prometheus/alerts.yaml')) as {
  groups: Array<{ rules: Rule[] }>
}
const rules = groups.flatMap((group) => group.rules)

type Panel = { title: string; targets?: Array<{ expr: string; legendFormat: string }> }
const { panels } = JSON.parse(await read('ops/grafana/payments.json')) as { panels: Panel[] }

/** Names that Prometheus itself makes, and the label that its scrape gives several brands. */
const own = ['up', 'job', 'instance', 'le', 'brand']
const words = new Set([
  ...['sum', 'max', 'rate', 'increase', 'by', 'and', 'or', 'unless', 'time', 'absent'],
  'histogram_quantile'
])

/** The metrics of an expression, with the labels that are matched, and those it groups by. */
function namesOf(expr: string) {
  const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(','))
  const rest = expr.replace(/by \([^)]*\)/g, '').replace(/\[\w+\]/g, '')
  const selectors = [...rest.matchAll(/([a-z_]\w*)(?:\{([^}]*)\})?/g)]
  const metrics = selectors
    .filter(([, name = '']) => !words.has(name))
    .map(([, name = '', matchers = '']) => ({
      name,
      matchers: [...matchers.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].map(
        ([, label = '', how = '', value = '']) => ({ label, how, value })
      )
    }))
  return { metrics, grouped: grouped.map((name) => name.trim()) }
}

t.test('every metric, label and value that alerts and dashboard name is told', async (t) => {
  const metricsPort = await findFreePort()
  const { call, createPayment, pay, until } = await testService(t, { metricsPort })
  for (const holder of ['A. Customer', 'DECLINED']) {
    const { id } = await createPayment()
    await pay(id, holder)
    if (holder !== 'DECLINED') await until(id, ({ status }) => status === 'captured')
  }
  await call('GET', '/v1/payments')
  const scrape = async () => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
  const isWhole = (text: string) => /^payment_attempts_total\{outcome="refused"/m.test(text)
  let text = await scrape()
  for (let tries = 0; tries < 100 && !isWhole(text); tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    text = await scrape()
  }
  /** Those that only a fault or an issuer brings, by what they say of themselves. */
  const unseen: Readonly<Record<string, readonly string[]>> = {
    background_work_faults_total: ['task'],
    background_item_faults_total: ['task'],
    oauth_key_fetches_total: ['outcome']
  }
  const types = new Set([...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name))
  const told = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}(?:\\{([^}]*)\\})? `, 'gm'))].map(([, list = '']) =>
      Object.fromEntries(
        [...list.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value])
      )
    )

  const expressions = [
    ...rules.map(({ alert, expr }) => [alert, expr] as const),
    ...panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => [title, expr] as const)
    )
  ]
  for (const [where, expr] of expressions) {
    const { metrics, grouped } = namesOf(expr)
    for (const { name, matchers } of metrics) {
      if (own.includes(name)) continue
      t.ok(
        types.has(name.replace(/_(bucket|count|sum)$/, '')) || types.has(name),
        `${where}: ${name}`
      )
      const series = told(name)
      const labels = new Set([...(unseen[name] ?? []), ...series.flatMap(Object.keys)])
      const named = [...matchers.map(({ label }) => label), ...(metrics.length > 1 ? [] : grouped)]
      for (const label of named)
        t.ok(labels.has(label) || own.includes(label), `${where}: ${label}`)
      // Of what is always told each kind has to be one of those that there are.
      for (const { label, how, value } of matchers) {
        if (label !== 'kind' || how.startsWith('!')) continue
        for (const one of value.split('|')) {
          const pattern = new RegExp(`^(?:${one})$`)
          t.ok(
            series.some((its) => pattern.test(its.kind ?? '')),
            `${where}: ${one}`
          )
        }
      }
    }
  }
  t.ok(expressions.length > 40)
  t.match(text, /^ledger_faults 0$/m)
  for (const share of ['requests', 'reads', 'inbox', 'background']) {
    t.same(told('db_client_connection_timeouts_total').flatMap(Object.values).includes(share), true)
  }
  t.match(text, /^payment_attempts_total\{outcome="authorised",[^}]*channel="selfcare",[^}]*\} 1$/m)
  t.match(text, /^payments_total\{status="captured",method="hostedPage",[^}]*\} 1$/m)
  t.match(text, /^payment_outcome_duration_seconds_count\{status="captured",[^}]*\} 1$/m)
})

t.test('no brand is lost in the sum of several', async (t) => {
  for (const { alert, expr } of rules) {
    for (const [, by = ''] of expr.matchAll(/\b(?:sum|max)\b([^(]*\([^)]*)/g)) {
      t.match(by, /^ by \(brand/, alert)
    }
  }
  for (const { title, targets = [] } of panels) {
    for (const { expr } of targets) {
      for (const { name, matchers } of namesOf(expr).metrics) {
        t.ok(
          matchers.some(({ label, value }) => label === 'brand' && value === '$brand'),
          `${title}: ${name}`
        )
      }
    }
  }
})

t.test(
  'each alert says how grave it is and what to do, and has its place in the runbook',
  async (t) => {
    const page = await read('docs/operations/alerts.md')
    const headings = [...page.matchAll(/^## (\w+)$/gm)].map(([, name]) => name)
    t.same(
      headings,
      rules.map(({ alert }) => alert),
      'the page has them all, and no other'
    )
    for (const { alert, labels, annotations } of rules) {
      t.match(labels.severity, /^(critical|warning|ticket)$/, alert)
      t.ok(annotations.summary.length > 20, alert)
      t.equal(annotations.runbook_url, `docs/operations/alerts.md#${alert.toLowerCase()}`)
    }
  }
)

t.test('each alert has a case in which it fires, and one in which it does not', async (t) => {
  type Case = { alertname: string; exp_alerts: unknown[] }
  const { tests } = parse(await read('ops/prometheus/alerts.test.yaml')) as {
    tests: Array<{ alert_rule_test: Case[] }>
  }
  const cases = tests.flatMap((one) => one.alert_rule_test)
  for (const { alert } of rules) {
    const own = cases.filter(({ alertname }) => alertname === alert)
    t.same(own.map(({ exp_alerts }) => exp_alerts.length > 0).sort(), [false, true], alert)
  }
  t.equal(cases.length, rules.length * 2, 'and there is none of an alert that is not there')
})

const folder = fileURLToPath(new URL('../ops/prometheus', import.meta.url))

/** Undefined where there is no promtool. */
async function runPromtool(
  ...args: string[]
): Promise<{ code: number | null; said: string } | undefined> {
  let said = ''
  const child = execFile('promtool', args, { cwd: folder })
  child.stdout?.on('data', (text) => (said += text))
  child.stderr?.on('data', (text) => (said += text))
  try {
    const [code] = await once(child, 'close')
    return { code, said }
  } catch {
    return undefined
  }
}

const skip = (await runPromtool('--version')) === undefined && 'promtool is not installed'

t.test('Prometheus understands the rules, and all of their cases hold', { skip }, async (t) => {
  const checked = await runPromtool('check', 'rules', 'alerts.yaml')
  t.equal(checked?.code, 0, checked?.said ?? '')
  const tested = await runPromtool('test', 'rules', 'alerts.test.yaml')
  t.equal(tested?.code, 0, tested?.said ?? '')
})

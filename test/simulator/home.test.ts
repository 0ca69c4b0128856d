/** The page at the simulator's own address: all of its control API, ready to be pasted. */
import { fastify } from 'fastify'
import t from 'tap'
import type { Context } from '../../sandbox/simulator/context.ts'
import { controlRoutes } from '../../sandbox/simulator/control.routes.ts'
import { TEST_CARDS } from '../../sandbox/simulator/test-data.ts'
import { startShop } from './harness.ts'

type Command = { method: string; path: string; body: string | undefined }

/** The commands of a page, as a shell reads them. */
function readCommands(html: string, origin: string): Command[] {
  const entities: Record<string, string> = { '&quot;': '"', '&#39;': "'", '&amp;': '&' }
  return [...html.matchAll(/<pre>(.*?)<\/pre>/gs)].map(([, text = '']) => {
    const line = text.replace(/&\w+;|&#39;/g, (entity) => entities[entity] ?? entity)
    const form = /^curl -sS(?: -X (\w+))? (\S+)(?: -H 'Content-Type: \S+' -d '(\{.*\})')?$/
    const [, method = 'GET', url = '', body] = form.exec(line) ?? []
    if (!url.startsWith(origin)) throw new Error(`this can't be pasted: ${line}`)
    return { method, path: url.slice(origin.length), body }
  })
}

async function listRoutes(): Promise<string[]> {
  const app = fastify()
  const routes: string[] = []
  app.addHook('onRoute', ({ method, url }) => {
    if (method !== 'HEAD') routes.push(`${method} ${url.replace(/:\w+/g, 'last')}`)
  })
  await app.register(controlRoutes({} as Context), { prefix: '/_simulator' })
  return [...new Set(routes)].sort()
}

t.test('G4: the simulator shows its test cards and its whole control API', async (t) => {
  const shop = await startShop(t, { tokenHmacKey: 'ab'.repeat(32) })
  const { call, simulator, control, pay, createSession } = shop
  const { status, text, headers } = await call('GET', '/')
  t.equal(status, 200)
  t.match(headers.get('content-security-policy'), /^default-src 'none'; style-src 'sha256-/)
  for (const { number } of TEST_CARDS) t.match(text, number)
  for (const name of ['hangAfterWork', 'reorder', 'secondSuccess']) t.match(text, name)
  t.notMatch(text, 'secret', 'the API key')
  const commands = readCommands(text, simulator.url)
  const named = commands.map(({ method, path }) => `${method} ${path}`)
  t.same([...new Set(named)].sort(), await listRoutes())

  const newPage = async () => (await createSession()).id
  const newPayment = async () => void (await pay(await newPage()))
  const newRefund = async () => {
    await newPayment()
    await control('last', 'modify', { kind: 'refund', amount: { currency: 'GBP', value: 100 } })
  }
  /** What must be there before, by the end of the path. */
  const before: Record<string, () => Promise<unknown>> = {
    'sessions/last/pay': newPage,
    'sessions/last/expire': newPage,
    'links/last/pay': shop.createLink,
    'challenges/last/answer': async () =>
      await pay(await newPage(), { number: '4212 3456 7891 0006' }),
    'storedCards/last': shop.storeCard,
    'payments/last/recapture': async () => {
      await newPayment()
      await control('last', 'capture-failed')
    },
    'payments/last/refund-failed': newRefund,
    'payments/last/refund-reversed': newRefund,
    'payments/last/expire': shop.authorise
  }
  for (const { method, path, body } of commands) {
    // A fault that is on would strike the next command.
    await call('PUT', '/_simulator/faults', { api: { hangAfterWork: false, status5xx: false } })
    await (before[path.replace('/_simulator/', '')] ?? newPayment)()
    const answer = await call(method, path, body && JSON.parse(body))
    t.ok(answer.status >= 200 && answer.status < 300, `${method} ${path}: ${answer.text}`)
  }
})

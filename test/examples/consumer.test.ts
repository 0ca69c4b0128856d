/** The consumer of examples/consumer, as a process that is killed and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { findFreePort, testService } from '../test-service.ts'
import { losingAnswers } from './losing-answers.ts'

t.test('a consumer takes each event once, whatever happens to it', async (t) => {
  const service = await testService(t)
  const { call, createPayment, pay, until } = service
  const folder = await mkdtemp(join(tmpdir(), 'consumer-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const JOURNAL = join(folder, 'journal')
  const HOOK_PORT = String(await findFreePort())
  const url = `http://127.0.0.1:${HOOK_PORT}/`
  const env = { API_URL: service.url, API_KEY: service.key, HOOK_PORT, JOURNAL }
  let said = ''
  let child: ChildProcess | undefined
  const start = (changes = {}) => {
    said = ''
    const args = ['--disable-warning=ExperimentalWarning', 'examples/consumer/consumer.ts']
    const own = { ...env, ...changes }
    child = spawn(process.execPath, args, { env: own, stdio: ['ignore', 'pipe', 'inherit'] })
    child.stdout?.setEncoding('utf8').on('data', (text) => (said += text))
  }
  const end = async (signal: NodeJS.Signals) => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }
  t.teardown(() => end('SIGKILL'))
  const hear = async (words: string | RegExp) => {
    for (const giveUpAt = Date.now() + 15_000; Date.now() < giveUpAt; ) {
      if (typeof words === 'string' ? said.includes(words) : words.test(said)) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    throw new Error(`${words} was not said:\n${said}`)
  }
  const payNew = async () => {
    const { id } = await createPayment()
    await pay(id)
    await until(id, ({ status }) => status === 'captured')
    return id
  }
  /** What it has worked off, by the journal: event ids. */
  const worked = async () => {
    const lines = (await readFile(JOURNAL, 'utf8')).trimEnd().split('\n')
    return lines.map((line) => JSON.parse(line).done).filter(Boolean)
  }
  const untilAllPosted = async () => {
    for (;;) {
      const { body } = await call('GET', '/v1/postings?status=open')
      if (body.data.length === 0) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  const before = await payNew()
  start({ API_URL: await losingAnswers(t, service.url, '/v1/webhook-endpoints') })
  t.not((await once(child as unknown as ChildProcess, 'exit'))[0], 0, 'it never had its secret')
  start()
  await hear(`payment.captured: ${before} of account`)
  await hear('posted, payment: credit 2500 GBP')
  t.match(said, 'feed: 2 of 2 events were missed')
  t.equal((await stat(JOURNAL)).mode & 0o077, 0, 'nobody else reads the secret')
  const known = await call('GET', '/v1/webhook-endpoints')
  t.equal(known.body.data.length, 1, 'asked for again, it is the same endpoint')

  const told = await payNew()
  await hear(`payment.captured: ${told} of account`)
  await hear(/posted(.|\n)*posted/)
  t.equal(said.match(/feed:/g)?.length, 1, 'by webhook')
  await untilAllPosted()

  await end('SIGKILL')
  // As after days of failing: what comes meanwhile is in the feed alone.
  const [{ id }] = (await call('GET', '/v1/webhook-endpoints')).body.data
  await call('PATCH', `/v1/webhook-endpoints/${id}`, { body: { status: 'disabled' } })
  const missed = await payNew()
  start()
  await hear(`payment.captured: ${missed} of account`)
  t.match(said, 'feed: 2 of 4 events were missed', 'the webhooks of two were taken before')
  const { body } = await call('GET', '/v1/webhook-endpoints')
  t.equal(body.data.length, 1, 'at the endpoint that it has')
  t.equal(body.data[0].status, 'enabled')

  const [endpoint] = body.data
  await call('POST', `/v1/webhook-endpoints/${endpoint.id}/replay`, {
    body: { from: '2026-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' },
    idempotencyKey: 'again'
  })
  await hear(/came again(.|\n)*came again/)
  const forged = await fetch(url, { method: 'POST', body: '{}' })
  t.equal(forged.status, 400)
  await hear('not genuine')
  await end('SIGTERM')
  const ids = await worked()
  t.equal(ids.length, 6, 'two events of each payment')
  t.equal(new Set(ids).size, 6)
})

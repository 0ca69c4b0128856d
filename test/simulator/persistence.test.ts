import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { tokenSignature } from '../../sandbox/simulator/token-signature.ts'
import {
  clientOf,
  GOOD_CARD,
  KEY,
  MERCHANT,
  sessionRequest,
  sleep,
  startEndpoint,
  startPair,
  until
} from './harness.ts'

const MAIN = join(import.meta.dirname, '../../sandbox/simulator/main.ts')

/** The simulator as the sandbox runs it. */
async function startProcess(
  t: Test,
  dir: string,
  webhookUrl: string,
  port = '0',
  more: Record<string, string> = {}
) {
  const child = spawn(process.execPath, [MAIN], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      SIMULATOR_PORT: port,
      SIMULATOR_DIR: dir,
      SIMULATOR_API_KEY: 'secret',
      SIMULATOR_MERCHANT_ACCOUNT: MERCHANT,
      SIMULATOR_HMAC_KEY: KEY,
      SIMULATOR_WEBHOOK_URL: webhookUrl,
      ...more
    }
  })
  t.teardown(() => child.kill('SIGKILL'))
  const output = { out: '', error: '' }
  child.stdout.on('data', (part) => {
    output.out += part
  })
  child.stderr.on('data', (part) => {
    output.error += part
  })
  await until(() => output.out.endsWith('\n') || child.exitCode !== null)
  const url = output.out === '' ? '' : JSON.parse(output.out).listening
  return { child, output, url, ...clientOf(url) }
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const [code] = await once(child, 'exit')
  return code
}

t.test('sessions, cards, answers and undelivered webhooks outlive SIGKILL', async (t) => {
  const dir = t.testdir()
  const endpoint = await startEndpoint(t)
  endpoint.answerWith = () => 500
  const first = await startProcess(t, dir, endpoint.url)
  const key = { 'idempotency-key': 'k1' }
  const storing = sessionRequest({
    shopperReference: 'account-1',
    storePaymentMethodMode: 'enabled',
    recurringProcessingModel: 'CardOnFile'
  })
  const open = (await first.call('POST', '/v72/sessions', sessionRequest(), key)).body
  const paid = (await first.call('POST', '/v72/sessions', storing)).body
  const { redirect, pspReference } = await first.pay(paid.id)
  first.child.kill('SIGKILL')
  await ended(first.child)
  endpoint.answerWith = () => 202
  const before = endpoint.received.length

  const second = await startProcess(t, dir, endpoint.url)
  const replay = await second.call('POST', '/v72/sessions', sessionRequest(), key)
  t.strictSame(replay.body, open)
  t.equal((await second.submit(open.id, GOOD_CARD)).status, 303, 'the open page can be paid')
  t.match((await second.resultOf(redirect)).body, { status: 'completed' })
  const next = await second.createSession({ shopperReference: 'account-1' })
  t.match((await second.call('GET', `/pay/${next.id}`)).text, 'Visa ending 1111')
  await second.call('POST', '/_simulator/flush')
  const delivered = endpoint.received.slice(before).map(({ item }) => item.pspReference)
  t.ok(delivered.includes(pspReference), 'the webhook that was refused is sent again')
  second.child.kill('SIGTERM')
  t.equal(await ended(second.child), 0)

  const third = await startProcess(t, dir, endpoint.url)
  await sleep(100)
  const total = endpoint.received.length
  await third.call('POST', '/_simulator/flush')
  t.equal(endpoint.received.length, total, 'what was delivered is not sent again')
})

t.test('links, challenges, books and token webhooks outlive SIGKILL', async (t) => {
  const dir = t.testdir()
  const endpoint = await startEndpoint(t)
  endpoint.answerWith = () => 500
  const settings = {
    SIMULATOR_TOKEN_HMAC_KEY: KEY,
    SIMULATOR_MULTIPLE_PARTIAL_CAPTURES: 'true'
  }
  const start = () => startProcess(t, dir, endpoint.url, '0', settings)
  const first = await start()
  const link = await first.createLink()
  const [deleted, token] = [
    await first.storeCard({ number: '5555555555554444' }),
    await first.storeCard()
  ]
  const owner = `shopperReference=account-1&merchantAccount=${MERCHANT}`
  await first.call('DELETE', `/v72/storedPaymentMethods/${deleted}?${owner}`)
  const open = await first.createSession()
  const { challengeId } = await first.pay(open.id, { number: '4212345678910006' })
  const psp = await first.authorise()
  const capture = (value: number) => ({
    merchantAccount: MERCHANT,
    amount: { currency: 'GBP', value }
  })
  await first.call('POST', `/v72/payments/${psp}/captures`, capture(1000))
  await until(() => endpoint.received.some(({ body }) => body.data?.operation === 'created'))
  first.child.kill('SIGKILL')
  await ended(first.child)
  endpoint.answerWith = () => 202
  endpoint.received.length = 0

  const second = await start()
  t.equal((await second.call('GET', `/v72/paymentLinks/${link.id}`)).body.status, 'active')
  const list = (await second.call('GET', `/v72/storedPaymentMethods?${owner}`)).body
  t.match(list.storedPaymentMethods, [{ id: token }])
  t.equal(list.storedPaymentMethods.length, 1, 'the deleted one stays deleted')
  const answer = { password: 'password' }
  const path = `/_simulator/challenges/${challengeId}/answer`
  const { redirect } = (await second.call('POST', path, answer)).body
  t.match((await second.resultOf(redirect)).body, { status: 'completed' })
  await second.call('POST', `/v72/payments/${psp}/captures`, capture(500))
  const payments = (await second.call('GET', '/_simulator/payments')).body
  const books = payments.find(({ id }: { id: string }) => id === psp)
  t.match(books, { authorised: 2500, captured: 1500, capturable: 1000 })

  await second.call('POST', '/_simulator/flush')
  const tokens = endpoint.received.filter(({ body }) => body.type !== undefined)
  t.equal(tokens.length, 3)
  for (const { headers, raw } of tokens) {
    t.equal(headers.hmacsignature, tokenSignature(raw, KEY))
    t.equal(headers.protocol, 'HmacSHA256')
  }
})

t.test('what was done by hand outlives SIGKILL', async (t) => {
  const dir = t.testdir()
  const endpoint = await startEndpoint(t)
  const first = await startProcess(t, dir, endpoint.url)
  const byHand = (psp: string, what: string, body: object) =>
    first.call('POST', `/_simulator/payments/${psp}/${what}`, body)
  const adjusted = await first.authorise()
  const amount = { currency: 'GBP', value: 4000 }
  await byHand(adjusted, 'modify', { kind: 'amountUpdate', amount })
  const undone = await first.authorise({ additionalData: {} })
  await byHand(undone, 'modify', { kind: 'cancel', undoCapture: true })
  const failed = await first.authorise({ additionalData: {} })
  await byHand(failed, 'capture-failed', {})
  const again = await first.authorise()
  await byHand(again, 'modify', { kind: 'capture' })
  await byHand(again, 'capture-failed', {})
  await byHand(again, 'recapture', { newReference: true })
  const before = (await first.call('GET', '/_simulator/payments')).body
  t.match(before, [
    { authorised: 4000, capturable: 4000 },
    { captured: 0, cancelled: true },
    { captured: 0, captureReference: /^[A-Z0-9]{16}$/ },
    { captured: 2500 }
  ])
  first.child.kill('SIGKILL')
  await ended(first.child)
  const second = await startProcess(t, dir, endpoint.url)
  t.strictSame((await second.call('GET', '/_simulator/payments')).body, before)
})

t.test('a journal that was cut short is read up to there', async (t) => {
  const dir = t.testdir()
  const first = await startPair(t, { dir })
  const session = await first.createSession()
  await first.simulator.close()
  const [file = ''] = readdirSync(dir)
  appendFileSync(join(dir, file), '{"table":"sessions","record":{"id":"CS')
  const second = await startPair(t, { dir })
  t.equal((await second.call('GET', `/pay/${session.id}`)).status, 200)
  t.notMatch(readFileSync(join(dir, file), 'utf8'), /CS$/, 'and is whole again afterwards')
})

t.test('state that is deleted stays deleted', async (t) => {
  const dir = t.testdir()
  const first = await startPair(t, { dir })
  const session = await first.createSession()
  await first.call('DELETE', '/_simulator/state')
  await first.simulator.close()
  const second = await startPair(t, { dir })
  t.equal((await second.call('GET', `/pay/${session.id}`)).status, 404)
})

t.test('the process ignores Ctrl-C and ends with its parent', async (t) => {
  const endpoint = await startEndpoint(t)
  const { child, call, output, url } = await startProcess(t, t.testdir(), endpoint.url)
  t.match(output.out, /^\{"listening":"http:\/\/127\.0\.0\.1:\d+"\}\n$/)
  child.kill('SIGINT')
  await sleep(100)
  t.equal((await call('GET', '/_simulator/sessions')).status, 200)

  const port = new URL(url).port
  const other = await startProcess(t, t.testdir(), endpoint.url, port)
  t.equal(await ended(other.child), 1)
  t.match(other.output.error, /^The simulator cannot start: port \d+ is in use[^\n]*\n$/)

  child.stdin?.end()
  t.equal(await ended(child), 0, 'its standard input was closed')
})

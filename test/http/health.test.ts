import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { cuttable } from '../cuttable.ts'
import { testDatabase } from '../test-database.ts'
import { paymentBody, testService } from '../test-service.ts'

t.test('a service whose database is gone and comes back', async (t) => {
  const { url } = await testDatabase(t)
  const way = await cuttable(t, url)
  const { call, db } = await testService(t, { databaseUrl: way.url })
  t.ok(db)
  const ready = () => call('GET', '/health/ready', { key: null })
  t.same((await ready()).body, { status: 'ok' })

  way.cut()
  const gone = await ready()
  t.equal(gone.status, 503)
  t.same(gone.body, { status: 'unavailable', fault: 'the database does not answer' })
  t.notMatch(gone.text, /postgres|127\.0\.0\.1|ECONN/)
  const live = await call('GET', '/health/live', { key: null })
  t.same([live.status, live.body], [200, { status: 'ok' }], 'it need not be started anew')
  for (const [method, path, body] of [
    ['GET', '/v1/payments/pay_1', undefined],
    ['POST', '/v1/payments', paymentBody('7')]
  ] as const) {
    const answer = await call(method, path, { body, idempotencyKey: 'gone' })
    t.equal(answer.status, 503)
    t.equal(answer.body.code, 'overloaded')
    t.match(answer.headers.get('retry-after'), /^\d+$/)
  }

  way.mend()
  for (let tries = 0; tries < 100 && (await ready()).status !== 200; tries++) await sleep(50)
  t.equal((await ready()).status, 200, 'by itself')
  t.equal((await call('GET', '/v1/payments')).status, 401, 'and asks the database again')
})

t.test('probes need no key and are not logged as errors', async (t) => {
  const { call } = await testService(t)
  for (const path of ['/health/live', '/health/ready']) {
    for (const key of [null, 'wrong']) {
      const answer = await call('GET', path, { key })
      t.equal(answer.status, 200)
      t.match(answer.headers.get('content-type'), /^application\/json/)
    }
  }
})

t.test('what is in flight is finished when the service closes', async (t) => {
  const { call, control, createPayment, service, url, db } = await testService(t)
  const { accountId } = await createPayment()
  await control('PUT', '/_simulator/faults', { api: { delayMs: 400 } })
  const inFlight = [1, 2, 3].map((value) =>
    call('POST', '/v1/payments', {
      body: { ...paymentBody(accountId), amount: { currency: 'GBP', value } },
      idempotencyKey: `drain-${value}`
    })
  )
  for (let tries = 0; tries < 200; tries++) {
    const rows = await db.selectFrom('payment').select('id').execute()
    if (rows.length === 4) break
    await sleep(5)
  }
  const closed = service.close()
  for (const answer of await Promise.all(inFlight)) {
    t.equal(answer.status, 201)
    t.ok(answer.body.checkout.url)
  }
  await closed
  await t.rejects(fetch(`${url}/health/live`), 'and nothing answers any more')
})

t.test('G4: the address of the service itself says what is there, and no more', async (t) => {
  const [sandbox, production] = [await testService(t), await testService(t, { sandbox: false })]
  const { status, text, headers } = await production.call('GET', '/', { key: null })
  t.equal(status, 200)
  t.match(headers.get('content-type'), 'text/html')
  t.match(headers.get('content-security-policy'), /^default-src 'none'; style-src 'sha256-/)
  const links = [...text.matchAll(/href="([^"]+)"/g)].map(([, link]) => link)
  const documents = ['docs', 'docs/guides', 'openapi.json', 'docs/problems']
  t.same(links, [...documents, 'health/ready', 'health/live'])
  for (const link of links as string[]) {
    const { url } = production
    t.equal((await fetch(`${url}/${link}`)).status, 200, link)
  }
  t.notMatch(text, /sandbox|version|node|fastify|adyen|postgres/i)
  t.match((await sandbox.call('GET', '/', { key: null })).text, 'This is the sandbox')
})

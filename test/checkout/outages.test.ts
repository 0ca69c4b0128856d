/** Adyen is away, refuses our key, or leads to a stranger: what callers, logs and metrics say. */
import { sql } from 'kysely'
import { pino } from 'pino'
import t from 'tap'
import { registerCard } from '../registered-card.ts'
import { findFreePort, newAccountId, paymentBody, testService } from '../test-service.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
type Found = any

/** The service with a short deadline, its log, and its metrics. */
async function startWatched(t: Parameters<typeof testService>[0]) {
  const lines: Found[] = []
  const write = (line: string) => void lines.push(JSON.parse(line))
  const metricsPort = await findFreePort()
  const service = await testService(t, {
    adyenTimeoutMs: 1_000,
    duplicateWindowS: 0,
    metricsPort,
    log: pino({ level: 'info' }, { write })
  })
  const accountId = newAccountId()
  await service.call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  return {
    ...service,
    lines,
    accountId,
    faults: (api: object) => service.control('PUT', '/_simulator/faults', { api }),
    create: (idempotencyKey: string, changes: object = {}, key = service.key) => {
      const body = { ...paymentBody(accountId), ...changes }
      return service.call('POST', '/v1/payments', { body, idempotencyKey, key })
    },
    metrics: async () => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
  }
}

const newKey = () => crypto.randomUUID()

t.test('Adyen refuses our key', async (t) => {
  const service = await startWatched(t)
  const { accountId, addClient, call, control, create, createPayment, pay, until } = service
  const { db, faults, lines, metrics } = service
  const registeredCardId = await registerCard(service, accountId)
  const authorised = await createPayment({ accountId, capture: 'manual' })
  await pay(authorised.id)
  await until(authorised.id, ({ status }) => status === 'authorised')
  const scopes = ['payments:read', 'payments:write'] as const
  const third = await addClient({ thirdParty: true, scopes: [...scopes] })

  for (const status of [401, 403]) {
    await t.test(
      `B4: ${status}, no payment fails, and all is done once it is mended`,
      async (t) => {
        await faults({ revokedKey: { status } })
        const page = await create(newKey(), {}, third)
        t.match(page, { status: 503, body: { code: 'provider_unavailable' } })
        t.equal(page.headers.get('retry-after'), '2')
        t.match(page.body.detail, /does not accept the key of this service/)
        t.notMatch(page.text, /Adyen|Unauthorized|Not allowed|\(000\)|\(010\)/)
        const card = await create(newKey(), { registeredCardId, method: 'registeredCard' })
        t.match(card, { status: 201, body: { status: 'pending', failure: null } })
        const { body: capture } = await call('POST', `/v1/payments/${authorised.id}/captures`, {
          body: { amount: { currency: 'GBP', value: 10 } },
          idempotencyKey: newKey()
        })
        const sent = async () => {
          const { body } = await control('GET', '/_simulator/requests')
          return body.filter((one: Found) => one.path.endsWith('/captures')).length
        }
        while (status === 401 && (await sent()) === 0) await new Promise(setImmediate)

        const { paymentId } = page.body
        t.match((await call('GET', `/v1/payments/${paymentId}`)).body, {
          status: 'pending',
          failure: null
        })
        t.equal((await call('GET', '/health/ready')).status, 200, 'reads and notifications go on')
        const logged = lines.filter(({ msg }) => msg === 'Adyen refuses our key')
        t.match(
          logged,
          [{ level: 50, said: /Unauthorized/ }],
          'an error, and not one for each call'
        )
        t.match(
          await metrics(),
          /provider_call_duration_seconds_count\{operation="sessions",outcome="key_refused"\} [1-9]/
        )

        await faults({ revokedKey: false })
        await until(paymentId, ({ checkout }) => checkout !== null)
        await until(card.body.id, ({ status }) => status === 'captured')
        if (status === 401) {
          await until(authorised.id, ({ amountCaptured }) => amountCaptured === 10)
          t.match(capture, { status: 'requested' })
        }
        const { body: requests } = await control('GET', '/_simulator/requests')
        for (const [id, call] of [
          [paymentId, 'session'],
          [card.body.id, 'payment']
        ]) {
          const keys = requests
            .filter(({ headers }: Found) => headers['idempotency-key']?.startsWith(id))
            .map(({ headers }: Found) => headers['idempotency-key'])
          t.same([...new Set(keys)], [`${id}.${call}.1`], 'under the key that it had')
          t.ok(keys.length > 1)
        }
      }
    )
  }

  await t.test('B3: an address that is none of Adyen’s is shown to nobody', async (t) => {
    for (const url of ['javascript:alert(1)', 'https://evil.example/pay', 'http://127.0.0.1:9/']) {
      await faults({ foreignUrl: { url, times: 1 } })
      const page = await create(newKey())
      t.match(page, { status: 502, body: { code: 'provider_rejected' } })
      t.notMatch(page.text, url)
      const { body } = await call('GET', `/v1/payments/${page.body.paymentId}`)
      t.match(body, { status: 'failed', checkout: null })
      const line = lines.findLast(({ said }) => said === url)
      t.match(line, { level: 50, operation: 'sessions', msg: /none of its own/ })
    }
    await faults({ foreignUrl: { times: 1 } })
    const link = await create(newKey(), { method: 'paymentLink', returnUrl: undefined })
    t.match(link, { status: 502, body: { code: 'provider_rejected' } })
    const other = newAccountId()
    await call('PUT', `/v1/accounts/${other}`, { body: { currency: 'GBP' } })
    const challenged = await registerCard(service, other, { challenge: true })
    await faults({ foreignUrl: { times: 1 } })
    const card = { accountId: other, registeredCardId: challenged, method: 'registeredCard' }
    t.match(await create(newKey(), card), { status: 502, body: { code: 'provider_rejected' } })
    const { rows } = await sql`select from payment where checkout_url like '%example%'`.execute(db)
    t.equal(rows.length, 0)
  })

  await t.test('B7: a card number in what Adyen says is nowhere', async (t) => {
    const message = 'Invalid card 4111 1111 1111 1111'
    await faults({ status4xx: { message, times: 1 } })
    const refused = await create(newKey())
    t.equal(refused.status, 502)
    await faults({ status4xx: false, status5xx: { message, times: 1 } })
    const failing = await create(newKey())
    t.match(failing, { status: 503, body: { detail: /an error of its own \(500\)/ } })
    t.notMatch(failing.text, /in time/)
    const { rows } = await sql`
      select from payment p where p::text like '%1111 1111%'
      union all select from payment_event e where e::text like '%1111 1111%'
      union all select from idempotency_key k where k::text like '%1111 1111%'`.execute(db)
    t.equal(rows.length, 0)
    t.notMatch(refused.text + failing.text + JSON.stringify(lines), /1111 1111/)
    t.match(
      lines.findLast(({ said }) => /Invalid card/.test(said)),
      {
        said: 'Invalid card [card number]'
      }
    )
  })
})

t.test('Adyen is away', async (t) => {
  const service = await startWatched(t)
  const { call, create, db, faults, lines, until } = service

  /** As a caller does: where the service is at it by itself, again in a moment. */
  const createAgain = async (key: string) => {
    for (let tries = 0; tries < 100; tries += 1) {
      const answer = await create(key)
      if (answer.body.code !== 'idempotency_key_in_flight') return answer
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    throw new Error('the first request never ended')
  }

  await t.test('B5: when it is back, the customer who waits has a page at once', async (t) => {
    await faults({ status5xx: { status: 503, transientError: true } })
    const [key, quiet] = [newKey(), newKey()]
    const first = await create(key)
    t.match(first, { status: 503, body: { code: 'provider_unavailable' } })
    const waiting = await create(quiet)
    for (let n = 0; n < 8; n += 1) {
      const again = await createAgain(key)
      t.match(again, { status: 503, body: { paymentId: first.body.paymentId } })
      t.equal(again.headers.get('retry-after'), '2')
    }
    // As after an outage of some minutes: the next time is far off.
    await sql`update idempotency_key set attempts = 8, next_attempt_at = now() + interval '114 s'
      where reply_status is null`.execute(db)
    t.ok(lines.some(({ level, msg, kind }) => level === 40 && /not answering/.test(msg) && kind))
    await faults({ status5xx: false })
    const backAt = performance.now()
    await until(waiting.body.paymentId, ({ checkout }) => checkout !== null)
    t.ok(performance.now() - backAt < 6_000, 'nobody has asked for it')
    t.match(await createAgain(key), { status: 201, body: { id: first.body.paymentId } })
    t.match(await create(newKey()), { status: 201 })
    t.ok(lines.some(({ msg }) => /answers again/.test(msg)))
  })

  await t.test('B6: while pages hang, callers are told at once and captures go on', async (t) => {
    const payment = await service.createPayment({ capture: 'manual' })
    await service.pay(payment.id)
    await until(payment.id, ({ status }) => status === 'authorised')
    await faults({ hangAfterWork: { path: '/sessions$' } })
    const outages = () => lines.filter(({ msg }) => msg === 'Adyen is not answering').length
    const known = outages()
    // Where this process itself was late, it has to be seen once more.
    do {
      const hung = await Promise.all(Array.from({ length: 8 }, () => create(newKey())))
      for (const answer of hung) t.equal(answer.status, 503)
      t.match(hung[0]?.body.detail, /did not answer in time/)
    } while (outages() === known)

    const payments = async () =>
      (await sql<{ count: number }>`select count(*) from payment`.execute(db)).rows[0]?.count
    const before = await payments()
    const startedAt = performance.now()
    const answers = await Promise.all(Array.from({ length: 40 }, () => create(newKey())))
    const ms = performance.now() - startedAt
    const told = answers.filter(({ body }) => body.paymentId === undefined)
    const trials = 1 + Math.ceil(ms / 1_000)
    t.ok(told.length >= answers.length - trials, 'all but a trial a second: nobody was asked')
    for (const { status, body, headers } of told) {
      t.match([status, body.code], [503, 'provider_unavailable'])
      t.match(body.detail, /is not answering at the moment\. Nothing was written\./)
      t.equal(headers.get('retry-after'), '2')
    }
    t.equal(await payments(), (before ?? 0) + answers.length - told.length)

    await call('POST', `/v1/payments/${payment.id}/captures`, {
      body: {},
      idempotencyKey: newKey()
    })
    await until(payment.id, ({ status }) => status === 'captured')
    await faults({ hangAfterWork: false })
  })
})

import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { checkMoney } from '../invariants.ts'
import { type TestService, testService } from '../test-service.ts'

async function typesOf({ call }: TestService, paymentId: string): Promise<string[]> {
  const { body } = await call('GET', `/v1/payments/${paymentId}/events`)
  return body.data.map((event: { type: string }) => event.type)
}

async function creditOf({ call }: TestService, accountId: string): Promise<number> {
  const { body } = await call('GET', `/v1/accounts/${accountId}`)
  return body.balance.credit.value
}

/** Until the payment has had an event of this type. */
async function untilEvent(service: TestService, paymentId: string, type: string): Promise<void> {
  await service.until(paymentId, () => true)
  for (let tries = 0; tries < 500; tries++) {
    if ((await typesOf(service, paymentId)).includes(type)) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`no ${type} in time: ${await typesOf(service, paymentId)}`)
}

async function discrepanciesOf({ db }: TestService, paymentId: string): Promise<string[]> {
  const { rows } = await sql<{ kind: string }>`
    select kind from discrepancy where payment_id = ${paymentId} order by id`.execute(db)
  return rows.map(({ kind }) => kind)
}

/** Sends an AUTHORISATION of our own making, as Adyen would. */
async function notify(service: TestService, item: Record<string, unknown>): Promise<void> {
  const answer = await service.control('POST', '/_simulator/webhooks', {
    items: [{ eventCode: 'AUTHORISATION', success: 'true', ...item }]
  })
  if (answer.status !== 202) throw new Error(answer.text)
}

const amount = { currency: 'GBP', value: 2500 }
const newReference = () => crypto.randomUUID().replaceAll('-', '').slice(0, 16).toUpperCase()

t.test('late and second successes', async (t) => {
  const service = await testService(t)
  const { call, control, createPayment, pay, until, db } = service

  async function cancelOnPage(t: Test, paymentId: string): Promise<void> {
    const { body: sessions } = await control('GET', '/_simulator/sessions')
    const session = sessions.findLast(
      (one: { request: { reference: string } }) => one.request.reference === paymentId
    )
    const left = await fetch(`${service.simulatorUrl}/pay/${session.id}/cancel`, {
      method: 'POST',
      redirect: 'manual'
    })
    const back = await fetch(left.headers.get('location') as string, { redirect: 'manual' })
    t.equal(back.status, 303)
  }

  t.test(
    'a customer who cancels on the page ends the payment when the browser returns',
    async (t) => {
      const { id } = await createPayment()
      await cancelOnPage(t, id)
      const ended = await until(id, ({ finished }) => finished)
      t.match(ended, { status: 'cancelled', failure: { code: 'cancelled_by_customer' } })
    }
  )

  t.test('a success after the customer cancelled is kept, with a discrepancy', async (t) => {
    const { id, accountId } = await createPayment()
    await cancelOnPage(t, id)
    await until(id, ({ status }) => status === 'cancelled')
    await notify(service, { pspReference: newReference(), merchantReference: id, amount })
    const paid = await until(id, ({ status }) => status === 'captured')
    t.match(paid, { failure: null, amountCaptured: 2500 })
    t.equal(await creditOf(service, accountId), 2500)
    t.same(await discrepanciesOf(service, id), ['paid_after_end'])
    t.same(await typesOf(service, id), [
      'payment.created',
      'payment.cancelled',
      'payment.captured',
      'discrepancy.opened'
    ])
  })

  t.test('a success after the caller cancelled is sent back', async (t) => {
    const { id, accountId } = await createPayment()
    const cancelled = await call('POST', `/v1/payments/${id}/cancellation`, {
      body: { reason: 'called back' },
      idempotencyKey: crypto.randomUUID()
    })
    t.match(cancelled, { status: 202, body: { status: 'succeeded' } })
    await pay(id)
    await untilEvent(service, id, 'reversal.succeeded')
    const { body } = await call('GET', `/v1/payments/${id}`)
    t.match(body, { status: 'cancelled', amountCaptured: 0 })
    t.equal(await creditOf(service, accountId), 0)
  })

  t.test('a second success is sent back: the balance never moves for it', async (t) => {
    await control('PUT', '/_simulator/faults', { page: { secondSuccess: { ms: 50, times: 1 } } })
    const { id, accountId } = await createPayment()
    await pay(id)
    await untilEvent(service, id, 'reversal.succeeded')
    t.same(await typesOf(service, id), [
      'payment.created',
      'payment.captured',
      'reversal.requested',
      'reversal.succeeded'
    ])
    t.equal(await creditOf(service, accountId), 2500)
    const { body } = await call('GET', `/v1/payments/${id}`)
    t.match(body, { status: 'captured', amountCaptured: 2500 })
    const { body: requests } = await control('GET', '/_simulator/requests')
    const reversals = requests.filter((one: { path: string }) => one.path.includes('/reversals'))
    t.match(reversals.at(-1).headers['idempotency-key'], /^rev_.{16}\.reversal\.1$/)
  })

  t.test('a reversal that fails after it had succeeded leaves the money in clearing', async (t) => {
    await control('PUT', '/_simulator/faults', { page: { secondSuccess: { ms: 50, times: 1 } } })
    const { id, accountId } = await createPayment()
    await pay(id, 'refund failed')
    await untilEvent(service, id, 'reversal.failed')
    t.same(await discrepanciesOf(service, id), ['reversal_failed'])
    t.equal(await creditOf(service, accountId), 2500)
    const { body } = await call('GET', `/v1/accounts/${accountId}/entries?limit=100`)
    const clearing = body.data.filter((entry: { account: string }) => entry.account === 'clearing')
    const net = clearing.reduce(
      (sum: number, entry: { direction: string; amount: { value: number } }) =>
        sum + (entry.direction === 'credit' ? entry.amount.value : -entry.amount.value),
      0
    )
    t.equal(net, 2500)
  })

  t.test('a success of another amount is held, and a person is asked', async (t) => {
    const { id, accountId } = await createPayment()
    await notify(service, {
      pspReference: newReference(),
      merchantReference: id,
      amount: { currency: 'GBP', value: 2400 }
    })
    await untilEvent(service, id, 'discrepancy.opened')
    t.same(await discrepanciesOf(service, id), ['amount_differs'])
    t.equal((await call('GET', `/v1/payments/${id}`)).body.status, 'pending')
    t.equal(await creditOf(service, accountId), 0)
  })

  for (const [name, fault] of [
    ['false, then true', 'falseThenTrue'],
    ['true, then false', 'trueThenFalse']
  ] as const) {
    t.test(`${name} of one pspReference is one payment`, async (t) => {
      await control('PUT', '/_simulator/faults', { page: { [fault]: { ms: 100, times: 1 } } })
      const { id, accountId } = await createPayment()
      await pay(id)
      await until(id, ({ status }) => status === 'captured')
      await new Promise((resolve) => setTimeout(resolve, 300))
      t.match((await call('GET', `/v1/payments/${id}`)).body, { status: 'captured', failure: null })
      t.equal(await creditOf(service, accountId), 2500)
    })
  }

  t.test(
    'an authorised payment with manual capture expires when Adyen lets go of it',
    async (t) => {
      const { id, accountId } = await createPayment({ capture: 'manual' })
      await pay(id)
      const { provider } = await until(id, ({ status }) => status === 'authorised')
      t.equal(await creditOf(service, accountId), 0)
      const item = {
        eventCode: 'EXPIRE',
        pspReference: provider.reference,
        merchantReference: id,
        amount
      }
      await notify(service, item)
      const ended = await until(id, ({ finished }) => finished)
      t.match(ended, { status: 'expired', failure: { code: 'expired' } })
    }
  )

  t.test(
    'OFFER_CLOSED ends a page: refused where an attempt was refused, else expired',
    async (t) => {
      for (const [holder, status] of [
        [undefined, 'expired'],
        ['DECLINED', 'refused']
      ]) {
        const { id } = await createPayment()
        if (holder !== undefined) await pay(id, holder)
        if (holder !== undefined) await until(id, ({ failure }) => failure !== null)
        await notify(service, {
          eventCode: 'OFFER_CLOSED',
          pspReference: newReference(),
          merchantReference: id,
          amount
        })
        t.equal((await until(id, ({ finished }) => finished)).status, status)
      }
    }
  )

  t.test('a page without an outcome ends by itself, and what comes late is kept', async (t) => {
    const { id, accountId } = await createPayment()
    await sql`update payment set next_attempt_at = now() where id = ${id}`.execute(db)
    t.equal((await until(id, ({ finished }) => finished)).status, 'expired')
    await pay(id)
    await until(id, ({ status }) => status === 'captured')
    t.same(await discrepanciesOf(service, id), ['paid_after_end'])
    t.equal(await creditOf(service, accountId), 2500)
  })

  t.test('through all of it the money is right', (t) => checkMoney(t, db))
})

t.test('a storm of duplicated, reordered, forged and delayed notifications', async (t) => {
  const service = await testService(t)
  const { call, control, createPayment, pay, until, db } = service
  await control('PUT', '/_simulator/faults', {
    webhooks: {
      delayMs: { ms: 50 },
      duplicate: { copies: 2, concurrently: true },
      reorder: { hold: 3, order: 'shuffle' },
      forge: true,
      unsignedToo: true
    }
  })
  const payments = []
  for (let count = 0; count < 12; count++) payments.push(await createPayment())
  for (const [place, { id }] of payments.entries()) {
    if (place % 2 === 0) await pay(id, 'DECLINED')
    await pay(id)
  }
  await control('POST', '/_simulator/flush')
  await control('POST', '/_simulator/redeliver')
  for (const { id, accountId } of payments) {
    await until(id, ({ status }) => status === 'captured')
    t.equal(await creditOf(service, accountId), 2500)
  }
  const { body } = await call('GET', '/v1/notifications?limit=100')
  t.equal(body.data.length, 18, 'one of each genuine notification, and no forged one')
  t.same([...new Set(body.data.map((one: { status: string }) => one.status))], ['applied'])
  await checkMoney(t, db)
})

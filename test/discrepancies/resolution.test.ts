import { sql } from 'kysely'
import t from 'tap'
import { reopenDiscrepancies } from '../../src/discrepancies/reopening.jobs.ts'
import { checkMoney } from '../invariants.ts'
import { discrepanciesOf } from '../settlement/reports.ts'
import { type Answer, type TestService, testService } from '../test-service.ts'

const operator = { id: 'finance-3' }
const reason = 'Agreed with the customer'

/** A payment that was cancelled by its caller, then paid all the same, and not given back. */
async function failReversal(service: TestService): Promise<{ id: string; found: Answer['body'] }> {
  const { call, control, createPayment, pay } = service
  const { id } = await createPayment()
  const key = { idempotencyKey: crypto.randomUUID() }
  await call('POST', `/v1/payments/${id}/cancellation`, { ...key, body: {} })
  const reject = { status4xx: { times: 1, match: '/reversals' } }
  await control('PUT', '/_simulator/faults', { api: reject })
  await pay(id)
  return { id, found: await untilFound(service, id, 'reversal_failed') }
}

/** A payment whose money is another amount than was asked for. */
async function payAnother(service: TestService, currency = 'GBP') {
  const { control, createPayment } = service
  const { id } = await createPayment()
  const item = {
    eventCode: 'AUTHORISATION',
    success: 'true',
    pspReference: crypto.randomUUID().slice(0, 16).toUpperCase(),
    merchantReference: id,
    amount: { currency, value: 2400 }
  }
  await control('POST', '/_simulator/payments', {
    payments: [{ pspReference: item.pspReference, reference: id, amount: item.amount }]
  })
  await control('POST', '/_simulator/webhooks', { items: [item] })
  return { id, found: await untilFound(service, id, 'amount_differs') }
}

async function untilFound(service: TestService, paymentId: string, kind: string) {
  const giveUpAt = Date.now() + 10_000
  for (;;) {
    const [found] = await discrepanciesOf(
      service,
      `paymentId=${paymentId}&status=open&kind=${kind}`
    )
    if (found !== undefined) return found
    if (Date.now() > giveUpAt) throw new Error(`no ${kind}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const resolve = ({ call }: TestService, id: string, resolution: string, key?: string) =>
  call('POST', `/v1/discrepancies/${id}/resolution`, {
    body: { resolution, reason, operator },
    idempotencyKey: key ?? crypto.randomUUID()
  })

async function balanceOf({ call }: TestService, paymentId: string) {
  const { body: payment } = await call('GET', `/v1/payments/${paymentId}`)
  const { body } = await call('GET', `/v1/accounts/${payment.accountId}`)
  return body.balance.credit.value
}

/** What billing is to post of a payment, once there are two. */
async function postingsOf({ call }: TestService, paymentId: string) {
  for (;;) {
    const { body } = await call('GET', '/v1/postings?limit=100')
    const own = body.data.filter((one: { paymentId: string }) => one.paymentId === paymentId)
    if (own.length > 1) return own as Array<{ kind: string; paymentReference: string }>
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function eventsOf({ call }: TestService, paymentId: string): Promise<string[]> {
  const { body } = await call('GET', `/v1/payments/${paymentId}/events?limit=100`)
  return body.data.map(({ type }: { type: string }) => type)
}

t.test('money whose reversal failed', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { db, until, call } = service

  t.test('is put on the account, once', async (t) => {
    const { id, found } = await failReversal(service)
    t.same(found.resolutions, ['retryReversal', 'applyToAccount', 'writtenOff', 'acknowledged'])
    t.match(found, { status: 'open', ours: /reversal/, theirs: /not give/, resolution: null })
    t.equal(await balanceOf(service, id), 0)
    for (const wrong of ['keep', 'sendBack', 'acknowledged']) {
      const refused = await resolve(service, found.id, wrong)
      t.match(refused.body, { status: 422, code: 'resolution_not_allowed' }, wrong)
    }
    const key = crypto.randomUUID()
    const answer = await resolve(service, found.id, 'applyToAccount', key)
    t.equal(answer.status, 200)
    const decided = { resolution: 'applyToAccount', reason, operator }
    t.match(answer.body, { status: 'resolved', resolutions: [], resolution: decided })
    t.same((await resolve(service, found.id, 'applyToAccount', key)).body, answer.body)
    t.match((await resolve(service, found.id, 'writtenOff')).body, { code: 'discrepancy_resolved' })
    t.match((await call('GET', `/v1/discrepancies/${found.id}`)).body.resolution, decided)
    t.equal(await balanceOf(service, id), 2500)
    t.equal((await eventsOf(service, id)).at(-1), 'discrepancy.resolved')
    const { body } = await call('GET', `/v1/payments/${id}/events?limit=100`)
    t.same(
      body.data.at(-1).data.discrepancy,
      { id: found.id, kind: found.kind, resolution: 'applyToAccount' },
      'and not who decided, or why'
    )
    await checkMoney(t, db)
  })

  t.test('is given up', async (t) => {
    const { id, found } = await failReversal(service)
    t.equal((await resolve(service, found.id, 'writtenOff')).status, 200)
    t.equal(await balanceOf(service, id), 0)
    const { body } = await call('GET', '/v1/reconciliation/summary')
    const writeOffs = body.currencies[0].accounts.find(
      ({ account }: { account: string }) => account === 'writeOffs'
    )
    t.match(writeOffs, { opening: 0, credits: 2500, closing: -2500 })
    await checkMoney(t, db)
  })

  t.test('is sent back by another request', async (t) => {
    const { id, found } = await failReversal(service)
    t.equal((await resolve(service, found.id, 'retryReversal')).status, 200)
    const isDone = async () => (await eventsOf(service, id)).includes('reversal.succeeded')
    await until(id, () => true)
    for (let tries = 0; !(await isDone()) && tries < 200; tries += 1) {
      await new Promise((done) => setTimeout(done, 20))
    }
    t.ok(await isDone())
    t.equal((await eventsOf(service, id)).filter((type) => type === 'reversal.requested').length, 2)
    await checkMoney(t, db)
  })
})

t.test('money of another amount', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { db } = service

  t.test('is put on the account as it came', async (t) => {
    const { id, found } = await payAnother(service)
    t.equal((await resolve(service, found.id, 'applyToAccount')).status, 200)
    t.equal(await balanceOf(service, id), 2400)
    await service.pay(id)
    await service.until(id, ({ status }) => status === 'captured')
    const { rows } = await sql<{ reference: string }>`
      select reference from authorisation
      where payment_id = ${id} and disposition = 'applied'`.execute(db)
    const posted = await postingsOf(service, id)
    t.same(
      posted.filter(({ kind }) => kind === 'heldApplied').map((one) => one.paymentReference),
      [rows[0]?.reference],
      'billing is told of that money, and not of what was paid later'
    )
    await checkMoney(t, db)
  })

  t.test('is sent back', async (t) => {
    const { id, found } = await payAnother(service)
    t.match((await resolve(service, found.id, 'retryReversal')).body.code, 'resolution_not_allowed')
    t.equal((await resolve(service, found.id, 'sendBack')).status, 200)
    const events = await eventsOf(service, id)
    t.same(events.slice(0, 2), ['payment.created', 'discrepancy.opened'])
    t.ok(events.includes('reversal.requested') && events.includes('discrepancy.resolved'))
    await checkMoney(t, db)
  })

  t.test('in another currency is given up, and never put on the account', async (t) => {
    const { id, found } = await payAnother(service, 'EUR')
    const refused = await resolve(service, found.id, 'applyToAccount')
    t.match(refused.body, { code: 'resolution_not_allowed', detail: /EUR/ })
    t.equal((await resolve(service, found.id, 'writtenOff')).status, 200)
    t.equal(await balanceOf(service, id), 0)
    await checkMoney(t, db)
  })
})

/** A payment that had expired and was paid all the same. */
async function payLate(service: TestService) {
  const { control, createPayment, until } = service
  const { id } = await createPayment()
  const { body: sessions } = await control('GET', '/_simulator/sessions')
  await control('POST', `/_simulator/sessions/${sessions.at(-1).id}/expire`)
  await until(id, ({ status }) => status === 'expired')
  const pspReference = crypto.randomUUID().slice(0, 16).toUpperCase()
  const amount = { currency: 'GBP', value: 2500 }
  await control('POST', '/_simulator/payments', {
    payments: [{ pspReference, reference: id, amount }]
  })
  const item = { eventCode: 'AUTHORISATION', success: 'true', pspReference, amount }
  await control('POST', '/_simulator/webhooks', { items: [{ ...item, merchantReference: id }] })
  return { id, found: await untilFound(service, id, 'paid_after_end') }
}

t.test('money that came after the end is kept or refunded', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0, refundApprovalAbove: 1000 })
  const { call, db } = service
  const kept = await payLate(service)
  t.equal((await resolve(service, kept.found.id, 'keep')).status, 200)
  t.equal(await balanceOf(service, kept.id), 2500)
  const refunded = await payLate(service)
  t.equal((await resolve(service, refunded.found.id, 'refund')).status, 200)
  const { body } = await call('GET', `/v1/payments/${refunded.id}/refunds`)
  t.match(body.data, [{ status: 'awaitingApproval', amount: { value: 2500 }, operator, reason }])
  await checkMoney(t, db)
})

t.test(
  'a discrepancy is open again when the refund that resolved it comes to nothing',
  async (t) => {
    const service = await testService(t, { duplicateWindowS: 0, refundApprovalAbove: 1000 })
    const { call, db } = service
    const onFault = (about: object, error: unknown) => t.fail('a fault', { about, error })
    const reopenAll = () => reopenDiscrepancies({ db, providerName: 'adyen', onFault })
    const { id, found } = await payLate(service)
    const shown = async () => (await call('GET', `/v1/discrepancies/${found.id}`)).body
    const decide = (refundId: string, what: string) =>
      call('POST', `/v1/refunds/${refundId}/${what}`, {
        idempotencyKey: crypto.randomUUID(),
        body: { operator: { id: 'supervisor-2' } }
      })

    const { body: first } = await resolve(service, found.id, 'refund')
    const { refundId } = first.details
    const { status, details: asked, resolution } = first
    t.match(await shown(), { status, details: asked, resolution }, 'the answer is what is kept')
    t.equal(await reopenAll(), 0, 'the refund may still come')
    t.equal((await decide(refundId, 'rejection')).status, 200)
    t.equal(await reopenAll(), 1)
    t.equal(await reopenAll(), 0, 'once')
    const decided = { resolution: 'refund', reason, operator, refundId, refundStatus: 'rejected' }
    t.match(await shown(), {
      status: 'open',
      resolutions: ['keep', 'refund'],
      resolution: null,
      details: { ...found.details, reopened: [decided] }
    })
    const { body: events } = await call('GET', `/v1/payments/${id}/events?limit=100`)
    const opened = { id: found.id, kind: 'paid_after_end' }
    const details = { reopened: true, refundId, refundStatus: 'rejected' }
    const last = events.data.at(-1)
    t.equal(last.type, 'discrepancy.opened')
    t.same(last.data.discrepancy, { ...opened, details }, 'and not who had decided, or why')
    await checkMoney(t, db)

    // The second refund is made, and comes back.
    const { body: second } = await resolve(service, found.id, 'refund')
    t.equal((await decide(second.details.refundId, 'approval')).status, 200)
    await service.until(id, ({ amountRefunded }) => amountRefunded === 2500)
    t.equal(await reopenAll(), 0)
    const { body: refunds } = await call('GET', `/v1/payments/${id}/refunds`)
    const made = refunds.data.find(({ status }: { status: string }) => status === 'succeeded')
    t.equal(made.id, second.details.refundId)
    const { rows } = await sql<{ psp: string; refund: string }>`
    select authorisation_reference as psp, provider_reference as refund
    from operation where id = ${made.id}`.execute(db)
    const item = {
      eventCode: 'REFUND_FAILED',
      success: 'true',
      amount: made.amount,
      reason: 'closed'
    }
    await service.control('POST', '/_simulator/webhooks', {
      items: [
        {
          ...item,
          ...{ pspReference: rows[0]?.refund, originalReference: rows[0]?.psp },
          merchantReference: made.id
        }
      ]
    })
    await service.until(id, ({ amountRefunded }) => amountRefunded === 0)
    t.equal(await reopenAll(), 1)
    t.match((await shown()).details.reopened, [
      decided,
      { ...decided, refundId: made.id, refundStatus: 'failed' }
    ])
    t.equal((await resolve(service, found.id, 'keep')).status, 200)
    t.match(await shown(), { status: 'resolved', resolution: { resolution: 'keep' } })
    await checkMoney(t, db)
  }
)

t.test('whether a failed capture was taken again is what a person has seen', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { call, control, createPayment, pay, until, db } = service
  for (const resolution of ['captured', 'notCaptured']) {
    const { id } = await createPayment({ capture: 'manual' })
    await pay(id)
    const { provider } = await until(id, ({ status }) => status === 'authorised')
    const key = { idempotencyKey: crypto.randomUUID() }
    await call('POST', `/v1/payments/${id}/captures`, { ...key, body: {} })
    await until(id, ({ status }) => status === 'captured')
    await control('POST', `/_simulator/payments/${provider.reference}/capture-failed`, {})
    await until(id, ({ status }) => status === 'failed')
    const { rows } = await sql<{ capture: string }>`
      select provider_reference as capture from operation where payment_id = ${id}`.execute(db)
    const references = { pspReference: rows[0]?.capture, originalReference: provider.reference }
    const item = { eventCode: 'CAPTURE', success: 'true', reason: 'Transaction Recaptured' }
    const amount = { currency: 'GBP', value: 2500 }
    await control('POST', '/_simulator/webhooks', {
      items: [{ ...item, ...references, merchantReference: id, amount }]
    })
    const found = await untilFound(service, id, 'recapture_unconfirmed')
    t.same(found.resolutions, ['captured', 'notCaptured'])
    t.equal((await resolve(service, found.id, resolution)).status, 200)
    const { body } = await call('GET', `/v1/payments/${id}`)
    const taken = resolution === 'captured'
    t.match(body, taken ? { status: 'captured', amountCaptured: 2500 } : { status: 'failed' })
    t.equal(await balanceOf(service, id), taken ? 2500 : 0)
    const resolved = (await eventsOf(service, id)).filter((type) => type.endsWith('.resolved'))
    t.equal(resolved.length, 1)
  }
  await checkMoney(t, db)
})

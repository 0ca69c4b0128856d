import t, { type Test } from 'tap'
import { until } from '../cards/harness.ts'
import { checkMoney } from '../invariants.ts'
import { registerCard } from '../registered-card.ts'
import { browse, gbp, goodCard, type Journey, startJourney } from './journey.ts'

/** Of an integrator outside: it sees what it has done, and nothing else. */
const integrator = {
  name: 'ivr-acme',
  scopes: ['payments:read', 'payments:write', 'accounts:read', 'cards:read'],
  thirdParty: true
} as const

const isPaid = ({ status }: { status: string }) => status === 'captured'

t.test('the caller is texted a link, and pays it on the phone after the call', async (t) => {
  const service = await startJourney(t)
  const { accountId } = await service.openAccount({ 'INV-1': 3100 })
  const key = await service.addClient(integrator)
  const { id, checkout } = await service.createPayment(
    {
      ...{ accountId, channel: 'ivr', method: 'paymentLink', amount: gbp(3100) },
      ...{ returnUrl: undefined, description: 'Invoice INV-1' }
    },
    { key }
  )
  const page = await browse(checkout.url)
  t.match(page.html, 'Invoice INV-1')
  t.match(page.html, /31\.00/)
  const refused = await browse(checkout.url, { ...goodCard, holderName: 'NOT_ENOUGH_BALANCE' })
  t.match(refused.html, 'The payment was refused')
  const done = await browse(checkout.url, goodCard)
  t.match(done.html, 'Thank you: the payment is complete')
  const paid = await service.until(id, (payment) => isPaid(payment) && payment.card !== null)
  t.match(paid, { method: 'paymentLink', card: { lastFour: '1111' }, checkout: null })
  t.match((await browse(checkout.url)).html, 'the payment is complete', 'the link is used up')
  t.match(await service.balanceOf(accountId, key), { outstanding: 0, credit: 0 })
  t.same(await service.ledgerOf(accountId), [
    'charge 3100: customer to billing',
    'payment 3100: provider to customer'
  ])
  await checkMoney(t, service.db)
})

t.test('the caller pays with a registered card, or on the platform of the IVR', async (t) => {
  const service = await startJourney(t)
  const { call, control, post, openAccount, createPayment } = service
  const { accountId } = await openAccount({ JAN: 2500, FEB: 3100, MAR: 1900, APR: 800 })
  // The first 25.00 were paid with the card when it was registered.
  const registeredCardId = await registerCard(service, accountId)
  const key = await service.addClient(integrator)
  t.match(await service.cardsOf(accountId, key), [{ id: registeredCardId, lastFour: '1111' }])
  const charge = (value: number) =>
    createPayment(
      {
        ...{ accountId, channel: 'ivr', method: 'registeredCard', registeredCardId },
        ...{ amount: gbp(value), returnUrl: undefined }
      },
      { key }
    )

  const paid = await charge(3100)
  t.match(paid, { status: 'captured', finished: true, checkout: null, amountCaptured: 3100 })

  const [stored] = (await control('GET', '/_simulator/storedCards')).body
  const path = `/_simulator/storedCards/${stored.id}`
  await control('PATCH', path, { holderName: 'NOT_ENOUGH_BALANCE' })
  const refused = await charge(1900)
  t.match(refused, { status: 'refused', failure: { code: 'insufficient_funds' }, finished: true })

  // So the caller dials another card into the IVR's own platform, which takes it.
  const record = (reference: string, value: number, outcome: object) => ({
    ...{ accountId, amount: gbp(value), channel: 'ivr', takenAt: '2026-11-22T09:58:00Z' },
    ...{ processor: { name: 'ivr-platform', reference }, reference: 'call-77', ...outcome }
  })
  const body = record('417', 1900, {
    outcome: 'captured',
    authorisationCode: '064913',
    card: { brand: 'mc', lastFour: '4444' }
  })
  const options = { key, idempotencyKey: undefined as never }
  const recorded = await post('/v1/recorded-payments', body, 201, options)
  t.match(recorded, {
    method: 'recorded',
    status: 'captured',
    provider: body.processor,
    card: { brand: 'mc', lastFour: '4444' },
    amountCaptured: 1900
  })
  const again = await post('/v1/recorded-payments', body, 200, options)
  t.equal(again.id, recorded.id, 'told twice, it is one payment')
  const other = await post('/v1/recorded-payments', { ...body, amount: gbp(1) }, 409, options)
  t.equal(other.code, 'recorded_payment_conflict')
  const no = record('418', 800, { outcome: 'refused', failure: { code: 'card_declined' } })
  const declined = await post('/v1/recorded-payments', no, 201, options)
  t.match(declined, { status: 'refused', failure: { code: 'card_declined' }, amountCaptured: 0 })

  const listed = await service.list(`/v1/payments?accountId=${accountId}`, key)
  t.same(
    listed.map(({ id, status }) => [id, status]),
    [
      [declined.id, 'refused'],
      [recorded.id, 'captured'],
      [refused.id, 'refused'],
      [paid.id, 'captured']
    ],
    'what it has done, not how the card was registered'
  )
  const theirs = ['payment 3100: provider to customer', 'payment 1900: processors to customer']
  t.same(await service.ledgerOf(accountId, key), theirs)
  t.same((await service.ledgerOf(accountId)).slice(4), [
    'payment 2500: provider to customer',
    ...theirs
  ])
  t.same(await service.openAmountsOf(accountId), { JAN: 0, FEB: 0, MAR: 0, APR: 800 })
  t.equal((await call('GET', `/v1/payments/${paid.id}`, { key })).body.amountRefundable, 3100)
  await checkMoney(t, service.db)
})

/** One card, charged while Adyen does its work at once and answers after 20 s. */
async function chargeWhileItHangs(t: Test, service: Journey, webhooks: object) {
  const { call, control } = service
  const { accountId } = await service.openAccount({ JAN: 2500, FEB: 3100 })
  const registeredCardId = await registerCard(service, accountId)
  const key = await service.addClient(integrator)
  const idempotencyKey = crypto.randomUUID()
  const charge = () =>
    call('POST', '/v1/payments', {
      body: {
        ...{ accountId, channel: 'ivr', method: 'registeredCard', registeredCardId },
        amount: gbp(3100)
      },
      ...{ key, idempotencyKey }
    })
  const hangAfterWork = { ms: 20_000, path: 'POST /v72/payments$', times: 1 }
  await control('PUT', '/_simulator/faults', { api: { hangAfterWork }, webhooks })

  const startedAt = Date.now()
  const answer = await charge()
  const tookMs = Date.now() - startedAt
  t.ok(tookMs > 7_900 && tookMs < 10_000, `answered after ${tookMs} ms`)
  t.match(answer, { status: 201, body: { status: 'pending', failure: null, checkout: null } })
  const again = await charge()
  t.equal(again.text, answer.text, 'a caller that tries again is told the same')
  t.equal(again.headers.get('idempotent-replayed'), 'true')
  t.match(await service.balanceOf(accountId), { outstanding: 3100 }, 'unknown is not paid')
  return { accountId, charge, key, id: answer.body.id as string, startedAt, registeredCardId }
}

/** By whatever way the outcome came: one charge at Adyen, one payment here, once in the ledger. */
async function checkChargedOnce(
  t: Test,
  service: Journey,
  { accountId, charge, key, id }: Awaited<ReturnType<typeof chargeWhileItHangs>>
) {
  const { call, control } = service
  const after = await charge()
  t.match(after, { status: 201, body: { id } })
  t.match((await call('GET', `/v1/payments/${id}`, { key })).body, { amountCaptured: 3100 })
  const { body: taken } = await control('GET', '/_simulator/payments')
  const mine = taken.filter(({ reference }: { reference: string }) => reference === id)
  t.equal(mine.length, 1, 'one charge')
  t.same(
    (await service.list(`/v1/payments?accountId=${accountId}`, key)).map((one) => one.id),
    [id],
    'one payment'
  )
  t.same(await service.eventsOf(id), ['payment.created', 'payment.captured'])
  t.same(await service.ledgerOf(accountId, key), ['payment 3100: provider to customer'])
  t.match(await service.balanceOf(accountId, key), { outstanding: 0, credit: 0 })
  await checkMoney(t, service.db)
}

/** What was sent to Adyen to charge the card: the Idempotency-Key of each request. */
async function keysSent({ control }: Journey, id: string): Promise<string[]> {
  type Request = { path: string; body: { reference?: string }; headers: Record<string, string> }
  const { body } = await control('GET', '/_simulator/requests')
  return (body as Request[])
    .filter(({ path, body: sent }) => path.endsWith('/payments') && sent?.reference === id)
    .map(({ headers }) => headers['idempotency-key'] as string)
}

t.test('the caller holds the line while Adyen hangs 20 s after charging the card', async (t) => {
  t.jobs = 2
  t.test('the outcome comes by the notification', async (t) => {
    const service = await startJourney(t, { adyenTimeoutMs: 8_000 })
    const charged = await chargeWhileItHangs(t, service, { delayMs: 9_500 })
    const { id, registeredCardId, startedAt } = charged
    t.match(await service.until(id, isPaid), { card: { registeredCardId, lastFour: '1111' } })
    t.ok(Date.now() - startedAt < 20_000, "before Adyen's answer")
    t.equal((await keysSent(service, id)).length, 1, 'Adyen was asked once')
    await checkChargedOnce(t, service, charged)
  })
  t.test('the notification is lost: the same question is asked again, and answered', async (t) => {
    const service = await startJourney(t, { adyenTimeoutMs: 8_000 })
    const charged = await chargeWhileItHangs(t, service, { drop: true })
    // It is asked again when the question is twice as old.
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    const keys = await until(
      () => keysSent(service, charged.id),
      ({ length }) => length > 1
    )
    t.same(keys, [keys[0], keys[0]], 'under the same key')
    await service.until(charged.id, isPaid)
    await checkChargedOnce(t, service, charged)
    const { body } = await service.call('GET', `/v1/notifications?reference=${charged.id}`)
    t.same(body.data, [], 'nothing was told')
  })
})

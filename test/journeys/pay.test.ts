import t from 'tap'
import { newAccountId, testService } from '../test-service.ts'

t.test('a customer is refused, tries again and pays; the balance falls once', async (t) => {
  const { call, createPayment, pay, until } = await testService(t)
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  for (const [reference, value] of [
    ['INV-1', 2500],
    ['INV-2', 1700]
  ]) {
    const body = { amount: { currency: 'GBP', value }, reference, dueAt: '2026-01-01T00:00:00Z' }
    await call('POST', `/v1/accounts/${accountId}/charges`, { body })
  }
  const { id } = await createPayment({ accountId })

  await pay(id, 'NOT_ENOUGH_BALANCE')
  const refused = await until(id, (payment) => payment.failure !== null)
  t.equal(refused.status, 'pending', 'the page lets the customer try again')
  t.equal(refused.failure.code, 'insufficient_funds')

  await pay(id)
  const paid = await until(id, (payment) => payment.status === 'captured')
  t.match(paid, { finished: true, failure: null, checkout: null, amountCaptured: 2500 })
  t.match(paid.card, { brand: 'visa', lastFour: '1111' })

  const account = await call('GET', `/v1/accounts/${accountId}`)
  t.match(account.body.balance, { outstanding: { value: 1700 }, credit: { value: 0 } })
  const charges = await call('GET', `/v1/accounts/${accountId}/charges?status=open`)
  t.same(
    charges.body.data.map((charge: { reference: string }) => charge.reference),
    ['INV-2'],
    'the charge with exactly that amount is paid'
  )
  const events = await call('GET', `/v1/payments/${id}/events`)
  t.same(
    events.body.data.map((event: { sequence: number; type: string }) => [
      event.sequence,
      event.type
    ]),
    [
      [1, 'payment.created'],
      [2, 'payment.attemptRefused'],
      [3, 'payment.captured']
    ]
  )
})

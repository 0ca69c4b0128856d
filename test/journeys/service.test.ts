import t from 'tap'
import { checkMoney } from '../invariants.ts'
import { browse, gbp, goodCard, type Journey, startJourney } from './journey.ts'

/** A payment of another service, reserved on the page. */
async function reserve({ createPayment, until }: Journey, accountId: string, value: number) {
  const { id, checkout } = await createPayment({
    accountId,
    channel: 'service',
    amount: gbp(value),
    capture: 'manual',
    returnUrl: 'https://selfcare.example/order'
  })
  await browse(checkout.url, goodCard)
  return await until(id, ({ status }) => status === 'authorised')
}

const isPaid = ({ status }: { status: string }) => status === 'captured'

t.test('a shop reserves, takes what it ships, and lets the rest go', async (t) => {
  const service = await startJourney(t)
  const { post, until, balanceOf } = service
  const { accountId } = await service.openAccount({ PHONE: 3000, SIM: 1000 })

  const whole = await reserve(service, accountId, 1000)
  const part = await reserve(service, accountId, 3000)
  const none = await reserve(service, accountId, 500)
  t.match(whole, { finished: false, amountCaptured: 0, amountRefundable: 0 })
  t.match(await balanceOf(accountId), { outstanding: 4000, credit: 0 }, 'reserved is not paid')

  await post(`/v1/payments/${whole.id}/captures`, undefined, 202)
  const capture = await post(`/v1/payments/${part.id}/captures`, { amount: gbp(2000) }, 202)
  t.match(capture, { status: 'requested', amount: gbp(2000), origin: 'client' })
  const release = await post(`/v1/payments/${none.id}/cancellation`, { reason: 'sold out' }, 202)
  t.match(release, { status: 'requested', reason: 'sold out' })

  t.match(await until(whole.id, isPaid), { amountCaptured: 1000 })
  t.match(await until(part.id, isPaid), { amountCaptured: 2000, amountRefundable: 2000 })
  await until(none.id, ({ status }) => status === 'cancelled')
  const second = await post(`/v1/payments/${part.id}/captures`, { amount: gbp(1000) }, 409)
  t.equal(second.code, 'payment_not_capturable', 'the rest was released')
  t.same(await service.eventsOf(none.id), [
    'payment.created',
    'payment.authorised',
    'cancellation.requested',
    'cancellation.succeeded',
    'payment.cancelled'
  ])

  t.same(await service.openAmountsOf(accountId), { PHONE: 1000, SIM: 0 })
  const ledger = await service.ledgerOf(accountId)
  t.same(ledger.slice(0, 2), [
    'charge 3000: customer to billing',
    'charge 1000: customer to billing'
  ])
  t.same(
    ledger.slice(2).sort(),
    ['capture 1000: provider to customer', 'capture 2000: provider to customer'],
    'what was reserved and let go was never money'
  )
  await checkMoney(t, service.db)
})

t.test('a bank takes a payment back: its charge is owed again, until it is won', async (t) => {
  const service = await startJourney(t)
  const { call, control, createPayment, post, until, balanceOf } = service
  const { accountId } = await service.openAccount({ JAN: 2500 })
  const { id, checkout } = await createPayment({
    accountId,
    channel: 'service',
    returnUrl: 'https://selfcare.example/order'
  })
  await browse(checkout.url, goodCard)
  const { provider } = await until(id, isPaid)
  t.match(await balanceOf(accountId), { outstanding: 0 })
  const tell = (eventCode: string) =>
    control('POST', `/_simulator/payments/${provider.reference}/dispute`, { eventCode })
  const untilStage = async (stage: string) => {
    const path = `/v1/payments/${id}/disputes`
    const giveUpAt = Date.now() + 10_000
    for (;;) {
      const [dispute] = await service.list(path)
      if (dispute?.stage === stage) return dispute
      if (Date.now() > giveUpAt) throw new Error(`not in time: ${JSON.stringify(dispute)}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  await tell('NOTIFICATION_OF_CHARGEBACK')
  t.match(await untilStage('notification'), { status: 'open', amountChargedBack: 0 })
  t.match(await balanceOf(accountId), { outstanding: 0 }, 'nothing is taken yet')
  const blocked = await post(`/v1/payments/${id}/refunds`, { amount: gbp(100) }, 409)
  t.equal(blocked.code, 'payment_disputed')

  await tell('CHARGEBACK')
  t.match(await untilStage('chargeback'), { status: 'open', amountChargedBack: 2500 })
  const taken = await until(id, ({ amountChargedBack }) => amountChargedBack === 2500)
  t.match(taken, { status: 'captured', amountRefundable: 0 })
  t.same(await service.openAmountsOf(accountId), { JAN: 2500 })
  t.match(await balanceOf(accountId), { outstanding: 2500, overdue: 2500, credit: 0 })

  await tell('CHARGEBACK_REVERSED')
  await untilStage('chargebackReversed')
  t.match(await balanceOf(accountId), { outstanding: 0, credit: 0 })
  await tell('SECOND_CHARGEBACK')
  t.match(await untilStage('secondChargeback'), { status: 'lost', amountChargedBack: 2500 })
  t.match((await call('GET', `/v1/payments/${id}`)).body, { amountChargedBack: 2500 })

  // What is lost is written off by billing: settled elsewhere, and nobody's to pay.
  await post(
    `/v1/accounts/${accountId}/adjustments`,
    { amount: gbp(2500), direction: 'credit', reference: 'WO-1', reason: 'written off' },
    201
  )
  t.match(await balanceOf(accountId), { outstanding: 0, credit: 0 })
  t.same(await service.ledgerOf(accountId), [
    'charge 2500: customer to billing',
    'payment 2500: provider to customer',
    'dispute 2500: customer to provider',
    'dispute 2500: provider to customer',
    'dispute 2500: customer to provider',
    'adjustment 2500: billing to customer'
  ])
  await checkMoney(t, service.db)
})

t.test('billing settles elsewhere, and keeps money away from what is in query', async (t) => {
  const service = await startJourney(t)
  const { call, createPayment, post, until, balanceOf } = service
  const { accountId, charges } = await service.openAccount({ JAN: 2500, FEB: 1800 })
  const inQuery = (value: boolean) =>
    call('PATCH', `/v1/accounts/${accountId}/charges/${charges.JAN}`, { body: { inQuery: value } })

  t.match(await inQuery(true), { status: 200, body: { inQuery: true, openAmount: 2500 } })
  t.match(await balanceOf(accountId), { outstanding: 4300, overdue: 1800, inQuery: 2500 })
  // Exactly what is in query, and the customer does not owe it before that is answered.
  const { id, checkout } = await createPayment({
    accountId,
    channel: 'service',
    returnUrl: 'https://selfcare.example/order'
  })
  await browse(checkout.url, goodCard)
  await until(id, isPaid)
  t.same(await service.openAmountsOf(accountId), { JAN: 2500, FEB: 0 })
  t.match(await balanceOf(accountId), { outstanding: 2500, overdue: 0, credit: 700 })

  // Billing takes 600 off the charge in question; what is left of it is due again.
  const adjust = (value: number, direction: string, reference: string, chargeId?: string) =>
    post(
      `/v1/accounts/${accountId}/adjustments`,
      { amount: gbp(value), direction, reference, reason: 'Agreed with the customer', chargeId },
      201
    )
  await adjust(600, 'credit', 'ADJ-1', charges.JAN)
  t.same(await service.openAmountsOf(accountId), { JAN: 1900, FEB: 0 })
  await inQuery(false)
  t.same(await service.openAmountsOf(accountId), { JAN: 1200, FEB: 0 }, 'credit is matched at once')
  await adjust(300, 'debit', 'ADJ-2')
  t.match(await balanceOf(accountId), { outstanding: 1500, inQuery: 0, credit: 0 })
  t.same(await service.ledgerOf(accountId), [
    'charge 2500: customer to billing',
    'charge 1800: customer to billing',
    'payment 2500: provider to customer',
    'adjustment 600: billing to customer',
    'adjustment 300: customer to billing'
  ])
  await checkMoney(t, service.db)
})

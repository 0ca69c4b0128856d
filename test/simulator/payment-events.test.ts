import t from 'tap'
import { eventOf, pounds, sleep, startShop, until } from './harness.ts'

t.test('an authorisation that nobody captures expires', async (t) => {
  const { authorise, control, endpoint, booksOf } = await startShop(t)
  const psp = await authorise()
  await control(psp, 'expire')
  const expired = await eventOf(endpoint, 'EXPIRE')
  t.match(expired, { success: 'true', pspReference: psp, amount: pounds(2500) })
  t.notOk('originalReference' in expired)
  t.match(await booksOf(psp), { expired: true, capturable: 0 })
  const captured = await authorise({ additionalData: {} })
  t.equal((await control(captured, 'expire')).status, 409)
})

t.test('disputes are notified on request, all under one reference', async (t) => {
  const { authorise, control, endpoint } = await startShop(t)
  const psp = await authorise({ additionalData: {} })
  const withOriginal = ['NOTIFICATION_OF_CHARGEBACK', 'CHARGEBACK', 'ISSUER_COMMENTS']
  const without = ['CHARGEBACK_REVERSED', 'SECOND_CHARGEBACK', 'PREARBITRATION_WON']
  for (const eventCode of [...withOriginal, ...without]) {
    t.equal((await control(psp, 'dispute', { eventCode })).status, 200, eventCode)
  }
  await until(() => endpoint.received.length === 7)
  const items = endpoint.received
    .map(({ item }) => item)
    .filter(({ eventCode }) => eventCode !== 'AUTHORISATION')
  t.equal(new Set(items.map(({ pspReference }) => pspReference)).size, 1)
  t.not(items[0].pspReference, psp)
  for (const item of items) {
    const isWith = withOriginal.includes(item.eventCode)
    t.equal(item.originalReference, isWith ? psp : undefined, item.eventCode)
    t.match(item, { success: 'true', merchantReference: 'pay_0001', amount: pounds(2500) })
  }
})

t.test('a dispute can have its own amount, date, status, reason and reference', async (t) => {
  const { authorise, control, endpoint } = await startShop(t)
  const psp = await authorise()
  const defensePeriodEndsAt = '2027-01-01T00:00:00+01:00'
  await control(psp, 'dispute', {
    eventCode: 'CHARGEBACK',
    amount: pounds(100),
    defensePeriodEndsAt,
    disputeStatus: 'Responded',
    disputePspReference: 'DISPUTE000000001',
    reason: '10.4 Fraud'
  })
  t.match(await eventOf(endpoint, 'CHARGEBACK'), {
    pspReference: 'DISPUTE000000001',
    amount: pounds(100),
    reason: '10.4 Fraud',
    additionalData: { defensePeriodEndsAt, disputeStatus: 'Responded', grossValue: '100' }
  })
  t.equal((await control(psp, 'dispute', { eventCode: 'CAPTURE' })).status, 400)
  await until(() => endpoint.received.length === 2)
  await sleep(20)
  t.equal(endpoint.received.length, 2)
})

t.test('a partly captured payment expires, under a reference of its own if asked', async (t) => {
  const { authorise, control, endpoint, booksOf } = await startShop(t, {
    multiplePartialCaptures: true
  })
  const psp = await authorise()
  await control(psp, 'modify', { kind: 'capture', amount: pounds(1000) })
  await control(psp, 'expire', { withOriginal: true })
  const expired = await eventOf(endpoint, 'EXPIRE')
  t.match(expired, { success: 'true', originalReference: psp, amount: pounds(2500) })
  t.match(expired.pspReference, /^[A-Z0-9]{16}$/)
  t.not(expired.pspReference, psp)
  t.match(await booksOf(psp), { captured: 1000, capturable: 0, refundable: 1000 })
  t.equal((await control(psp, 'expire')).status, 409, 'nothing is left')

  const other = await authorise()
  await control(other, 'modify', { kind: 'capture', amount: pounds(1000) })
  await control(other, 'expire')
  const has = ({ pspReference }: { pspReference: string }) => pspReference === other
  t.notOk('originalReference' in (await eventOf(endpoint, 'EXPIRE', has)))
})

t.test('a fraud report is information about a payment', async (t) => {
  const { authorise, control, endpoint, call } = await startShop(t)
  const psp = await authorise({ additionalData: {} })
  await control(psp, 'dispute', { eventCode: 'NOTIFICATION_OF_FRAUD' })
  t.match(await eventOf(endpoint, 'NOTIFICATION_OF_FRAUD'), {
    success: 'true',
    originalReference: psp,
    reason: 'Fraudulent Use of Account Number',
    additionalData: { nofReasonCode: '6', nofSchemeCode: 'visa' }
  })
  t.match((await call('POST', '/_simulator/reports')).body, { lines: 3 }, 'it moves no money')
})

t.test('a chargeback that was not announced opens its dispute, and is settled once', async (t) => {
  const { authorise, control, endpoint, call } = await startShop(t)
  const opened = 'DISPUTE_OPENED_WITH_CHARGEBACK'
  const alone = await authorise({ additionalData: {} })
  await control(alone, 'dispute', { eventCode: opened })
  t.match(await eventOf(endpoint, opened), {
    success: 'true',
    originalReference: alone,
    merchantReference: 'pay_0001',
    amount: pounds(2500),
    additionalData: { disputeStatus: 'Unresponded', defendable: 'true' }
  })
  const both = await authorise({ additionalData: {} })
  for (const eventCode of [opened, 'CHARGEBACK']) await control(both, 'dispute', { eventCode })
  const { url } = (await call('POST', '/_simulator/reports')).body
  const { text } = await call('GET', new URL(url).pathname)
  for (const psp of [alone, both]) {
    const lines = text.split('\n').filter((line) => line.includes(psp) && /,Chargeback,/.test(line))
    t.equal(lines.length, 1)
  }
})

t.test('any event can be notified about a payment', async (t) => {
  const { authorise, control, endpoint, booksOf } = await startShop(t)
  const psp = await authorise()
  const before = await booksOf(psp)
  const eventCode = 'AUTORESCUE_NEXT_ATTEMPT'
  await control(psp, 'event', { eventCode })
  const usual = await eventOf(endpoint, eventCode)
  t.match(usual, { success: 'true', originalReference: psp, merchantReference: 'pay_0001' })
  t.match(usual.pspReference, /^[A-Z0-9]{16}$/)

  await control(psp, 'event', {
    eventCode,
    pspReference: 'EVENT00000000001',
    success: false,
    amount: { currency: 'EUR', value: 1 },
    reason: 'why',
    merchantReference: 'other',
    withoutOriginal: true,
    additionalData: { key: 'value' }
  })
  const has = ({ success }: { success: string }) => success === 'false'
  const own = await eventOf(endpoint, eventCode, has)
  t.match(own, {
    pspReference: 'EVENT00000000001',
    amount: { currency: 'EUR', value: 1 },
    reason: 'why',
    merchantReference: 'other',
    additionalData: { key: 'value' }
  })
  t.notOk('originalReference' in own)
  t.strictSame(await booksOf(psp), before, 'it changes nothing here')
  t.equal((await control(psp, 'event')).status, 400)
})

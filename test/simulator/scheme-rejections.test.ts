import t from 'tap'
import { eventOf, pounds, startShop } from './harness.ts'

t.test('"capture failed" lets a capture fail after its success', async (t) => {
  const pair = await startShop(t, { webhookDelayMs: 500 })
  const { authorise, post, outcome, booksOf, control, endpoint } = pair
  const psp = await authorise({}, { holderName: 'Capture Failed' })
  const answer = await post(psp, 'captures', { amount: pounds(2000), reference: 'cap-1' })
  t.match(await booksOf(psp), { captured: 2000 })
  t.match(await outcome(answer, 'CAPTURE'), { success: 'true' })
  t.match(await outcome(answer, 'CAPTURE_FAILED'), {
    success: 'true',
    reason: 'Capture Failed',
    originalReference: psp,
    merchantReference: 'cap-1',
    amount: pounds(2000)
  })
  t.match(await booksOf(psp), { captured: 0 })

  const again = await control(psp, 'recapture')
  t.equal(again.status, 200)
  const isRecapture = ({ reason }: { reason: string }) => reason === 'Transaction Recaptured'
  t.match(await eventOf(endpoint, 'CAPTURE', isRecapture), {
    success: 'true',
    pspReference: answer.body.pspReference,
    originalReference: psp,
    merchantReference: 'cap-1',
    amount: pounds(2000)
  })
  t.match(await booksOf(psp), { captured: 2000 })
  t.equal((await control(psp, 'recapture')).status, 409, 'nothing else has failed')
})

t.test('an automatic capture fails under a reference of its own', async (t) => {
  const { authorise, booksOf, control, endpoint } = await startShop(t)
  const psp = await authorise({ additionalData: {} }, { holderName: 'capture failed' })
  const failed = await eventOf(endpoint, 'CAPTURE_FAILED')
  t.match(failed, { success: 'true', originalReference: psp, merchantReference: 'pay_0001' })
  t.match(failed.pspReference, /^[A-Z0-9]{16}$/)
  t.not(failed.pspReference, psp)
  t.match(await booksOf(psp), { captured: 0 })
  t.notOk(endpoint.received.some(({ item }) => item.eventCode === 'CAPTURE'))

  await control(psp, 'recapture', { newReference: true })
  const recaptured = await eventOf(endpoint, 'CAPTURE')
  t.match(recaptured, { originalReference: psp, reason: 'Transaction Recaptured' })
  t.notOk([psp, failed.pspReference].includes(recaptured.pspReference))
  t.match(await booksOf(psp), { captured: 2500 })
})

t.test('"refund failed" lets a refund fail after its success', async (t) => {
  const { authorise, post, outcome, booksOf } = await startShop(t, { webhookDelayMs: 500 })
  const psp = await authorise({ additionalData: {} }, { holderName: 'refund failed' })
  const answer = await post(psp, 'refunds', { amount: pounds(2500), reference: 'ref-1' })
  t.match(await booksOf(psp), { refundable: 0 })
  t.match(await outcome(answer, 'REFUND'), { success: 'true' })
  t.match(await outcome(answer, 'REFUND_FAILED'), {
    success: 'true',
    originalReference: psp,
    merchantReference: 'ref-1',
    amount: pounds(2500)
  })
  t.match(await booksOf(psp), { refundable: 2500 }, 'the money can be refunded again')
  const again = await post(psp, 'refunds', { amount: pounds(2500) })
  t.match(await outcome(again, 'REFUND'), { success: 'true' })
})

t.test('schemes can reject captures and refunds, and send refunds back', async (t) => {
  const { authorise, post, control, endpoint, booksOf } = await startShop(t)
  const psp = await authorise()
  t.equal((await control(psp, 'capture-failed')).status, 409)
  const capture = (await post(psp, 'captures', { amount: pounds(2500) })).body.pspReference
  const refunds: string[] = []
  for (const value of [100, 200]) {
    const { body } = await post(psp, 'refunds', { amount: pounds(value) })
    refunds.push(body.pspReference)
  }
  await control(psp, 'refund-failed', { modificationPspReference: refunds[0] })
  t.match(await eventOf(endpoint, 'REFUND_FAILED'), {
    success: 'true',
    pspReference: refunds[0],
    originalReference: psp,
    amount: pounds(100)
  })
  await control(psp, 'refund-reversed', { modificationPspReference: refunds[1] })
  t.match(await eventOf(endpoint, 'REFUNDED_REVERSED'), {
    success: 'true',
    pspReference: refunds[1],
    originalReference: psp,
    amount: pounds(200)
  })
  t.match(await booksOf(psp), { captured: 2500, refunded: 0 })
  t.equal((await control(psp, 'refund-failed')).status, 409, 'both are back already')
  await control(psp, 'capture-failed')
  t.match(await eventOf(endpoint, 'CAPTURE_FAILED'), { pspReference: capture })
  t.match(await booksOf(psp), { captured: 0 })

  const automatic = await authorise({ additionalData: {} })
  await control(automatic, 'capture-failed')
  const has = (item: { originalReference: string }) => item.originalReference === automatic
  t.match(await eventOf(endpoint, 'CAPTURE_FAILED', has), { amount: pounds(2500) })
  t.match(await booksOf(automatic), { captured: 0 })
})

t.test('an automatic capture is notified where that is switched on', async (t) => {
  const { authorise, control, endpoint, call, booksOf } = await startShop(t)
  const on = await call('PUT', '/_simulator/settings', { automaticCaptureNotifications: true })
  t.match(on.body, { automaticCaptureNotifications: true, multiplePartialCaptures: false })
  t.equal((await call('PUT', '/_simulator/settings', { colour: true })).status, 400)
  t.equal((await call('PUT', '/_simulator/settings', { additionalData: 'yes' })).status, 400)

  const psp = await authorise({ additionalData: {} })
  const capture = await eventOf(endpoint, 'CAPTURE')
  t.match(capture, { success: 'true', originalReference: psp, reason: '', amount: pounds(2500) })
  t.notOk([psp, ''].includes(capture.pspReference))
  await control(psp, 'capture-failed')
  const failed = await eventOf(endpoint, 'CAPTURE_FAILED')
  t.equal(failed.pspReference, capture.pspReference, 'under its own reference')
  await control(psp, 'recapture')
  const isRecapture = ({ reason }: { reason: string }) => reason === 'Transaction Recaptured'
  const again = await eventOf(endpoint, 'CAPTURE', isRecapture)
  t.equal(again.pspReference, capture.pspReference)
  t.match(await booksOf(psp), { captured: 2500 })

  const { url } = (await call('POST', '/_simulator/reports')).body
  const { text } = await call('GET', new URL(url).pathname)
  t.match(text, `,Settled,${capture.pspReference},`, 'and so in reports')
})

t.test('a rejection can come under another reference, and so can a recapture', async (t) => {
  const { authorise, post, control, endpoint, booksOf, call } = await startShop(t)
  const psp = await authorise()
  const own = (await post(psp, 'captures', { amount: pounds(2000) })).body.pspReference
  await control(psp, 'capture-failed', { newReference: true })
  const failed = await eventOf(endpoint, 'CAPTURE_FAILED')
  t.match(failed, { originalReference: psp, amount: pounds(2000) })
  t.match(failed.pspReference, /^[A-Z0-9]{16}$/)
  t.notOk([own, psp].includes(failed.pspReference))
  t.match(await booksOf(psp), { captured: 0 })

  await control(psp, 'recapture', { newReference: 'RECAPTURE0000001' })
  const isRecapture = ({ reason }: { reason: string }) => reason === 'Transaction Recaptured'
  t.match(await eventOf(endpoint, 'CAPTURE', isRecapture), {
    pspReference: 'RECAPTURE0000001',
    amount: pounds(2000)
  })
  t.match(await booksOf(psp), { captured: 2000 })
  const { url } = (await call('POST', '/_simulator/reports')).body
  const report = await call('GET', new URL(url).pathname)
  t.match(report.text, ',Settled,RECAPTURE0000001,', 'the recapture is what is settled')
  t.notMatch(report.text, own)

  const byHand = await control(psp, 'modify', { kind: 'refund', amount: pounds(300) })
  await post(psp, 'refunds', { amount: pounds(200), reference: 'ours' })
  await control(psp, 'refund-reversed', {
    modificationPspReference: byHand.body.id,
    newReference: 'REVERSED00000001'
  })
  t.match(await eventOf(endpoint, 'REFUNDED_REVERSED'), {
    pspReference: 'REVERSED00000001',
    originalReference: psp,
    merchantReference: 'customer-area',
    amount: pounds(300)
  })
  await control(psp, 'refund-failed', { newReference: true })
  const refund = await eventOf(endpoint, 'REFUND_FAILED')
  t.match(refund, { merchantReference: 'ours', amount: pounds(200) })
  const ids = (await call('GET', '/_simulator/modifications')).body.map(
    ({ id }: { id: string }) => id
  )
  t.notOk(ids.includes(refund.pspReference), 'it is the reference of nothing else')
  t.match(await booksOf(psp), { captured: 2000, refunded: 0 })
})

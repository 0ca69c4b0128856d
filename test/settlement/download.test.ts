import t from 'tap'
import { fetchEveryMs } from '../../src/adyen-reports/report-download.jobs.ts'
import { adyenApiKey, type TestService, testService } from '../test-service.ts'
import { download, makeReport, untilRead, upload } from './reports.ts'

async function capture({ createPayment, pay, until }: TestService) {
  const { id } = await createPayment()
  await pay(id)
  return await until(id, ({ status }) => status === 'captured')
}

async function untilTold({ call }: TestService, status: string) {
  const giveUpAt = Date.now() + 15_000
  for (;;) {
    const { body } = await call('GET', `/v1/settlement-reports?status=${status}`)
    if (body.data.length > 0) return body.data[0]
    if (Date.now() > giveUpAt) throw new Error(`none is ${status}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

t.test('a report that we may not have waits for its upload', async (t) => {
  const service = await testService(t, { simulator: { reportUser: 'report:secret' } })
  const { id } = await capture(service)
  const { url, fileName } = await makeReport(service)
  const waiting = await untilTold(service, 'awaitingUpload')
  t.match(waiting, { fileName, origin: 'provider', fault: /HTTP 401/ })
  const response = await fetch(url, {
    headers: { authorization: `Basic ${Buffer.from('report:secret').toString('base64')}` }
  })
  const { body, status } = await upload(service, await response.text(), fileName)
  t.equal(status, 202)
  t.match(await untilRead(service, body.id), { status: 'done', matched: 1, fileName })
  const { body: all } = await service.call('GET', '/v1/settlement-reports')
  t.match(all.data, [
    { id: body.id, origin: 'upload', status: 'done' },
    { id: waiting.id, origin: 'provider', status: 'done', fault: null }
  ])
  t.equal((await service.call('GET', `/v1/payments/${id}`)).body.settlement.batch, '1')
})

t.test('a report that was uploaded before it was told of is fetched once', async (t) => {
  const service = await testService(t)
  const { control, call, db } = service
  const { id } = await capture(service)
  const { url, fileName } = await makeReport(service, { announce: false })
  const { body } = await upload(service, await download(url, adyenApiKey), fileName)
  await untilRead(service, body.id)
  const fetched = () =>
    db
      .selectFrom('settlement_report')
      .select(['id', 'status', 'finished_at'])
      .where('origin', '=', 'provider')
      .execute()
  const tell = async () => {
    const item = { eventCode: 'REPORT_AVAILABLE', pspReference: fileName, reason: url }
    const none = { merchantReference: '', amount: { currency: 'EUR', value: 0 }, success: 'true' }
    await control('POST', '/_simulator/webhooks', { items: [{ ...item, ...none }] })
    // Longer than two rounds of the work that fetches reports.
    await new Promise((resolve) => setTimeout(resolve, 2.5 * fetchEveryMs))
    return await fetched()
  }
  const first = await tell()
  t.match(first, [{ status: 'done' }])
  t.equal(first.length, 1)
  t.same(await tell(), first, 'told again')
  const { body: all } = await call('GET', '/v1/settlement-reports')
  t.match(all.data, [
    { origin: 'provider', status: 'done' },
    { origin: 'upload', status: 'done' }
  ])
  t.equal((await call('GET', `/v1/payments/${id}`)).body.settlement.gross, 2500)
})

t.test('the report user fetches it', async (t) => {
  const adyen = { reportUser: 'report', reportPassword: 'secret' }
  const service = await testService(t, {
    simulator: { reportUser: 'report:secret' },
    adyen: adyen as never
  })
  const { id } = await capture(service)
  await makeReport(service)
  await service.until(id, ({ settlement }) => settlement !== null)
})

t.test('a URL that leads elsewhere is not asked', async (t) => {
  const service = await testService(t)
  const { id } = await capture(service)
  const fileName = 'settlement_detail_report_filtered_2026-11-01T00:00:00_2026-12-01T00:00:00.csv'
  await makeReport(service, { fileName })
  const { settlement } = await service.until(id, (payment) => payment.settlement !== null)
  t.ok(settlement, 'B9: with colons in its name it is fetched')
  const other = 'https://evil.example/reports/download/MerchantAccount/TestMerchant'
  await makeReport(service, { url: `${other}/settlement_detail_report_batch_1.csv` })
  t.match(await untilTold(service, 'awaitingUpload'), { fault: /not one of/ })
})

t.test('the accounting report tells of a payment whose news were lost', async (t) => {
  const service = await testService(t)
  const { control, createPayment, pay, until } = service
  await control('PUT', '/_simulator/faults', { webhooks: { drop: { times: 1 } } })
  const { id } = await createPayment()
  await pay(id)
  const { url } = await makeReport(service, { kind: 'paymentAccounting', announce: false })
  const { body } = await upload(service, await download(url, 'test-adyen-api-key'))
  const report = await untilRead(service, body.id)
  t.match(report, { status: 'done', kind: 'paymentAccounting', matched: 1, discrepancies: 0 })
  t.match(await until(id, ({ status }) => status === 'captured'), { settlement: null })
})

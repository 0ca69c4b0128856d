/** All that the operations on settlement and on discrepancies may answer. */
import t from 'tap'
import type { ProblemCode } from '../../src/problems/problems.ts'
import { download, makeReport } from '../settlement/reports.ts'
import { adyenApiKey } from '../test-service.ts'
import { eventually, type Judged, judgedService, stale } from './judged.ts'

const operator = { id: 'finance-3' }
const csvHeaders = { 'content-type': 'text/csv' }

t.test('every answer about settlement is what the document says', async (t) => {
  const service = await judgedService(t, { duplicateWindowS: 0 })
  await meetReports(service)
  await meetDiscrepancies(service)
  await meetRefusals(service)
  await service.meet(200, 'getReconciliationSummary')
  await service.meet(200, 'getReconciliationSummary', [], { query: '?date=2026-02-03' })
  await service.meet('request_invalid', 'getReconciliationSummary', [], { query: '?date=2026' })
  t.same(service.findUnmet('Settlement'), [])
})

/** Answers a payment that was settled, and leaves a stranger to explain. */
async function meetReports(service: Judged): Promise<void> {
  const { meet, createPayment, pay, until, call } = service
  const { id } = await createPayment()
  await pay(id)
  await until(id, ({ status }) => status === 'captured')
  const order = { announce: false, faults: { strangers: 2 } }
  const { url } = await makeReport(service, order)
  const options = { body: await download(url, adyenApiKey), headers: csvHeaders }
  const { body: report } = await meet(202, 'uploadSettlementReport', [], options)
  await meet(200, 'uploadSettlementReport', [], { ...options, query: '?fileName=batch_1.csv' })
  await meet(202, 'uploadSettlementReport', [], { body: 'not,a,report\n', headers: csvHeaders })
  await meet('request_invalid', 'uploadSettlementReport', [], { ...options, query: '?name=1' })
  await meet('content_type_unsupported', 'uploadSettlementReport', [], { body: { a: 1 } })
  await eventually(
    async () => (await call('GET', '/v1/settlement-reports')).body.data,
    (all) => all.every(({ status }: { status: string }) => /^(done|refused)$/.test(status))
  )
  const { body } = await meet(200, 'listSettlementReports', [], { query: '?limit=1' })
  await meet(200, 'listSettlementReports', [], { query: `?limit=1&cursor=${body.nextCursor}` })
  await meet(200, 'listSettlementReports', [], { query: '?status=done' })
  await service.meetUnchanged('getSettlementReport', [report.id])
  await meet('report_not_found', 'getSettlementReport', ['none'])
  await meet(200, 'listEvents', [])
  await meet(200, 'getPayment', [id])
}

async function meetDiscrepancies({ meet, meetUnchanged }: Judged): Promise<void> {
  const { body } = await meet(200, 'listDiscrepancies', [], { query: '?limit=1' })
  await meet(200, 'listDiscrepancies', [], { query: `?limit=1&cursor=${body.nextCursor}` })
  const [found] = body.data
  const query = `?kind=${found.kind}&status=open&createdFrom=2026-01-01T00:00:00Z`
  await meet(200, 'listDiscrepancies', [], { query: `${query}&createdTo=2099-01-01T00:00:00Z` })
  await meetUnchanged('getDiscrepancy', [found.id])
  await meet('discrepancy_not_found', 'getDiscrepancy', ['none'])
  const resolve = (expected: number | ProblemCode, resolution: string, key?: string, id?: string) =>
    meet(expected, 'resolveDiscrepancy', [id ?? found.id], {
      body: { resolution, reason: 'Looked into', operator },
      ...(key !== undefined && { idempotencyKey: key })
    })
  await resolve('resolution_not_allowed', 'writtenOff')
  const supposed = { body: { resolution: 'acknowledged', reason: 'Looked into', operator } }
  await meet('precondition_failed', 'resolveDiscrepancy', [found.id], { ...supposed, ...stale })
  await resolve(200, 'acknowledged', 'one')
  await resolve(200, 'acknowledged', 'one')
  await resolve('idempotency_key_reused', 'keep', 'one')
  await resolve('discrepancy_resolved', 'acknowledged')
  await resolve('discrepancy_not_found', 'acknowledged', 'other', 'none')
  await meetUnchanged('getDiscrepancy', [found.id])
  await meet(200, 'listDiscrepancies', [], { query: '?status=resolved' })
}

/** Money that came after the end can't be refunded while it is reserved only, or disputed. */
async function meetRefusals(service: Judged): Promise<void> {
  const { meet, call, control, createPayment, until } = service
  const payLate = async (capture: 'automatic' | 'manual') => {
    const { id } = await createPayment({ capture })
    const { body: sessions } = await control('GET', '/_simulator/sessions')
    await control('POST', `/_simulator/sessions/${sessions.at(-1).id}/expire`)
    await until(id, ({ status }) => status === 'expired')
    const pspReference = `LATE${crypto.randomUUID().slice(0, 8).toUpperCase()}`
    const amount = { currency: 'GBP', value: 2500 }
    await control('POST', '/_simulator/payments', {
      payments: [{ pspReference, reference: id, amount }]
    })
    const item = { eventCode: 'AUTHORISATION', success: 'true', merchantReference: id }
    await control('POST', '/_simulator/webhooks', { items: [{ ...item, pspReference, amount }] })
    const [found] = await eventually(
      async () => (await call('GET', `/v1/discrepancies?paymentId=${id}`)).body.data,
      (all) => all.length > 0
    )
    return { id, pspReference, found }
  }
  const body = { resolution: 'refund', reason: 'Not wanted', operator }
  const reserved = await payLate('manual')
  await meet('resolution_not_allowed', 'resolveDiscrepancy', [reserved.found.id], { body })
  const disputed = await payLate('automatic')
  const path = `/_simulator/payments/${disputed.pspReference}/dispute`
  await control('POST', path, { eventCode: 'NOTIFICATION_OF_CHARGEBACK' })
  await eventually(
    async () => (await call('GET', `/v1/payments/${disputed.id}/disputes`)).body.data,
    (all) => all.length > 0
  )
  await meet('payment_disputed', 'resolveDiscrepancy', [disputed.found.id], { body })
}

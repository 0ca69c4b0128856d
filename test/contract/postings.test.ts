/** All that the operations for the billing system may answer. */
import t from 'tap'
import { eventually, judgedService, stale } from './judged.ts'

t.test('every answer about postings is what the document says', async (t) => {
  const service = await judgedService(t, { duplicateWindowS: 0 })
  const { meet, call, createPayment, pay, until } = service
  for (let n = 0; n < 3; n += 1) {
    const { id } = await createPayment({ reference: `basket-${n}` })
    await pay(id)
    await until(id, ({ status }) => status === 'captured')
  }
  const [first, second, third] = await eventually(
    async () => (await call('GET', '/v1/postings')).body.data,
    (found) => found.length === 3
  )

  await meet(200, 'listPostings')
  const { body } = await meet(200, 'listPostings', [], { query: '?limit=1&status=open' })
  await meet(200, 'listPostings', [], { query: `?after=${body.nextCursor}` })
  await service.meetUnchanged('getPosting', [first.id])
  await meet('posting_not_found', 'getPosting', ['none'])

  const posted = { body: { outcome: 'posted' }, idempotencyKey: 'posted' }
  await meet(200, 'acknowledgePosting', [first.id], posted)
  const again = await meet(200, 'acknowledgePosting', [first.id], posted)
  t.equal(again.headers.get('idempotent-replayed'), 'true')
  await meet('idempotency_key_reused', 'acknowledgePosting', [second.id], posted)
  await meet('posting_not_found', 'acknowledgePosting', ['none'], { body: posted.body })
  const rejected = { body: { outcome: 'rejected', reason: 'No such account' } }
  await meet('posting_acknowledged', 'acknowledgePosting', [first.id], rejected)
  await meet('precondition_failed', 'acknowledgePosting', [second.id], { ...rejected, ...stale })
  await meet(200, 'acknowledgePosting', [second.id], rejected)

  const gbp = { body: { currency: 'GBP', transactionType: 'payment' }, idempotencyKey: 'file' }
  const { body: file } = await meet(201, 'makeBillingFile', [], gbp)
  await meet('idempotency_key_reused', 'makeBillingFile', [], {
    body: { ...gbp.body, currency: 'EUR' },
    idempotencyKey: 'file'
  })
  await meet(201, 'makeBillingFile', [], { body: gbp.body })
  await service.meetUnchanged('getBillingFile', [file.id])
  await meet('billing_file_not_found', 'getBillingFile', ['none'])
  await meet(200, 'getBillingFileContent', [file.id])
  await meet('billing_file_not_found', 'getBillingFileContent', ['none'])
  await meet(200, 'listBillingFiles')
  const { body: page } = await meet(200, 'listBillingFiles', [], { query: '?limit=1' })
  await meet(200, 'listBillingFiles', [], { query: `?limit=1&cursor=${page.nextCursor}` })

  const rejections = (externalFileName: string) => ({
    externalFileName,
    details: [
      {
        detailSequence: 1,
        hierarchyEntity: { accountId: Number(third.accountId) },
        transactionType: 'PAYMENT',
        rejectionReason: 'Archived'
      }
    ]
  })
  await meet('billing_rejections_unmatched', 'rejectBillingDetails', [], {
    body: rejections('other.json')
  })
  const said = { body: rejections(file.id), idempotencyKey: 'rejections' }
  await meet(200, 'rejectBillingDetails', [], said)
  await meet('idempotency_key_reused', 'rejectBillingDetails', [], {
    body: rejections('other.json'),
    idempotencyKey: 'rejections'
  })

  const rest = { body: { outcome: 'posted' }, idempotencyKey: 'rest' }
  await meet(200, 'acknowledgeBillingFile', [file.id], rest)
  await meet('idempotency_key_reused', 'acknowledgeBillingFile', ['none'], rest)
  await meet('billing_file_not_found', 'acknowledgeBillingFile', ['none'], { body: rest.body })

  await meet(200, 'reconcileThreeWays')
  await meet('request_invalid', 'reconcileThreeWays', [], {
    query: '?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z'
  })
  t.same(service.findUnmet('Postings'), [])
})

/** All that the operations on accounts, charges, adjustments and the ledger may answer. */
import t from 'tap'
import { newAccountId } from '../test-service.ts'
import { type Judged, judgedService, stale } from './judged.ts'

const pounds = (value: number) => ({ currency: 'GBP', value })
const euros = { currency: 'EUR', value: 1 }
const tooLarge = pounds(1_000_000_000)
const tooFine = { currency: 'BHD', value: 1001 }

t.test('every answer about accounts is what the document says', async (t) => {
  const service = await judgedService(t)
  const { meet, createPayment, pay, until } = service
  const id = newAccountId()
  await meet(201, 'putAccount', [id], { body: { currency: 'GBP', name: 'A. Customer' } })
  await meet(200, 'putAccount', [id], { body: { currency: 'GBP' } })
  await meet('account_currency_fixed', 'putAccount', [id], { body: { currency: 'EUR' } })
  await meet('precondition_failed', 'putAccount', [id], { body: { currency: 'GBP' }, ...stale })
  await meet('account_not_known', 'putAccount', ['0'], { body: { currency: 'GBP' } })

  const chargeId = await meetCharges(service, id)
  await meetAdjustments(service, id, chargeId)
  const { id: paymentId } = await createPayment({ accountId: id })
  await pay(paymentId)
  await until(paymentId, ({ status }) => status === 'captured')

  const { body } = await service.meetUnchanged('getAccount', [id])
  t.match(body.balance, { inQuery: pounds(0), outstanding: pounds(3100) }, 'it is no empty account')
  await meet('account_not_known', 'getAccount', ['7'])
  for (const list of ['listCharges', 'listAdjustments', 'listEntries']) {
    t.ok((await meet(200, list, [id])).body.data.length > 1, list)
    const { body: first } = await meet(200, list, [id], { query: '?limit=1' })
    await meet(200, list, [id], { query: `?limit=1&cursor=${first.nextCursor}` })
    await meet('account_not_known', list, ['7'])
  }
  await meet(200, 'putAccount', [id], { body: { currency: 'GBP', status: 'closed' } })
  const late = { amount: pounds(1), reference: 'C', dueAt: '2026-01-01T00:00:00Z' }
  await meet('account_closed', 'createCharge', [id], { body: late })
  t.same(service.findUnmet('Accounts'), [])
})

async function meetCharges({ meet }: Judged, id: string): Promise<string> {
  const charge = { amount: pounds(4200), reference: 'A', dueAt: '2026-01-01T00:00:00Z' }
  const push = (expected: Parameters<Judged['meet']>[0], changes = {}, of = id) =>
    meet(expected, 'createCharge', [of], { body: { ...charge, ...changes } })
  const { body: created } = await push(201)
  await push(200)
  await push(201, { reference: 'B', amount: pounds(1500) })
  await push('charge_conflict', { dueAt: '2027-01-01T00:00:00Z' })
  await push('currency_mismatch', { reference: 'C', amount: euros })
  await push('amount_too_large', { reference: 'C', amount: tooLarge })
  await push('amount_not_representable', { reference: 'C', amount: tooFine })
  await push('account_not_known', {}, '7')

  const change = (expected: Parameters<Judged['meet']>[0], ids: string[], inQuery: boolean) =>
    meet(expected, 'changeCharge', ids, { body: { inQuery } })
  await change(200, [id, created.id], true)
  await change(200, [id, created.id], false)
  await change('charge_not_known', [id, 'chg_none'], true)
  await change('account_not_known', ['7', created.id], true)
  return created.id
}

async function meetAdjustments({ meet }: Judged, id: string, chargeId: string): Promise<void> {
  const adjustment = { direction: 'credit', amount: pounds(200), reference: 'A', reason: 'cheque' }
  const push = (expected: Parameters<Judged['meet']>[0], changes = {}, of = id) =>
    meet(expected, 'createAdjustment', [of], { body: { ...adjustment, ...changes } })
  await push(201)
  await push(200)
  await push(201, { reference: 'B', amount: pounds(100), direction: 'debit', chargeId })
  await push('adjustment_conflict', { direction: 'debit' })
  await push('charge_not_found', { reference: 'C', chargeId: 'chg_none' })
  await push('currency_mismatch', { reference: 'C', amount: euros })
  await push('amount_too_large', { reference: 'C', amount: tooLarge })
  await push('amount_not_representable', { reference: 'C', amount: tooFine })
  await push('account_not_known', {}, '7')
}

/** Money that goes back, as it is written and read again. */
import t from 'tap'
import { findBalance } from '../../src/accounts/account.store.ts'
import { applyEvents } from '../../src/lifecycle/apply.commands.ts'
import { recordAccepted, stopAsking } from '../../src/lifecycle/operation.store.ts'
import {
  byHand,
  paidBy,
  refundFailedOf,
  rejected,
  requestOf,
  reversalRefused,
  reversed,
  unknown
} from './aggregates.ts'
import { newReference, savedPayments } from './saved-payments.ts'

const saved = await savedPayments(t)
const { db, addAccount, addPayment, applyTo, typesOf, operationsOf, postingsOf } = saved
const { aggregateOf, discrepanciesOf, fingerprint, checkInvariants } = saved

/** The id of the only one. */
async function reversalOf(paymentId: string): Promise<string> {
  const [reversal, ...others] = await operationsOf(paymentId, 'reversal')
  if (reversal === undefined || others.length > 0) throw new Error('not one reversal')
  return reversal.id
}

t.test('second money is written as a reversal that is due', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const [kept, more] = [newReference(), newReference()]
  await applyTo(id, paidBy(kept), paidBy(more))
  const asked = await operationsOf(id, 'reversal')
  t.match(asked, [{ authorisation: more, origin: 'client', amount: 2500, status: 'requested' }])
  const [reversal] = asked
  t.match(reversal, { isDue: true, providerKey: `${reversal?.id}.reversal.1` })
  t.match(await findBalance(db, accountId), { credit: 2500 })
  await checkInvariants(t, accountId)

  await applyTo(id, reversed(more))
  t.same(await typesOf(id), [
    'payment.created',
    'payment.captured',
    'reversal.requested',
    'reversal.succeeded'
  ])
  await checkInvariants(t, accountId)
  await applyTo(id, refundFailedOf(more))
  const failure = { code: 'provider_error', message: 'Insufficient balance' }
  t.match(await operationsOf(id, 'reversal'), [{ status: 'failed', nextAttemptAt: null, failure }])
  t.same(await postingsOf(id), [
    `payment ${kept} GBP 2500`,
    `held ${more} GBP 2500`,
    `reversal ${reversal?.id}.3 GBP 2500`,
    `reversalFailed ${reversal?.id}.4 GBP 2500`
  ])
  await checkInvariants(t, accountId)
})

t.test('a reversal is ours by the reference that the provider gave it', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const more = newReference()
  await applyTo(id, paidBy(newReference()), paidBy(more))
  await recordAccepted(db, await reversalOf(id), requestOf(more).providerReference)
  const before = await fingerprint([accountId])
  t.same(await applyTo(id, reversalRefused(more, byHand)), ['ignored'])
  t.equal(await fingerprint([accountId]), before)
  t.same(await applyTo(id, reversalRefused(more)), ['applied'])
  await checkInvariants(t, accountId)
  t.same(await applyTo(id, reversed(more)), ['applied'], 'it went back after all')
  const succeeded = await fingerprint([accountId])
  t.same(await applyTo(id, reversalRefused(more), reversed(more)), ['applied', 'applied'])
  t.equal(await fingerprint([accountId]), succeeded)
  t.match(await operationsOf(id, 'reversal'), [{ status: 'succeeded', failure: null }])
  await checkInvariants(t, accountId)
})

t.test('a reversal that fell through is given back by another request', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const more = newReference()
  await applyTo(id, paidBy(newReference()), paidBy(more))
  await recordAccepted(db, await reversalOf(id), requestOf(more).providerReference)
  await applyTo(id, reversed(more))
  await applyTo(id, refundFailedOf(more))
  const fallen = await fingerprint([accountId])
  t.same(await applyTo(id, reversed(more)), ['applied'])
  t.equal(await fingerprint([accountId]), fallen, 'the same request changes nothing')
  const byHand = { providerReference: `BYHAND${more}`, reference: 'by hand' }
  t.same(await applyTo(id, reversed(more, byHand)), ['applied'])
  t.same((await typesOf(id)).slice(3), [
    'reversal.succeeded',
    'reversal.failed',
    'discrepancy.opened',
    'reversal.succeeded'
  ])
  await checkInvariants(t, accountId)
})

t.test('a reversal may fail more than once', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const more = newReference()
  await applyTo(id, paidBy(newReference()), paidBy(more))
  const reversal = await reversalOf(id)
  for (const event of [rejected(reversal), reversed(more), refundFailedOf(more)]) {
    t.same(await applyTo(id, event), ['applied'], event.type)
    await checkInvariants(t, accountId)
  }
  t.match((await typesOf(id)).slice(-2), ['reversal.failed', 'discrepancy.opened'])
})

t.test('money that differs and was given back stands in clearing no more', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const reference = newReference()
  const amount = { currency: 'EUR', value: 2400 }
  t.same(await applyTo(id, paidBy(reference, { amount })), ['applied'])
  await checkInvariants(t, accountId)
  t.same(await applyTo(id, reversed(reference)), ['applied'])
  t.same(await postingsOf(id), [`held ${reference} EUR 2400`, `reversal ${reference} EUR 2400`])
  t.match(await aggregateOf(id), { authorisations: [{ disposition: 'released' }] })
  const before = await fingerprint([accountId])
  t.same(await applyTo(id, reversed(reference)), ['applied'])
  t.equal(await fingerprint([accountId]), before)
  await checkInvariants(t, accountId)
})

t.test('a reversal that is given up is due no more, and a discrepancy', async (t) => {
  const accountId = await addAccount()
  const id = await addPayment({ accountId })
  const more = newReference()
  await applyTo(id, paidBy(newReference()), paidBy(more))
  const reversal = await reversalOf(id)
  await db.transaction().execute(async (tx) => {
    await applyEvents(tx, 'adyen', [{ paymentId: id, event: unknown(reversal) }])
    await stopAsking(tx, reversal)
  })
  t.match(await operationsOf(id, 'reversal'), [{ status: 'requested', nextAttemptAt: null }])
  t.same(await discrepanciesOf(id), ['outcome_unknown open'])
  await checkInvariants(t, accountId)
})

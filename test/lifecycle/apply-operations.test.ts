import t from 'tap'
import { type Operation, operationKinds, type PaymentAggregate } from '../../src/lifecycle/model.ts'
import {
  addOperation,
  isSame,
  isUnderWay,
  newOperation,
  toOperationView
} from '../../src/lifecycle/operation.ts'
import {
  aggregateOf,
  apply,
  checkAggregate,
  contextOf,
  first,
  newContext,
  paidBy,
  price,
  rejected,
  traceOf,
  unknown
} from './aggregates.ts'

const second = 'PSP0000000000002'

/** A payment of which a request of this kind waits for its outcome. */
function waiting(kind: Operation['kind']): { aggregate: PaymentAggregate; one: Operation } {
  const aggregate = aggregateOf(
    kind === 'refund' || kind === 'reversal' ? 'captured' : 'authorised'
  )
  if (kind === 'reversal') apply(aggregate, paidBy(second))
  else {
    addOperation(
      aggregate,
      { kind, authorisationReference: first, amount: price },
      contextOf(aggregate)
    )
    if (kind === 'refund') aggregate.payment.amountRefunding = price.value
  }
  const [one] = aggregate.operations
  return { aggregate, one: one as Operation }
}

for (const kind of operationKinds) {
  t.test(`a ${kind} that the provider rejects has failed, and nothing moves`, async (t) => {
    const { aggregate, one } = waiting(kind)
    const { status } = aggregate.payment
    const postings = aggregate.postings.length
    const events = aggregate.events.length
    t.same(apply(aggregate, rejected(one.id), rejected(one.id)), ['applied', 'ignored'])
    t.match(one, {
      status: 'failed',
      failure: { code: 'provider_rejected', message: 'Transaction not found', retryable: true }
    })
    t.equal(aggregate.payment.status, status)
    t.equal(aggregate.postings.length, postings)
    t.same(traceOf(aggregate).events.slice(events), [
      `${kind}.failed`,
      ...(kind === 'reversal' ? ['discrepancy.opened'] : [])
    ])
    checkAggregate(t, aggregate)
  })

  t.test(`a ${kind} of which nothing is heard still waits, and is a discrepancy`, async (t) => {
    const { aggregate, one } = waiting(kind)
    t.same(apply(aggregate, unknown(one.id)), ['applied'])
    t.match(one, { status: 'requested', failure: null })
    t.match(aggregate.discrepancies, [
      {
        kind: 'outcome_unknown',
        fact: one.id,
        details: { [`${kind}Id`]: one.id, authorisation: one.authorisationReference }
      }
    ])
    t.same(apply(aggregate, rejected(one.id)), ['applied'], 'it may still be told')
    t.same(apply(aggregate, unknown(one.id)), ['ignored'])
  })
}

t.test('a request of another payment is none of this one', async (t) => {
  const { aggregate } = waiting('capture')
  const before = structuredClone(aggregate)
  t.same(apply(aggregate, rejected('cap_other'), unknown('cap_other')), ['ignored', 'ignored'])
  t.same(aggregate, before)
})

t.test('a request is ours by either reference, and has a key only where we ask', async (t) => {
  const given = { kind: 'refund', authorisationReference: first, amount: price } as const
  const one = newOperation(given, newContext())
  t.match(one, { id: 'ref_0000000000000001', origin: 'client', successes: 0, failures: 0 })
  t.equal(one.providerKey, 'ref_0000000000000001.refund.1')
  t.ok(isUnderWay(one))
  t.notOk(isSame(one, { providerReference: 'MOD', reference: 'other' }))
  t.ok(isSame(one, { providerReference: 'MOD', reference: one.id }))
  t.ok(
    isSame({ ...one, providerReference: 'MOD' }, { providerReference: 'MOD', reference: 'other' })
  )
  const theirs = newOperation({ ...given, origin: 'provider' }, newContext())
  t.equal(theirs.providerKey, null)
})

t.test('what a client sees of each kind', async (t) => {
  const shown = (kind: Operation['kind'], changes: Partial<Operation> = {}) =>
    toOperationView(
      newOperation(
        { kind, authorisationReference: first, amount: price, ...changes },
        newContext()
      ),
      { id: 'pay_1' }
    )
  const shared = {
    paymentId: 'pay_1',
    amount: price,
    status: 'requested',
    failure: null,
    origin: 'client',
    createdAt: newContext().now.toISOString()
  }
  t.same(shown('capture'), { id: 'cap_0000000000000001', ...shared })
  t.same(shown('cancellation', { reason: 'why' }), {
    id: 'can_0000000000000001',
    ...shared,
    reason: 'why'
  })
  t.same(shown('reversal'), { id: 'rev_0000000000000001', ...shared, authorisation: first })
  t.same(shown('refund', { operator: { id: 'anna' } }), {
    id: 'ref_0000000000000001',
    ...shared,
    reason: null,
    operator: { id: 'anna' },
    decision: null,
    processor: null
  })
})

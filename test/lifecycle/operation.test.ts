/** What all operations have in common. */
import t from 'tap'
import {
  type Operation,
  operationKinds,
  type PaymentAggregate,
  type Report
} from '../../src/lifecycle/model.ts'
import {
  addOperation,
  addReport,
  dropReports,
  isDoubtful,
  isSame,
  isUnderWay,
  newOperation,
  standingOf,
  timesFailed,
  timesSucceeded
} from '../../src/lifecycle/operation.ts'
import { toOperationView } from '../../src/lifecycle/operation-view.ts'
import {
  aggregateOf,
  apply,
  checkAggregate,
  checkUnchanged,
  contextOf,
  first,
  newContext,
  ordersOf,
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
    t.strictSame(apply(aggregate, rejected(one.id), rejected(one.id)), ['applied', 'ignored'])
    t.match(one, {
      status: 'failed',
      failure: { code: 'provider_rejected', message: 'Transaction not found', retryable: true }
    })
    t.equal(aggregate.payment.status, status)
    t.equal(aggregate.postings.length, postings)
    t.strictSame(traceOf(aggregate).events.slice(events), [
      `${kind}.failed`,
      ...(kind === 'reversal' ? ['discrepancy.opened'] : [])
    ])
    checkAggregate(t, aggregate)
  })

  t.test(`a ${kind} of which nothing is known still waits, and is a discrepancy`, async (t) => {
    const { aggregate, one } = waiting(kind)
    t.strictSame(apply(aggregate, unknown(one.id)), ['applied'])
    t.match(one, { status: 'requested', failure: null })
    t.match(aggregate.discrepancies, [
      {
        kind: 'outcome_unknown',
        fact: one.id,
        details: { [`${kind}Id`]: one.id, authorisation: one.authorisationReference }
      }
    ])
    t.strictSame(apply(aggregate, rejected(one.id)), ['applied'], 'it may still be reported')
    t.strictSame(apply(aggregate, unknown(one.id)), ['ignored'])
  })
}

const went = (reference: string): Report => ({ outcome: 'succeeded', reference })
const again = (reference: string): Report => ({ ...went(reference), again: true })
const failed = (reference: string): Report => ({ outcome: 'failed', reference, reason: 'Why' })
const refused = (reference: string): Report => ({ ...failed(reference), outcome: 'refused' })

/** What reports come to, and how often they say that it went well and that it failed. */
const standings: ReadonlyArray<
  [Operation['kind'], Report[], ReturnType<typeof standingOf>, [number, number]]
> = [
  ['capture', [], undefined, [0, 0]],
  ['capture', [refused('A')], 'failed', [0, 0]],
  ['capture', [refused('A'), went('A')], 'succeeded', [1, 0]],
  ['capture', [went('A'), failed('A')], 'failed', [1, 1]],
  ['capture', [went('A'), failed('B')], 'failed', [1, 1]],
  ['capture', [went('A'), went('B'), failed('A')], 'succeeded', [2, 1]],
  ['capture', [went('A'), again('A'), failed('A')], 'failed', [1, 1]],
  ['capture', [went('A'), again('B'), failed('A')], 'succeeded', [2, 1]],
  ['capture', [went('A'), again('B'), failed('A'), failed('B')], 'failed', [2, 2]],
  // Its authorisation said that it was captured, and a plain capture only gives that a name.
  ['capture', [went(first), went('A'), failed('A')], 'failed', [1, 1]],
  ['capture', [went(first), again('A'), failed('A')], 'succeeded', [2, 1]],
  ['reversal', [went('A'), failed('A'), went('B')], 'succeeded', [2, 1]],
  ['reversal', [failed('A')], 'failed', [0, 1]],
  ['cancellation', [refused('A'), went('A')], 'succeeded', [1, 0]],
  ['cancellation', [went('A'), failed('A')], 'succeeded', [1, 1]],
  ['refund', [went('A'), refused('A')], 'succeeded', [1, 0]],
  ['refund', [went('A'), went('B'), failed('A')], 'failed', [2, 1]]
]

t.test('what an operation has come to is read from the set of its reports', async (t) => {
  for (const [kind, reports, standing, times] of standings) {
    const label = `${kind}: ${reports.map((one) => Object.values(one).join(' ')).join(', ')}`
    for (const order of ordersOf(reports)) {
      const aggregate = aggregateOf('captured')
      const given = { kind, authorisationReference: first, amount: price } as const
      const one = addOperation(aggregate, given, contextOf(aggregate))
      for (const report of [...order, ...order]) addReport(aggregate, one, { ...report })
      t.equal(one.reported.length, reports.length, `${label}: each once`)
      t.equal(standingOf(one), standing, label)
      t.equal(one.status, standing ?? 'requested', label)
      t.equal(one.failure !== null, standing === 'failed', label)
      t.strictSame([timesSucceeded(one), timesFailed(one)], times, label)
    }
  }
})

t.test('why it failed: that it came to nothing says more than that it was refused', async (t) => {
  const reasons: Array<[Operation['kind'], string]> = [
    ['capture', 'capture_failed'],
    ['refund', 'provider_error']
  ]
  for (const [kind, code] of reasons) {
    const { aggregate, one } = waiting(kind)
    addReport(aggregate, one, { outcome: 'refused', reference: 'A' })
    const message = 'The payment provider reported a failure.'
    t.strictSame(one.failure, { code: 'provider_rejected', message, retryable: true })
    addReport(aggregate, one, failed('A'))
    t.strictSame(one.failure, { code, message: 'Why', retryable: true })
  }
})

t.test('only a capture is in doubt, and only while it is failed', async (t) => {
  const { aggregate, one } = waiting('capture')
  const steps: Array<[Report, boolean]> = [
    [went('A'), false],
    [again('A'), false],
    [failed('A'), true],
    [again('B'), false],
    [failed('B'), true]
  ]
  for (const [report, isInDoubt] of steps) {
    addReport(aggregate, one, report)
    t.equal(isDoubtful(one), isInDoubt, `${report.outcome} ${report.reference}`)
    t.notOk(isDoubtful({ ...one, kind: 'reversal' }))
  }
})

t.test('reports that were about another operation are taken away', async (t) => {
  const { aggregate, one } = waiting('capture')
  one.alsoReportedAs = ['B', 'C']
  for (const report of [went('A'), failed('B')]) addReport(aggregate, one, report)
  t.equal(dropReports(aggregate, one, 'B'), 'failed', 'its status before')
  t.match(one, { status: 'succeeded', failure: null })
  t.strictSame([one.reported, one.alsoReportedAs], [[went('A')], ['C']])
  t.equal(dropReports(aggregate, one, 'B'), undefined, 'nothing more is changed')
})

t.test('a request of another payment is none of this one', async (t) => {
  const { aggregate } = waiting('capture')
  checkUnchanged(t, aggregate, 'ignored', rejected('cap_other'), unknown('cap_other'))
})

t.test('a request is ours by either reference, and has a key only where we ask', async (t) => {
  const given = { kind: 'refund', authorisationReference: first, amount: price } as const
  const one = newOperation(given, newContext())
  t.match(one, { id: 'ref_0000000000000001', origin: 'client', status: 'requested', reported: [] })
  t.equal(one.providerKey, 'ref_0000000000000001.refund.1')
  t.ok(isUnderWay(one))
  t.notOk(isSame(one, { providerReference: 'MOD', reference: 'other' }))
  t.ok(isSame(one, { providerReference: 'MOD', reference: one.id }))
  t.ok(
    isSame({ ...one, providerReference: 'MOD' }, { providerReference: 'MOD', reference: 'other' })
  )
  t.ok(
    isSame({ ...one, alsoReportedAs: ['MOD'] }, { providerReference: 'MOD', reference: 'other' })
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
      'pay_1'
    )
  const shared = {
    paymentId: 'pay_1',
    amount: price,
    status: 'requested',
    failure: null,
    origin: 'client',
    createdAt: newContext().now.toISOString()
  }
  t.strictSame(shown('capture'), { id: 'cap_0000000000000001', ...shared })
  t.strictSame(shown('cancellation', { reason: 'why' }), {
    id: 'can_0000000000000001',
    ...shared,
    reason: 'why'
  })
  t.strictSame(shown('reversal'), { id: 'rev_0000000000000001', ...shared, authorisation: first })
  t.strictSame(shown('refund', { operator: { id: 'anna' } }), {
    id: 'ref_0000000000000001',
    ...shared,
    reason: null,
    operator: { id: 'anna' },
    decision: null,
    processor: null
  })
})

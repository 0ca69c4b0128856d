import t from 'tap'
import {
  applyRecord,
  type EarlierPayment,
  findDifference,
  type RecordedOutcome
} from '../../src/checkout/recorded-payment.ts'
import {
  aggregateOf,
  apply,
  checkAggregate,
  contextOf,
  declined,
  disputed,
  gbp,
  newAggregate,
  newPayment,
  price,
  recordedElsewhere,
  standOf,
  traceOf,
  visa
} from '../lifecycle/aggregates.ts'

const another = { id: 'pay_other', clientId: 'cli_another' }

function recorded(told: RecordedOutcome, duplicate?: EarlierPayment) {
  const aggregate = newAggregate(recordedElsewhere)
  applyRecord(aggregate, told, duplicate, contextOf(aggregate))
  return aggregate
}

t.test('a payment that was captured elsewhere is posted, and owed by its processor', async (t) => {
  const aggregate = recorded({ outcome: 'captured', card: visa })
  t.match(aggregate.payment, { card: visa, authorisationReference: null, failure: null })
  t.match(standOf(aggregate), { status: 'captured', amountCaptured: 2500, account: 2500 })
  t.same(traceOf(aggregate), {
    status: 'captured',
    events: ['payment.captured'],
    postings: [`recordedPayment ${aggregate.payment.id} 2500`],
    discrepancies: []
  })
  checkAggregate(t, aggregate)
})

t.test('a payment that was refused elsewhere is refused, and moves nothing', async (t) => {
  const aggregate = recorded({ outcome: 'refused', card: null, failure: declined }, another)
  t.match(aggregate.payment, { status: 'refused', failure: declined, card: null })
  t.same(traceOf(aggregate), {
    status: 'refused',
    events: ['payment.refused'],
    postings: [],
    discrepancies: []
  })
  checkAggregate(t, aggregate)
})

t.test('one that looks like another is recorded all the same, with a discrepancy', async (t) => {
  const aggregate = recorded({ outcome: 'captured', card: null }, another)
  t.equal(aggregate.payment.status, 'captured')
  t.match(aggregate.discrepancies, [
    {
      kind: 'possible_duplicate',
      fact: aggregate.payment.id,
      details: { paymentId: aggregate.payment.id, duplicateOf: 'pay_other' }
    }
  ])
  checkAggregate(t, aggregate)
})

t.test('the event of it names the other one only to its own client', async (t) => {
  const paymentId = newPayment().id
  for (const [clientId, details] of [
    [newPayment().clientId, { paymentId, duplicateOf: 'pay_other' }],
    ['cli_another', { paymentId }]
  ] as const) {
    const aggregate = recorded({ outcome: 'captured', card: null }, { id: 'pay_other', clientId })
    const [discrepancy] = aggregate.discrepancies
    t.match(discrepancy, { details: { duplicateOf: 'pay_other' } })
    const { id, kind } = discrepancy ?? {}
    t.same(aggregate.events.at(-1)?.data, { discrepancy: { id, kind, details } })
  }
})

t.test('what differs from what was recorded is named, with both values', async (t) => {
  const known = newPayment({ ...recordedElsewhere, status: 'captured' })
  const sent = { accountId: known.accountId, amount: price, outcome: 'captured' as const }
  t.equal(findDifference(known, sent), undefined)
  t.same(findDifference(known, { ...sent, amount: gbp(2499) }), {
    'amount.value': { recorded: 2500, sent: 2499 }
  })
  t.same(findDifference(known, { ...sent, amount: { currency: 'EUR', value: 2500 } }), {
    'amount.currency': { recorded: 'GBP', sent: 'EUR' }
  })
  t.same(findDifference(known, { ...sent, accountId: 1, outcome: 'refused' }), {
    accountId: { recorded: '12345678', sent: '1' },
    outcome: { recorded: 'captured', sent: 'refused' }
  })
})

t.test('what has become of it since is no difference', async (t) => {
  const aggregate = aggregateOf('captured', recordedElsewhere)
  apply(aggregate, disputed('chargedBack'))
  const { accountId, amount } = aggregate.payment
  t.equal(findDifference(aggregate.payment, { accountId, amount, outcome: 'captured' }), undefined)
  const refused = newPayment({ ...recordedElsewhere, status: 'refused' })
  t.equal(findDifference(refused, { accountId, amount, outcome: 'refused' }), undefined)
})

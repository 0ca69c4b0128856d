/** What a client may ask to have refunded, and who approves it. */
import t from 'tap'
import type { Operation, PaymentAggregate } from '../../src/lifecycle/model.ts'
import { approveRefund, rejectRefund } from '../../src/lifecycle/refunds.ts'
import { amountRefundable, type Payment } from '../../src/payments/payment.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import {
  aggregateOf,
  byHand,
  captureFailedOf,
  checkAggregate,
  contextOf,
  disputed,
  first,
  gbp,
  only,
  ours,
  recordedElsewhere,
  refunded,
  refundRefused,
  standOf,
  traceOf
} from './aggregates.ts'
import {
  after,
  anna,
  applyAll,
  askRefund,
  bert,
  checkRefusals,
  problemOf,
  processor,
  type Refusal,
  tooFine,
  wholeUnits
} from './requests.ts'

const refunds: Refusal[] = [
  ...(['pending', 'authorised', 'refused', 'cancelled', 'expired', 'failed'] as const).map(
    (status) => ({
      name: `of a payment that is ${status}`,
      aggregate: () => aggregateOf(status),
      ask: (aggregate: PaymentAggregate) => askRefund(aggregate, 1),
      code: 'payment_not_refundable' as const
    })
  ),
  {
    name: 'of more than was captured',
    aggregate: () => aggregateOf('captured'),
    ask: (aggregate) => askRefund(aggregate, 2501),
    code: 'refund_exceeds_captured',
    pointers: ['/amount/value']
  },
  {
    name: 'of more than another one has left',
    aggregate: () => after(aggregateOf('captured'), (aggregate) => askRefund(aggregate, 2000)),
    ask: (aggregate) => askRefund(aggregate, 501),
    code: 'refund_exceeds_captured'
  },
  {
    name: 'where less can be refunded than was last seen',
    aggregate: () => after(aggregateOf('captured'), (aggregate) => askRefund(aggregate, 1000)),
    ask: (aggregate) => askRefund(aggregate, 100, { amountRefundable: 2500 }),
    code: 'precondition_failed'
  },
  {
    name: 'while a dispute is open',
    aggregate: () =>
      after(aggregateOf('captured'), (aggregate) => applyAll(aggregate, disputed('notified'))),
    ask: (aggregate) => askRefund(aggregate, 1),
    code: 'payment_disputed'
  },
  {
    name: 'in another currency',
    aggregate: () => aggregateOf('captured'),
    ask: (aggregate) => askRefund(aggregate, 1, { amount: { currency: 'EUR', value: 1 } }),
    code: 'currency_mismatch',
    pointers: ['/amount/currency']
  },
  {
    name: 'above the limit, without saying who asks',
    aggregate: () => aggregateOf('captured'),
    ask: (aggregate) => askRefund(aggregate, 1001, {}, 1000),
    code: 'request_invalid',
    pointers: ['/operator']
  },
  {
    name: 'by a processor, of a payment that Adyen took',
    aggregate: () => aggregateOf('captured'),
    ask: (aggregate) => askRefund(aggregate, 1, { processor }),
    code: 'request_invalid',
    pointers: ['/processor']
  },
  {
    name: 'with every fault of a field at once',
    aggregate: () => aggregateOf('captured'),
    ask: (aggregate) => askRefund(aggregate, 1001, { processor }, 1000),
    code: 'request_invalid',
    pointers: ['/processor', '/operator']
  },
  {
    name: 'of a recorded payment, by nobody',
    aggregate: () => aggregateOf('captured', recordedElsewhere),
    ask: (aggregate) => askRefund(aggregate, 1),
    code: 'request_invalid',
    pointers: ['/processor']
  },
  ...tooFine.map(({ name, amount, canExpress }) => ({
    name,
    aggregate: () =>
      aggregateOf('captured', { amount: { ...amount, value: 10_000 }, amountCaptured: 10_000 }),
    ask: (aggregate: PaymentAggregate) => askRefund(aggregate, 1, { amount, canExpress }),
    code: 'amount_not_representable' as const,
    pointers: ['/amount/value']
  }))
]

checkRefusals(t, 'a refund', refunds)

t.test('what the provider can not express may be given back by another processor', async (t) => {
  const amount = { currency: 'IDR', value: 150 }
  const aggregate = aggregateOf('captured', {
    ...recordedElsewhere,
    amount: { ...amount, value: 10_000 },
    amountCaptured: 10_000
  })
  t.match(askRefund(aggregate, 1, { amount, processor, canExpress: wholeUnits }), {
    status: 'succeeded',
    amount
  })
})

t.test('what can be refunded', async (t) => {
  const amounts: Array<[Partial<Payment>, number]> = [
    [{}, 0],
    [{ amountCaptured: 2500 }, 2500],
    [{ amountCaptured: 2500, amountRefunded: 1000 }, 1500],
    [{ amountCaptured: 2500, amountRefunding: 1000 }, 1500],
    [{ amountCaptured: 2500, amountChargedBack: 1000 }, 1500],
    [{ amountCaptured: 2500, amountRefunded: 500, amountRefunding: 700 }, 1300],
    [
      { amountCaptured: 2500, amountRefunded: 500, amountRefunding: 700, amountChargedBack: 1300 },
      0
    ],
    [{ amountCaptured: 2500, amountRefunded: 2500, amountChargedBack: 2500 }, 0],
    [{ amountCaptured: 1000, amountRefunding: 300 }, 700]
  ]
  for (const [changes, refundable] of amounts) {
    const { payment } = aggregateOf('captured', { amountCaptured: 0, ...changes })
    t.equal(amountRefundable(payment), refundable, JSON.stringify(changes))
  }

  t.test('follows what becomes of every refund and chargeback', async (t) => {
    const aggregate = aggregateOf('captured')
    const leaves = (refundable: number, what: string) => {
      t.equal(amountRefundable(aggregate.payment), refundable, what)
      t.equal(
        problemOf(() => askRefund(structuredClone(aggregate), refundable + 1)).code,
        aggregate.disputes.some(({ status }) => status === 'open')
          ? 'payment_disputed'
          : 'refund_exceeds_captured'
      )
      checkAggregate(t, aggregate)
    }
    const waiting = askRefund(aggregate, 1000, { operator: anna }, 999)
    leaves(1500, 'one waits for approval')
    const requested = askRefund(aggregate, 500)
    leaves(1000, 'one is requested')
    applyAll(aggregate, refunded(first, gbp(500), ours(requested)))
    leaves(1000, 'it succeeded')
    approveRefund(aggregate, waiting, bert, contextOf(aggregate))
    leaves(1000, 'the other is approved')
    applyAll(aggregate, refundRefused(ours(waiting)))
    leaves(2000, 'it was refused')
    const another = askRefund(aggregate, 700, { operator: anna }, 1)
    leaves(1300, 'one waits for approval')
    rejectRefund(aggregate, another, bert, contextOf(aggregate))
    leaves(2000, 'it is rejected')
    applyAll(aggregate, refunded(first, gbp(300), byHand))
    leaves(1700, 'one in the Customer Area')
    applyAll(aggregate, disputed('chargedBack', { amount: gbp(800) }))
    leaves(900, 'charged back')
    applyAll(aggregate, disputed('reversed', { amount: gbp(800) }), disputed('issuerTimeEnded'))
    leaves(1700, 'the chargeback was reversed')
    t.match(askRefund(aggregate, 1700, { amountRefundable: 1700 }), { status: 'requested' })
  })
})

t.test('a refund is reserved, and asked of the provider', async (t) => {
  const aggregate = aggregateOf('captured')
  t.match(
    askRefund(aggregate, 1000, { reason: 'Wrong tariff', operator: anna, amountRefundable: 2500 }),
    {
      id: /^ref_/,
      authorisationReference: first,
      status: 'requested',
      origin: 'client',
      reason: 'Wrong tariff',
      operator: anna,
      providerKey: /^ref_\w+\.refund\.1$/
    }
  )
  t.match(standOf(aggregate), { amountRefunded: 0, amountRefunding: 1000, account: 0 })
  t.strictSame(traceOf(aggregate).events, ['refund.requested'])
  checkAggregate(t, aggregate)
})

t.test('a refund above the limit waits for another operator', async (t) => {
  const waiting = () => {
    const aggregate = aggregateOf('captured')
    return { aggregate, one: askRefund(aggregate, 1001, { operator: anna }, 1000) }
  }

  t.test('at the limit it does not', async (t) => {
    t.match(askRefund(aggregateOf('captured'), 1000, {}, 1000), { status: 'requested' })
    t.match(
      askRefund(aggregateOf('captured'), 2500),
      { status: 'requested' },
      'nor without a limit'
    )
    t.match(askRefund(aggregateOf('captured'), 1, { operator: anna }, 0), {
      status: 'awaitingApproval'
    })
  })

  t.test('meanwhile it reserves, and nothing is asked', async (t) => {
    const { aggregate, one } = waiting()
    t.match(one, { status: 'awaitingApproval', decision: null, providerReference: null })
    t.match(standOf(aggregate), { amountRefunding: 1001 })
    t.strictSame(traceOf(aggregate).events, ['refund.awaitingApproval'])
    checkAggregate(t, aggregate)
  })

  t.test('approved, it is requested: two events', async (t) => {
    const { aggregate, one } = waiting()
    approveRefund(aggregate, one, bert, contextOf(aggregate))
    const at = contextOf(aggregate).now.toISOString()
    t.match(one, { status: 'requested', decision: { operator: bert, at } })
    t.strictSame(traceOf(aggregate).events.slice(1), ['refund.approved', 'refund.requested'])
    t.match(standOf(aggregate), { amountRefunding: 1001 })
    applyAll(aggregate, refunded(first, gbp(1001), ours(one)))
    t.match(standOf(aggregate), { amountRefunding: 0, amountRefunded: 1001, account: -1001 })
    checkAggregate(t, aggregate)
  })

  t.test('rejected, it reserves no more', async (t) => {
    const { aggregate, one } = waiting()
    rejectRefund(aggregate, one, { id: 'bert', reason: 'No receipt' }, contextOf(aggregate))
    t.match(one, { status: 'rejected', decision: { operator: { reason: 'No receipt' } } })
    t.strictSame(traceOf(aggregate).events.slice(1), ['refund.rejected'])
    t.match(standOf(aggregate), { amountRefunding: 0, amountRefunded: 0 })
    checkAggregate(t, aggregate)
  })

  t.test('A15: whoever asked does not decide, however the name is written', async (t) => {
    const unseen = ['anna\u200b', 'an\u00adna', '\u2066anna', 'an\ufe0fna', 'anna\u3164']
    for (const id of ['anna', 'ANNA', ' Anna ', 'anna\t', 'ａｎｎａ', '𝐀nna', ...unseen]) {
      for (const decide of [approveRefund, rejectRefund]) {
        const { aggregate, one } = waiting()
        const problem = problemOf(() => decide(aggregate, one, { id }, contextOf(aggregate)))
        t.match(problem, { code: 'approver_is_requester', errors: [{ pointer: '/operator/id' }] })
        t.match(one, { status: 'awaitingApproval', decision: null })
        t.match(standOf(aggregate), { amountRefunding: 1001 })
      }
    }
  })

  t.test('it is decided once', async (t) => {
    for (const decide of [approveRefund, rejectRefund]) {
      for (const again of [approveRefund, rejectRefund]) {
        const { aggregate, one } = waiting()
        decide(aggregate, one, bert, contextOf(aggregate))
        const before = structuredClone(aggregate)
        const problem = problemOf(() => again(aggregate, one, { id: 'carl' }, contextOf(aggregate)))
        t.equal(problem.code, 'refund_not_awaiting_approval')
        t.strictSame(aggregate, before)
      }
    }
  })

  t.test('what has changed since is checked when it is approved', async (t) => {
    const changes: Array<[string, ProviderEvent[], string | undefined]> = [
      ['nothing', [], undefined],
      ['a refund that leaves enough', [refunded(first, gbp(1499), byHand)], undefined],
      ['a refund that does not', [refunded(first, gbp(1500), byHand)], 'refund_exceeds_captured'],
      ['a dispute', [disputed('notified')], 'payment_disputed'],
      ['a question', [disputed('informationRequested')], undefined],
      [
        'a chargeback that is over',
        [disputed('chargedBack'), disputed('defencePeriodEnded')],
        'refund_exceeds_captured'
      ],
      ['a capture that failed', [captureFailedOf(first)], 'refund_exceeds_captured']
    ]
    for (const [name, events, code] of changes) {
      const { aggregate, one } = waiting()
      applyAll(aggregate, ...events)
      const approve = () => approveRefund(aggregate, one, bert, contextOf(aggregate))
      if (code === undefined) {
        approve()
        t.match(one, { status: 'requested' }, name)
        checkAggregate(t, aggregate)
      } else {
        const before = structuredClone(aggregate)
        t.equal(problemOf(approve).code, code, name)
        t.strictSame(aggregate, before, `${name}: nothing is changed`)
        rejectRefund(aggregate, one, bert, contextOf(aggregate))
        t.match(standOf(aggregate), { amountRefunding: 0 }, 'it may still be rejected')
      }
    }
  })
})

t.test('the refund of a recorded payment was made already', async (t) => {
  const aggregate = aggregateOf('captured', { ...recordedElsewhere, authorisationReference: null })
  const one = askRefund(aggregate, 1000, { processor })
  t.match(one, {
    status: 'succeeded',
    processor,
    authorisationReference: null,
    providerKey: null,
    origin: 'client'
  } satisfies Partial<Operation>)
  t.match(standOf(aggregate), { amountRefunded: 1000, amountRefunding: 0, account: -1000 })
  t.strictSame(traceOf(aggregate).postings, [`recordedRefund ${only(aggregate, 'refund').id} 1000`])
  t.strictSame(traceOf(aggregate).events, ['refund.succeeded'])
  t.equal(
    problemOf(() => askRefund(aggregate, 1501, { processor })).code,
    'refund_exceeds_captured'
  )
  t.match(
    askRefund(aggregate, 1500, { processor }, 1),
    { status: 'succeeded' },
    'no approval is needed'
  )
  checkAggregate(t, aggregate)
})

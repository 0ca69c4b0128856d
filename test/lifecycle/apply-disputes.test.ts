import t from 'tap'
import { blocksRefunds, meanings } from '../../src/lifecycle/disputes.ts'
import type { PaymentAggregate } from '../../src/lifecycle/model.ts'
import { requestRefund } from '../../src/lifecycle/refunds.ts'
import { type DisputeEvent, disputeEvents, type ProviderEvent } from '../../src/provider.ts'
import {
  aggregateOf,
  apply,
  applyPatiently,
  byHand,
  captured,
  captureFailedOf,
  checkAggregate,
  contextOf,
  disputed,
  first,
  gbp,
  newAggregate,
  ordersOf,
  paidBy,
  refunded,
  standOf,
  traceOf
} from './aggregates.ts'

function dispute(aggregate: PaymentAggregate) {
  const [only, ...more] = aggregate.disputes
  if (only === undefined || more.length > 0) throw new Error(`${more.length + 1} disputes`)
  return only
}

function refund(aggregate: PaymentAggregate, value: number) {
  const asked = { amount: gbp(value), reason: null, operator: null, processor: null }
  return requestRefund(aggregate, { ...asked, amountRefundable: null }, null, contextOf(aggregate))
}

/** Plausible courses of a dispute, in their order, and where each ends. */
const courses: ReadonlyArray<{
  news: DisputeEvent[]
  status: 'open' | 'won' | 'lost'
  stage: string
  chargedBack: number
}> = [
  { news: ['informationRequested'], status: 'open', stage: 'informationRequest', chargedBack: 0 },
  {
    news: ['informationRequested', 'defended'],
    status: 'open',
    stage: 'informationRequest',
    chargedBack: 0
  },
  { news: ['notified'], status: 'open', stage: 'notification', chargedBack: 0 },
  { news: ['chargedBack'], status: 'open', stage: 'chargeback', chargedBack: 2500 },
  {
    news: ['notified', 'defencePeriodEnded'],
    status: 'lost',
    stage: 'notification',
    chargedBack: 0
  },
  {
    news: ['notified', 'chargedBack', 'defencePeriodEnded'],
    status: 'lost',
    stage: 'chargeback',
    chargedBack: 2500
  },
  {
    news: ['notified', 'chargedBack', 'defended', 'reversed'],
    status: 'open',
    stage: 'chargebackReversed',
    chargedBack: 0
  },
  {
    news: ['informationRequested', 'notified', 'chargedBack', 'defended', 'issuerCommented'],
    status: 'open',
    stage: 'chargeback',
    chargedBack: 2500
  },
  {
    news: ['notified', 'chargedBack', 'defended', 'reversed', 'issuerTimeEnded'],
    status: 'won',
    stage: 'chargebackReversed',
    chargedBack: 0
  },
  {
    news: ['notified', 'chargedBack', 'reversed', 'chargedBackAgain'],
    status: 'lost',
    stage: 'secondChargeback',
    chargedBack: 2500
  },
  {
    news: ['chargedBack', 'reversed', 'chargedBackAgain', 'issuerTimeEnded'],
    status: 'lost',
    stage: 'secondChargeback',
    chargedBack: 2500
  },
  {
    news: ['chargedBack', 'reversed', 'preArbitrationOpened', 'preArbitrationAccepted'],
    status: 'lost',
    stage: 'preArbitration',
    chargedBack: 0
  },
  {
    news: ['chargedBack', 'reversed', 'preArbitrationOpened', 'preArbitrationWithdrawn'],
    status: 'won',
    stage: 'preArbitration',
    chargedBack: 0
  },
  {
    news: ['chargedBack', 'preArbitrationOpened', 'preArbitrationWon'],
    status: 'won',
    stage: 'preArbitration',
    chargedBack: 2500
  },
  {
    news: ['chargedBack', 'preArbitrationOpened', 'preArbitrationLost'],
    status: 'lost',
    stage: 'preArbitration',
    chargedBack: 2500
  },
  {
    news: ['chargedBack', 'preArbitrationDeclined', 'arbitrationOpened', 'arbitrationWon'],
    status: 'won',
    stage: 'arbitration',
    chargedBack: 2500
  },
  {
    news: ['chargedBack', 'preArbitrationDeclined', 'arbitrationOpened', 'arbitrationLost'],
    status: 'lost',
    stage: 'arbitration',
    chargedBack: 2500
  }
]

for (const { news, status, stage, chargedBack } of courses) {
  const name = news.join(', ')
  t.test(`${name}, in any order: ${status}, ${chargedBack} charged back`, async (t) => {
    for (const order of ordersOf(news)) {
      const aggregate = aggregateOf('captured')
      const events = order.map((one) => disputed(one))
      t.same(applyPatiently(aggregate, ...events), [], `${order}: nothing waits for ever`)
      t.match(
        dispute(aggregate),
        { status, stage, amountChargedBack: chargedBack, amount: gbp(2500) },
        `${order}`
      )
      t.same([...dispute(aggregate).reported].sort(), [...news].sort())
      t.match(standOf(aggregate), {
        status: 'captured',
        amountCaptured: 2500,
        amountChargedBack: chargedBack,
        account: -chargedBack
      })
      const after = structuredClone(aggregate)
      t.same(
        apply(aggregate, ...events),
        events.map(() => 'applied')
      )
      t.same(aggregate, after, `${order}: told again, it changes nothing`)
      checkAggregate(t, aggregate)
    }
  })
}

t.test('every news of the provider is in some course', async (t) => {
  const seen = new Set(courses.flatMap(({ news }) => news))
  t.same(
    [...disputeEvents].filter((one) => !seen.has(one)),
    []
  )
  t.same(Object.keys(meanings).sort(), [...disputeEvents].sort())
})

t.test('a dispute says in events what becomes of it', async (t) => {
  const aggregate = aggregateOf('captured')
  apply(
    aggregate,
    disputed('notified', { reason: 'Fraud', reasonCode: '10.4', defendBy: new Date(1e12) }),
    disputed('chargedBack'),
    disputed('reversed'),
    disputed('chargedBackAgain'),
    disputed('issuerTimeEnded')
  )
  t.same(traceOf(aggregate).events, [
    'dispute.opened',
    'dispute.updated',
    'dispute.updated',
    'dispute.closed',
    'dispute.updated'
  ])
  const { id } = dispute(aggregate)
  t.same(traceOf(aggregate).postings, [
    `chargeback ${id}.chargedBack 2500`,
    `chargebackReversed ${id}.reversed 2500`,
    `chargeback ${id}.chargedBackAgain 2500`
  ])
  t.match(aggregate.events, [
    {
      data: {
        dispute: {
          id,
          paymentId: aggregate.payment.id,
          status: 'open',
          stage: 'notification',
          reason: 'Fraud',
          reasonCode: '10.4',
          defendBy: '2001-09-09T01:46:40.000Z',
          provider: { reference: 'DISPUTE1' },
          closedAt: null
        }
      }
    },
    { data: { dispute: { stage: 'chargeback', amountChargedBack: 2500, reason: 'Fraud' } } },
    { data: { dispute: { amountChargedBack: 0 } }, payment: { amountChargedBack: 0 } },
    { data: { dispute: { status: 'lost', closedAt: contextOf(aggregate).now.toISOString() } } },
    { data: { dispute: { status: 'lost' } } }
  ])
})

t.test('refunds are blocked from the notification of a chargeback until it closes', async (t) => {
  const turns: Array<[DisputeEvent, 'blocked' | 'free' | 'nothing left']> = [
    ['informationRequested', 'free'],
    ['notified', 'blocked'],
    ['chargedBack', 'blocked'],
    ['defended', 'blocked'],
    ['reversed', 'blocked'],
    ['issuerTimeEnded', 'free'],
    ['chargedBackAgain', 'nothing left']
  ]
  const aggregate = aggregateOf('captured')
  for (const [news, expected] of turns) {
    apply(aggregate, disputed(news))
    const copy = structuredClone(aggregate)
    const code = {
      blocked: 'payment_disputed',
      'nothing left': 'refund_exceeds_captured',
      free: ''
    }
    if (expected === 'free') t.match(refund(copy, 1000), { status: 'requested' }, news)
    else t.throws(() => refund(copy, 1000), { code: code[expected] }, news)
    t.equal(aggregate.disputes.some(blocksRefunds), expected === 'blocked')
  }
})

t.test('one dispute that is open blocks, whatever became of another', async (t) => {
  const aggregate = aggregateOf('captured')
  apply(aggregate, disputed('notified'), disputed('defencePeriodEnded'))
  t.match(refund(structuredClone(aggregate), 1000), { status: 'requested' })
  apply(aggregate, disputed('notified', { dispute: 'DISPUTE2' }))
  t.throws(() => refund(aggregate, 1000), { code: 'payment_disputed' })
  t.equal(aggregate.disputes.length, 2)
})

t.test('a chargeback of more than is left is booked, and a discrepancy', async (t) => {
  const whole: Array<[string, ProviderEvent[], number]> = [
    ['after a refund', [refunded(first, gbp(1000), byHand)], 1],
    ['of what is left', [], 0],
    ['after another chargeback', [disputed('chargedBack', { dispute: 'OTHER' })], 1]
  ]
  for (const [name, before, count] of whole) {
    const aggregate = aggregateOf('captured')
    apply(aggregate, ...before)
    const stood = standOf(aggregate).account
    t.same(apply(aggregate, disputed('notified'), disputed('chargedBack')), ['applied', 'applied'])
    t.equal(standOf(aggregate).account, stood - 2500, name)
    const found = aggregate.discrepancies.map(({ kind, details }) => ({ kind, details }))
    const { id } = aggregate.disputes.at(-1) as { id: string }
    t.match(
      found,
      Array.from({ length: count }, () => ({
        kind: 'refund_and_chargeback',
        details: { disputeId: id, amount: gbp(2500), captured: 2500 }
      })),
      name
    )
    t.equal(found.length, count, name)
    checkAggregate(t, aggregate)
  }
  const aggregate = aggregateOf('captured')
  refund(aggregate, 1000)
  apply(aggregate, disputed('chargedBack'))
  t.equal(aggregate.discrepancies.length, 1, 'a refund under way is on its way')
})

t.test('the first news of a dispute shows what it has taken', async (t) => {
  const aggregate = aggregateOf('captured')
  apply(aggregate, disputed('chargedBack'))
  t.match(aggregate.events, [
    {
      type: 'dispute.opened',
      data: { dispute: { amountChargedBack: 2500 } },
      payment: { amountChargedBack: 2500 }
    }
  ])
  t.equal(aggregate.events.length, 1)
})

t.test('a part is charged back, or given back: only that', async (t) => {
  const aggregate = aggregateOf('captured')
  apply(aggregate, disputed('chargedBack', { amount: gbp(1000) }))
  t.match(standOf(aggregate), { amountChargedBack: 1000, account: -1000 })
  apply(aggregate, disputed('reversed', { amount: gbp(400) }))
  t.match(standOf(aggregate), { amountChargedBack: 600, account: -600 })
  apply(aggregate, disputed('chargedBackAgain', { amount: gbp(400) }))
  t.match(standOf(aggregate), { amountChargedBack: 1000, account: -1000 })
  t.match(dispute(aggregate), { amountChargedBack: 1000, amount: gbp(1000) })
  checkAggregate(t, aggregate)
})

t.test('no more is given back than was taken', async (t) => {
  const aggregate = aggregateOf('captured')
  apply(aggregate, disputed('chargedBack', { amount: gbp(1000) }), disputed('reversed'))
  t.match(standOf(aggregate), { amountChargedBack: 0, account: 0 })
  checkAggregate(t, aggregate)
})

t.test('a chargeback of no money moves no books', async (t) => {
  const aggregate = aggregateOf('captured')
  t.same(apply(aggregate, disputed('chargedBack', { amount: gbp(0) })), ['applied'])
  t.same(apply(aggregate, disputed('reversed', { amount: gbp(0) })), ['applied'])
  t.same(aggregate.postings, [])
  checkAggregate(t, aggregate)
})

t.test('money of another currency is for a person', async (t) => {
  const euro = { amount: { currency: 'EUR', value: 2500 } }
  const aggregate = aggregateOf('captured')
  t.same(apply(aggregate, disputed('chargedBack', euro)), ['contradictory'])
  apply(aggregate, disputed('chargedBack'))
  const before = structuredClone(aggregate)
  t.same(apply(aggregate, disputed('reversed', euro)), ['contradictory'])
  t.same(aggregate, before)
})

t.test('a chargeback told before its capture is early, and then applied', async (t) => {
  const told = [paidBy(first), captured(first, gbp(2500), byHand), disputed('chargedBack')]
  for (const order of ordersOf([0, 1, 2])) {
    const aggregate = newAggregate({ capture: 'manual' })
    t.same(applyPatiently(aggregate, ...order.map((place) => told[place] as ProviderEvent)), [])
    t.match(standOf(aggregate), { amountCaptured: 2500, amountChargedBack: 2500, account: 0 })
    checkAggregate(t, aggregate)
  }
})

t.test('what a capture that failed took is charged back no more', async (t) => {
  const aggregate = aggregateOf('captured')
  apply(aggregate, captureFailedOf(first))
  t.same(apply(aggregate, disputed('chargedBack')), ['deferred'])
})

t.test('news under another reference', async (t) => {
  t.test('that can not be the first belong to the last dispute', async (t) => {
    const aggregate = aggregateOf('captured')
    apply(aggregate, disputed('notified'), disputed('chargedBack'))
    t.same(apply(aggregate, disputed('reversed', { dispute: first })), ['applied'])
    t.match(dispute(aggregate), { reference: 'DISPUTE1', amountChargedBack: 0 })
    const after = structuredClone(aggregate)
    t.same(apply(aggregate, disputed('reversed', { dispute: first })), ['applied'])
    t.same(aggregate, after)
    apply(aggregate, disputed('chargedBackAgain', { dispute: first }))
    t.match(dispute(aggregate), { status: 'lost', amountChargedBack: 2500 })
    checkAggregate(t, aggregate)
  })

  t.test('of a chargeback belong to its announcement, however often it is told', async (t) => {
    for (const reference of ['DISPUTE1B', first]) {
      const aggregate = aggregateOf('captured')
      const told = disputed('chargedBack', { dispute: reference })
      apply(aggregate, disputed('notified'), told)
      t.match(dispute(aggregate), { status: 'open', stage: 'chargeback', amountChargedBack: 2500 })
      const after = structuredClone(aggregate)
      t.same(apply(aggregate, told), ['applied'])
      t.same(aggregate, after, reference)
      apply(aggregate, disputed('reversed', { dispute: reference }))
      t.match(dispute(aggregate), { amountChargedBack: 0 })
      checkAggregate(t, aggregate)
    }
  })

  t.test('of two disputes at once are each booked once, in whatever order', async (t) => {
    const of = (news: DisputeEvent, dispute: string, value: number) =>
      disputed(news, { dispute, amount: gbp(value) })
    const told = [
      of('notified', 'DISPUTE1', 1000),
      of('chargedBack', 'DISPUTE1', 1000),
      of('notified', 'DISPUTE2', 400),
      of('chargedBack', 'DISPUTE2', 400)
    ]
    for (const order of ordersOf(told)) {
      const aggregate = aggregateOf('captured')
      apply(aggregate, ...order.flatMap((one) => [one, one]))
      const label = order.map((one) => JSON.stringify(one)).join()
      t.match(standOf(aggregate), { amountChargedBack: 1400, account: -1400 }, label)
      apply(aggregate, of('reversed', 'DISPUTE2', 400))
      t.match(standOf(aggregate), { amountChargedBack: 1000, account: -1000 }, label)
      checkAggregate(t, aggregate)
    }
  })

  t.test('belong to the one that has heard what they follow', async (t) => {
    const aggregate = aggregateOf('captured')
    apply(aggregate, disputed('chargedBack'), disputed('notified', { dispute: 'DISPUTE2' }))
    t.same(apply(aggregate, disputed('reversed', { dispute: first })), ['applied'])
    t.match(aggregate.disputes, [
      { reference: 'DISPUTE1', amountChargedBack: 0, stage: 'chargebackReversed' },
      { reference: 'DISPUTE2', stage: 'notification' }
    ])
  })
})

t.test('an announcement that is told again is no other dispute', async (t) => {
  const aggregate = aggregateOf('captured')
  const [announced, taken] = [{ dispute: 'ANNOUNCED' }, { dispute: 'TAKEN' }]
  apply(aggregate, disputed('notified', announced), disputed('chargedBack', taken))
  apply(aggregate, disputed('notified', announced), disputed('notified', taken))
  t.match(dispute(aggregate), { reference: 'TAKEN', alsoReportedAs: ['ANNOUNCED'] })
  apply(aggregate, disputed('reversed', announced), disputed('issuerTimeEnded', taken))
  t.match(refund(aggregate, 1000), { status: 'requested' }, 'it was won, and none is open')
})

t.test('money that is not the customer’s is charged back from nobody', async (t) => {
  const aggregate = aggregateOf('captured')
  apply(aggregate, paidBy('SECOND'))
  const before = structuredClone(aggregate)
  for (const news of disputeEvents) {
    const event = disputed(news, { dispute: 'OF SECOND', authorisationReference: 'SECOND' })
    t.same(apply(aggregate, event), ['contradictory'], news)
  }
  t.same(aggregate, before)
  t.same(apply(aggregate, disputed('chargedBack', { authorisationReference: first })), ['applied'])
  t.equal(standOf(aggregate).account, -2500)
})

t.test('two disputes are two: each has its own money', async (t) => {
  const aggregate = aggregateOf('captured')
  const one = { amount: gbp(1000) }
  const other = { amount: gbp(1500), dispute: 'DISPUTE2' }
  apply(
    aggregate,
    ...(['notified', 'chargedBack'] as const).flatMap((news) => [
      disputed(news, one),
      disputed(news, other)
    ]),
    disputed('reversed', other)
  )
  t.match(aggregate.disputes, [{ amountChargedBack: 1000 }, { amountChargedBack: 0 }])
  t.match(standOf(aggregate), { amountChargedBack: 1000, account: -1000 })
  t.same(aggregate.discrepancies, [])
  checkAggregate(t, aggregate)
})

/** Disputes: where their events leave them, what they move, and what they block. */
import t from 'tap'
import { blocksRefunds, meanings } from '../../src/lifecycle/disputes.ts'
import type { PaymentAggregate } from '../../src/lifecycle/model.ts'
import { type DisputeEvent, disputeEvents, type ProviderEvent } from '../../src/provider.ts'
import {
  aggregateOf,
  apply,
  applyTwice,
  byHand,
  captured,
  captureFailedOf,
  checkAggregate,
  checkUnchanged,
  contextOf,
  disputed,
  first,
  gbp,
  ordersOf,
  ours,
  paidBy,
  refunded,
  standOf,
  traceOf
} from './aggregates.ts'
import { askRefund, problemOf } from './requests.ts'

function dispute(aggregate: PaymentAggregate) {
  const [only, ...more] = aggregate.disputes
  if (only === undefined || more.length > 0) throw new Error(`${more.length + 1} disputes`)
  return only
}

const courses: ReadonlyArray<{
  /** As they happen. */
  events: DisputeEvent[]
  status: 'open' | 'won' | 'lost'
  stage: string
  chargedBack?: true
}> = [
  { events: ['informationRequested'], status: 'open', stage: 'informationRequest' },
  { events: ['informationRequested', 'defended'], status: 'open', stage: 'informationRequest' },
  { events: ['notified'], status: 'open', stage: 'notification' },
  { events: ['openedWithChargeback'], status: 'open', stage: 'chargeback' },
  {
    events: ['openedWithChargeback', 'chargedBack', 'defended', 'reversed'],
    status: 'open',
    stage: 'chargebackReversed'
  },
  { events: ['chargedBack'], status: 'open', stage: 'chargeback', chargedBack: true },
  { events: ['notified', 'defencePeriodEnded'], status: 'lost', stage: 'notification' },
  {
    events: ['notified', 'chargedBack', 'defencePeriodEnded'],
    status: 'lost',
    stage: 'chargeback',
    chargedBack: true
  },
  {
    events: ['informationRequested', 'notified', 'chargedBack', 'defended', 'issuerCommented'],
    status: 'open',
    stage: 'chargeback',
    chargedBack: true
  },
  {
    events: ['notified', 'chargedBack', 'defended', 'reversed', 'issuerTimeEnded'],
    status: 'won',
    stage: 'chargebackReversed'
  },
  {
    events: ['chargedBack', 'reversed', 'chargedBackAgain', 'issuerTimeEnded'],
    status: 'lost',
    stage: 'secondChargeback',
    chargedBack: true
  },
  {
    events: ['chargedBack', 'reversed', 'preArbitrationOpened', 'preArbitrationAccepted'],
    status: 'lost',
    stage: 'preArbitration'
  },
  {
    events: ['chargedBack', 'reversed', 'preArbitrationOpened', 'preArbitrationWithdrawn'],
    status: 'won',
    stage: 'preArbitration'
  },
  ...(['Won', 'Lost'] as const).flatMap((end) => {
    const rest = { status: end === 'Won' ? 'won' : 'lost', chargedBack: true } as const
    return [
      {
        events: ['chargedBack', 'preArbitrationOpened', `preArbitration${end}`] as DisputeEvent[],
        stage: 'preArbitration',
        ...rest
      },
      {
        events: [
          ...(['chargedBack', 'preArbitrationDeclined', 'arbitrationOpened'] as const),
          `arbitration${end}` as const
        ],
        stage: 'arbitration',
        ...rest
      }
    ]
  })
]

/** Applies events; what is deferred is tried again once all were. Answers what stays deferred. */
function applyInTime(aggregate: PaymentAggregate, events: readonly ProviderEvent[]) {
  let waiting = events
  for (let before = -1; waiting.length > 0 && before !== waiting.length; ) {
    before = waiting.length
    waiting = waiting.filter((one) => apply(aggregate, one)[0] === 'deferred')
  }
  return waiting
}

for (const { events, status, stage, chargedBack = false } of courses) {
  const amountChargedBack = chargedBack ? 2500 : 0
  const name = `${events.join(', ')}, in any order: ${status}, ${amountChargedBack} charged back`
  t.test(name, async (t) => {
    for (const order of ordersOf(events)) {
      const aggregate = aggregateOf('captured')
      const reported = order.map((one) => disputed(one))
      t.strictSame(applyInTime(aggregate, reported), [], `${order}: nothing waits for ever`)
      t.match(
        dispute(aggregate),
        { status, stage, amountChargedBack, amount: gbp(2500) },
        `${order}`
      )
      t.strictSame([...dispute(aggregate).reported].sort(), [...events].sort())
      t.match(standOf(aggregate), {
        status: 'captured',
        amountCaptured: 2500,
        amountChargedBack,
        account: -amountChargedBack
      })
      const after = structuredClone(aggregate)
      apply(aggregate, ...reported)
      t.strictSame(aggregate, after, `${order}: all again changes nothing`)
      checkAggregate(t, aggregate)
    }
  })
}

t.test('every event of a dispute is in some course', async (t) => {
  const seen = new Set(courses.flatMap(({ events }) => events))
  t.strictSame(
    disputeEvents.filter((one) => !seen.has(one)),
    []
  )
  t.strictSame(Object.keys(meanings).sort(), [...disputeEvents].sort())
})

t.test('A18: a dispute that opens with its chargeback', async (t) => {
  const opened = disputed('openedWithChargeback', { reason: 'Fraud', reasonCode: '10.4' })

  t.test('moves nothing and blocks refunds; the chargeback itself moves its money', async (t) => {
    const aggregate = aggregateOf('captured')
    applyTwice(t, aggregate, opened)
    t.strictSame(traceOf(aggregate), {
      status: 'captured',
      events: ['dispute.opened'],
      postings: [],
      discrepancies: []
    })
    t.match(dispute(aggregate), { stage: 'chargeback', reasonCode: '10.4', amountChargedBack: 0 })
    t.equal(problemOf(() => askRefund(aggregate, 1)).code, 'payment_disputed')
    applyTwice(t, aggregate, disputed('chargedBack', { dispute: 'TAKEN' }))
    t.match(dispute(aggregate), { reference: 'TAKEN', amountChargedBack: 2500, reason: 'Fraud' })
    checkAggregate(t, aggregate)
  })

  t.test(
    'is one dispute, whichever of the two is reported first and under which reference',
    async (t) => {
      for (const reference of ['DISPUTE1', 'TAKEN']) {
        for (const order of ordersOf([opened, disputed('chargedBack', { dispute: reference })])) {
          const aggregate = aggregateOf('captured')
          applyTwice(t, aggregate, ...order)
          const label = `${reference}: ${JSON.stringify(order)}`
          t.equal(aggregate.disputes.length, 1, label)
          t.match(standOf(aggregate), { amountChargedBack: 2500, account: -2500 }, label)
          checkAggregate(t, aggregate)
        }
      }
    }
  )
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
  t.strictSame(traceOf(aggregate).events, [
    'dispute.opened',
    'dispute.updated',
    'dispute.updated',
    'dispute.closed',
    'dispute.updated'
  ])
  const { id } = dispute(aggregate)
  t.strictSame(traceOf(aggregate).postings, [
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

t.test(
  'the deadline is that of the latest stage, in whatever order stages are reported',
  async (t) => {
    const day = (number: number) => new Date(Date.UTC(2026, 2, number))
    const notified = disputed('notified', { reason: 'Fraud', defendBy: day(1) })
    const chargedBack = disputed('chargedBack', { defendBy: day(2) })
    const reopened = disputed('preArbitrationOpened', { defendBy: day(30) })
    for (const order of [
      [notified, chargedBack, reopened],
      [notified, reopened, chargedBack],
      [chargedBack, notified, reopened],
      [chargedBack, reopened, notified]
    ]) {
      const aggregate = aggregateOf('captured')
      apply(aggregate, ...order)
      t.match(dispute(aggregate), { defendBy: day(30), reason: 'Fraud' })
    }
    const aggregate = aggregateOf('captured')
    apply(aggregate, disputed('chargedBack'), notified)
    t.match(dispute(aggregate), { defendBy: day(1), reason: 'Fraud' }, 'late, and yet the only one')
  }
)

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
  for (const [event, expected] of turns) {
    apply(aggregate, disputed(event))
    const copy = structuredClone(aggregate)
    const code = {
      blocked: 'payment_disputed',
      'nothing left': 'refund_exceeds_captured',
      free: ''
    }
    if (expected === 'free') t.match(askRefund(copy, 1000), { status: 'requested' }, event)
    else t.throws(() => askRefund(copy, 1000), { code: code[expected] }, event)
    t.equal(aggregate.disputes.some(blocksRefunds), expected === 'blocked')
  }
})

t.test('one dispute that is open blocks, whatever became of another', async (t) => {
  const aggregate = aggregateOf('captured')
  apply(aggregate, disputed('notified'), disputed('defencePeriodEnded'))
  t.match(askRefund(structuredClone(aggregate), 1000), { status: 'requested' })
  apply(aggregate, disputed('notified', { dispute: 'DISPUTE2' }))
  t.throws(() => askRefund(aggregate, 1000), { code: 'payment_disputed' })
  t.equal(aggregate.disputes.length, 2)
})

t.test('a chargeback of more than is left is booked', async (t) => {
  const before: Array<[string, ProviderEvent[], string[]]> = [
    ['after a refund', [refunded(first, gbp(1000), byHand)], ['refund_and_chargeback']],
    ['where nothing is gone', [], []],
    ['after another chargeback', [disputed('chargedBack', { dispute: 'OTHER' })], []]
  ]
  for (const [name, events, found] of before) {
    const aggregate = aggregateOf('captured')
    apply(aggregate, ...events)
    const { account } = standOf(aggregate)
    applyTwice(t, aggregate, disputed('notified'), disputed('chargedBack'))
    t.equal(standOf(aggregate).account, account - 2500, name)
    t.strictSame(
      aggregate.discrepancies.map(({ kind }) => kind),
      found,
      name
    )
    checkAggregate(t, aggregate)
  }
})

t.test('a refund that is under way is a discrepancy once it went well', async (t) => {
  const aggregate = aggregateOf('captured')
  const refund = askRefund(aggregate, 1000)
  apply(aggregate, disputed('chargedBack'))
  t.strictSame(aggregate.discrepancies, [])
  apply(aggregate, refunded(first, gbp(1000), ours(refund)))
  t.match(aggregate.discrepancies, [
    { kind: 'refund_and_chargeback', fact: aggregate.payment.id, status: 'open' }
  ])
  t.strictSame(aggregate.discrepancies[0]?.details, {
    amountCaptured: 2500,
    amountRefunded: 1000,
    amountChargedBack: 2500
  })
})

t.test('the first event of a dispute shows what it has taken', async (t) => {
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

t.test('a chargeback of no money moves no ledger', async (t) => {
  const aggregate = aggregateOf('captured')
  t.strictSame(apply(aggregate, disputed('chargedBack', { amount: gbp(0) })), ['applied'])
  t.strictSame(apply(aggregate, disputed('reversed', { amount: gbp(0) })), ['applied'])
  t.strictSame(aggregate.postings, [])
  checkAggregate(t, aggregate)
})

t.test('money of another currency is for a person', async (t) => {
  const euro = { amount: { currency: 'EUR', value: 2500 } }
  const aggregate = aggregateOf('captured')
  checkUnchanged(t, aggregate, 'contradictory', disputed('chargedBack', euro))
  apply(aggregate, disputed('chargedBack'))
  checkUnchanged(t, aggregate, 'contradictory', disputed('reversed', euro))
})

t.test(
  'a chargeback is deferred until something was captured, whatever failed later',
  async (t) => {
    const aggregate = aggregateOf('authorised')
    checkUnchanged(t, aggregate, 'deferred', disputed('chargedBack'))
    apply(aggregate, captured(first, gbp(2500), byHand), captureFailedOf(first, gbp(2500), byHand))
    applyTwice(t, aggregate, disputed('chargedBack'))
    t.match(standOf(aggregate), { status: 'failed', amountChargedBack: 2500, account: -2500 })
    checkAggregate(t, aggregate)
  }
)

t.test('events under another reference', async (t) => {
  t.test('that can not be the first belong to the last dispute', async (t) => {
    const aggregate = aggregateOf('captured')
    apply(aggregate, disputed('notified'), disputed('chargedBack'))
    t.strictSame(apply(aggregate, disputed('reversed', { dispute: first })), ['applied'])
    t.match(dispute(aggregate), { reference: 'DISPUTE1', amountChargedBack: 0 })
    const after = structuredClone(aggregate)
    t.strictSame(apply(aggregate, disputed('reversed', { dispute: first })), ['applied'])
    t.strictSame(aggregate, after)
    apply(aggregate, disputed('chargedBackAgain', { dispute: first }))
    t.match(dispute(aggregate), { status: 'lost', amountChargedBack: 2500 })
    checkAggregate(t, aggregate)
  })

  t.test('of a chargeback belong to its announcement, however often it is reported', async (t) => {
    for (const reference of ['DISPUTE1B', first]) {
      const aggregate = aggregateOf('captured')
      const taken = disputed('chargedBack', { dispute: reference })
      apply(aggregate, disputed('notified'), taken)
      t.match(dispute(aggregate), { status: 'open', stage: 'chargeback', amountChargedBack: 2500 })
      applyTwice(t, aggregate, taken)
      apply(aggregate, disputed('reversed', { dispute: reference }))
      t.match(dispute(aggregate), { amountChargedBack: 0 })
      checkAggregate(t, aggregate)
    }
  })

  t.test('of two disputes at once are each booked once, in whatever order', async (t) => {
    const of = (event: DisputeEvent, dispute: string, value: number) =>
      disputed(event, { dispute, amount: gbp(value) })
    const reported = [
      of('notified', 'DISPUTE1', 1000),
      of('chargedBack', 'DISPUTE1', 1000),
      of('notified', 'DISPUTE2', 400),
      of('chargedBack', 'DISPUTE2', 400)
    ]
    for (const order of ordersOf(reported)) {
      const aggregate = aggregateOf('captured')
      apply(aggregate, ...order.flatMap((one) => [one, one]))
      const label = order.map((one) => JSON.stringify(one)).join()
      t.match(standOf(aggregate), { amountChargedBack: 1400, account: -1400 }, label)
      apply(aggregate, of('reversed', 'DISPUTE2', 400))
      t.match(standOf(aggregate), { amountChargedBack: 1000, account: -1000 }, label)
      checkAggregate(t, aggregate)
    }
  })

  t.test('belong to the dispute that has what they follow', async (t) => {
    const aggregate = aggregateOf('captured')
    apply(aggregate, disputed('chargedBack'), disputed('notified', { dispute: 'DISPUTE2' }))
    t.strictSame(apply(aggregate, disputed('reversed', { dispute: first })), ['applied'])
    t.match(aggregate.disputes, [
      { reference: 'DISPUTE1', amountChargedBack: 0, stage: 'chargebackReversed' },
      { reference: 'DISPUTE2', stage: 'notification' }
    ])
  })
})

t.test('an announcement that is reported again is no other dispute', async (t) => {
  const aggregate = aggregateOf('captured')
  const [announced, taken] = [{ dispute: 'ANNOUNCED' }, { dispute: 'TAKEN' }]
  apply(aggregate, disputed('notified', announced), disputed('chargedBack', taken))
  apply(aggregate, disputed('notified', announced), disputed('notified', taken))
  t.match(dispute(aggregate), { reference: 'TAKEN', alsoReportedAs: ['ANNOUNCED'] })
  apply(aggregate, disputed('reversed', announced), disputed('issuerTimeEnded', taken))
  t.match(askRefund(aggregate, 1000), { status: 'requested' }, 'it was won, and none is open')
})

t.test('money that is not the customer’s is charged back from nobody', async (t) => {
  const aggregate = aggregateOf('captured')
  apply(aggregate, paidBy('SECOND'))
  for (const event of disputeEvents) {
    const about = { dispute: 'OF SECOND', authorisationReference: 'SECOND' }
    checkUnchanged(t, aggregate, 'contradictory', disputed(event, about))
  }
  t.strictSame(apply(aggregate, disputed('chargedBack', { authorisationReference: first })), [
    'applied'
  ])
  t.equal(standOf(aggregate).account, -2500)
})

t.test('two disputes are two: each has its own money', async (t) => {
  const aggregate = aggregateOf('captured')
  const one = { amount: gbp(1000) }
  const other = { amount: gbp(1500), dispute: 'DISPUTE2' }
  apply(
    aggregate,
    ...(['notified', 'chargedBack'] as const).flatMap((event) => [
      disputed(event, one),
      disputed(event, other)
    ]),
    disputed('reversed', other)
  )
  t.match(aggregate.disputes, [{ amountChargedBack: 1000 }, { amountChargedBack: 0 }])
  t.match(standOf(aggregate), { amountChargedBack: 1000, account: -1000 })
  t.strictSame(aggregate.discrepancies, [])
  checkAggregate(t, aggregate)
})

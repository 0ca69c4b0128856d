import t from 'tap'
import type { Book } from '../../src/lifecycle/aggregate.ts'
import { blocksRefunds, meanings } from '../../src/lifecycle/dispute.ts'
import { requestRefund } from '../../src/lifecycle/request.ts'
import { type DisputeNews, disputeNews, type ProviderEvent } from '../../src/provider.ts'
import {
  apply,
  applyPatiently,
  bookOf,
  byHand,
  captured,
  captureFell,
  checkBook,
  contextOf,
  disputed,
  first,
  gbp,
  newBook,
  ordersOf,
  paidBy,
  refunded,
  standOf,
  traceOf
} from './aggregates.ts'

function dispute(book: Book) {
  const [only, ...more] = book.disputes
  if (only === undefined || more.length > 0) throw new Error(`${more.length + 1} disputes`)
  return only
}

function refund(book: Book, value: number) {
  const asked = { amount: gbp(value), reason: null, operator: null, processor: null }
  return requestRefund(book, { ...asked, amountRefundable: null }, null, contextOf(book))
}

/** Plausible courses of a dispute, in their order, and where each ends. */
const courses: ReadonlyArray<{
  news: DisputeNews[]
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
      const book = bookOf('captured')
      const events = order.map((one) => disputed(one))
      t.same(applyPatiently(book, ...events), [], `${order}: nothing waits for ever`)
      t.match(
        dispute(book),
        { status, stage, amountChargedBack: chargedBack, amount: gbp(2500) },
        `${order}`
      )
      t.same([...dispute(book).told].sort(), [...news].sort())
      t.match(standOf(book), {
        status: 'captured',
        amountCaptured: 2500,
        amountChargedBack: chargedBack,
        account: -chargedBack
      })
      const after = structuredClone(book)
      t.same(
        apply(book, ...events),
        events.map(() => 'applied')
      )
      t.same(book, after, `${order}: told again, it changes nothing`)
      checkBook(t, book)
    }
  })
}

t.test('every news of the provider is in some course', async (t) => {
  const seen = new Set(courses.flatMap(({ news }) => news))
  t.same(
    [...disputeNews].filter((one) => !seen.has(one)),
    []
  )
  t.same(Object.keys(meanings).sort(), [...disputeNews].sort())
})

t.test('a dispute says in events what becomes of it', async (t) => {
  const book = bookOf('captured')
  apply(
    book,
    disputed('notified', { reason: 'Fraud', reasonCode: '10.4', defendBy: new Date(1e12) }),
    disputed('chargedBack'),
    disputed('reversed'),
    disputed('chargedBackAgain'),
    disputed('issuerTimeEnded')
  )
  t.same(traceOf(book).events, [
    'dispute.opened',
    'dispute.updated',
    'dispute.updated',
    'dispute.closed',
    'dispute.updated'
  ])
  const { id } = dispute(book)
  t.same(traceOf(book).postings, [
    `chargeback ${id}.chargedBack 2500`,
    `chargebackReversed ${id}.reversed 2500`,
    `chargeback ${id}.chargedBackAgain 2500`
  ])
  t.match(book.events, [
    {
      data: {
        dispute: {
          id,
          paymentId: book.payment.id,
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
    { data: { dispute: { status: 'lost', closedAt: contextOf(book).now.toISOString() } } },
    { data: { dispute: { status: 'lost' } } }
  ])
})

t.test('refunds are blocked from the notification of a chargeback until it closes', async (t) => {
  const turns: Array<[DisputeNews, 'blocked' | 'free' | 'nothing left']> = [
    ['informationRequested', 'free'],
    ['notified', 'blocked'],
    ['chargedBack', 'blocked'],
    ['defended', 'blocked'],
    ['reversed', 'blocked'],
    ['issuerTimeEnded', 'free'],
    ['chargedBackAgain', 'nothing left']
  ]
  const book = bookOf('captured')
  for (const [news, expected] of turns) {
    apply(book, disputed(news))
    const copy = structuredClone(book)
    const code = {
      blocked: 'payment_disputed',
      'nothing left': 'refund_exceeds_captured',
      free: ''
    }
    if (expected === 'free') t.match(refund(copy, 1000), { status: 'requested' }, news)
    else t.throws(() => refund(copy, 1000), { code: code[expected] }, news)
    t.equal(book.disputes.some(blocksRefunds), expected === 'blocked')
  }
})

t.test('one dispute that is open blocks, whatever became of another', async (t) => {
  const book = bookOf('captured')
  apply(book, disputed('notified'), disputed('defencePeriodEnded'))
  t.match(refund(structuredClone(book), 1000), { status: 'requested' })
  apply(book, disputed('notified', { dispute: 'DISPUTE2' }))
  t.throws(() => refund(book, 1000), { code: 'payment_disputed' })
  t.equal(book.disputes.length, 2)
})

t.test('a chargeback of more than is left is booked, and a discrepancy', async (t) => {
  const whole: Array<[string, ProviderEvent[], number]> = [
    ['after a refund', [refunded(first, gbp(1000), byHand)], 1],
    ['of what is left', [], 0],
    ['after another chargeback', [disputed('chargedBack', { dispute: 'OTHER' })], 1]
  ]
  for (const [name, before, count] of whole) {
    const book = bookOf('captured')
    apply(book, ...before)
    const stood = standOf(book).account
    t.same(apply(book, disputed('notified'), disputed('chargedBack')), ['applied', 'applied'])
    t.equal(standOf(book).account, stood - 2500, name)
    const found = book.discrepancies.map(({ kind, details }) => ({ kind, details }))
    const { id } = book.disputes.at(-1) as { id: string }
    t.match(
      found,
      Array.from({ length: count }, () => ({
        kind: 'refund_and_chargeback',
        details: { disputeId: id, amount: gbp(2500), captured: 2500 }
      })),
      name
    )
    t.equal(found.length, count, name)
    checkBook(t, book)
  }
  const book = bookOf('captured')
  refund(book, 1000)
  apply(book, disputed('chargedBack'))
  t.equal(book.discrepancies.length, 1, 'a refund under way is on its way')
})

t.test('the first news of a dispute shows what it has taken', async (t) => {
  const book = bookOf('captured')
  apply(book, disputed('chargedBack'))
  t.match(book.events, [
    {
      type: 'dispute.opened',
      data: { dispute: { amountChargedBack: 2500 } },
      payment: { amountChargedBack: 2500 }
    }
  ])
  t.equal(book.events.length, 1)
})

t.test('a part is charged back, or given back: only that', async (t) => {
  const book = bookOf('captured')
  apply(book, disputed('chargedBack', { amount: gbp(1000) }))
  t.match(standOf(book), { amountChargedBack: 1000, account: -1000 })
  apply(book, disputed('reversed', { amount: gbp(400) }))
  t.match(standOf(book), { amountChargedBack: 600, account: -600 })
  apply(book, disputed('chargedBackAgain', { amount: gbp(400) }))
  t.match(standOf(book), { amountChargedBack: 1000, account: -1000 })
  t.match(dispute(book), { amountChargedBack: 1000, amount: gbp(1000) })
  checkBook(t, book)
})

t.test('no more is given back than was taken', async (t) => {
  const book = bookOf('captured')
  apply(book, disputed('chargedBack', { amount: gbp(1000) }), disputed('reversed'))
  t.match(standOf(book), { amountChargedBack: 0, account: 0 })
  checkBook(t, book)
})

t.test('a chargeback of no money moves no books', async (t) => {
  const book = bookOf('captured')
  t.same(apply(book, disputed('chargedBack', { amount: gbp(0) })), ['applied'])
  t.same(apply(book, disputed('reversed', { amount: gbp(0) })), ['applied'])
  t.same(book.postings, [])
  checkBook(t, book)
})

t.test('money of another currency is for a person', async (t) => {
  const euro = { amount: { currency: 'EUR', value: 2500 } }
  const book = bookOf('captured')
  t.same(apply(book, disputed('chargedBack', euro)), ['unsupported'])
  apply(book, disputed('chargedBack'))
  const before = structuredClone(book)
  t.same(apply(book, disputed('reversed', euro)), ['unsupported'])
  t.same(book, before)
})

t.test('a chargeback told before its capture is early, and then applied', async (t) => {
  const told = [paidBy(first), captured(first, gbp(2500), byHand), disputed('chargedBack')]
  for (const order of ordersOf([0, 1, 2])) {
    const book = newBook({ capture: 'manual' })
    t.same(applyPatiently(book, ...order.map((place) => told[place] as ProviderEvent)), [])
    t.match(standOf(book), { amountCaptured: 2500, amountChargedBack: 2500, account: 0 })
    checkBook(t, book)
  }
})

t.test('what a capture that failed took is charged back no more', async (t) => {
  const book = bookOf('captured')
  apply(book, captureFell(first))
  t.same(apply(book, disputed('chargedBack')), ['early'])
})

t.test('news under another reference', async (t) => {
  t.test('that can not be the first belong to the last dispute', async (t) => {
    const book = bookOf('captured')
    apply(book, disputed('notified'), disputed('chargedBack'))
    t.same(apply(book, disputed('reversed', { dispute: first })), ['applied'])
    t.match(dispute(book), { reference: 'DISPUTE1', amountChargedBack: 0 })
    const after = structuredClone(book)
    t.same(apply(book, disputed('reversed', { dispute: first })), ['applied'])
    t.same(book, after)
    apply(book, disputed('chargedBackAgain', { dispute: first }))
    t.match(dispute(book), { status: 'lost', amountChargedBack: 2500 })
    checkBook(t, book)
  })

  t.test('of a chargeback belong to its announcement, however often it is told', async (t) => {
    for (const reference of ['DISPUTE1B', first]) {
      const book = bookOf('captured')
      const told = disputed('chargedBack', { dispute: reference })
      apply(book, disputed('notified'), told)
      t.match(dispute(book), { status: 'open', stage: 'chargeback', amountChargedBack: 2500 })
      const after = structuredClone(book)
      t.same(apply(book, told), ['applied'])
      t.same(book, after, reference)
      apply(book, disputed('reversed', { dispute: reference }))
      t.match(dispute(book), { amountChargedBack: 0 })
      checkBook(t, book)
    }
  })

  t.test('of two disputes at once are each booked once, in whatever order', async (t) => {
    const of = (news: DisputeNews, dispute: string, value: number) =>
      disputed(news, { dispute, amount: gbp(value) })
    const told = [
      of('notified', 'DISPUTE1', 1000),
      of('chargedBack', 'DISPUTE1', 1000),
      of('notified', 'DISPUTE2', 400),
      of('chargedBack', 'DISPUTE2', 400)
    ]
    for (const order of ordersOf(told)) {
      const book = bookOf('captured')
      apply(book, ...order.flatMap((one) => [one, one]))
      const label = order.map((one) => JSON.stringify(one)).join()
      t.match(standOf(book), { amountChargedBack: 1400, account: -1400 }, label)
      apply(book, of('reversed', 'DISPUTE2', 400))
      t.match(standOf(book), { amountChargedBack: 1000, account: -1000 }, label)
      checkBook(t, book)
    }
  })

  t.test('belong to the one that has heard what they follow', async (t) => {
    const book = bookOf('captured')
    apply(book, disputed('chargedBack'), disputed('notified', { dispute: 'DISPUTE2' }))
    t.same(apply(book, disputed('reversed', { dispute: first })), ['applied'])
    t.match(book.disputes, [
      { reference: 'DISPUTE1', amountChargedBack: 0, stage: 'chargebackReversed' },
      { reference: 'DISPUTE2', stage: 'notification' }
    ])
  })
})

t.test('an announcement that is told again is no other dispute', async (t) => {
  const book = bookOf('captured')
  const [announced, taken] = [{ dispute: 'ANNOUNCED' }, { dispute: 'TAKEN' }]
  apply(book, disputed('notified', announced), disputed('chargedBack', taken))
  apply(book, disputed('notified', announced), disputed('notified', taken))
  t.match(dispute(book), { reference: 'TAKEN', toldAs: ['ANNOUNCED'] })
  apply(book, disputed('reversed', announced), disputed('issuerTimeEnded', taken))
  t.match(refund(book, 1000), { status: 'requested' }, 'it was won, and none is open')
})

t.test('money that is not the customer’s is charged back from nobody', async (t) => {
  const book = bookOf('captured')
  apply(book, paidBy('SECOND'))
  const before = structuredClone(book)
  for (const news of disputeNews) {
    const event = disputed(news, { dispute: 'OF SECOND', authorisation: 'SECOND' })
    t.same(apply(book, event), ['unsupported'], news)
  }
  t.same(book, before)
  t.same(apply(book, disputed('chargedBack', { authorisation: first })), ['applied'])
  t.equal(standOf(book).account, -2500)
})

t.test('two disputes are two: each has its own money', async (t) => {
  const book = bookOf('captured')
  const one = { amount: gbp(1000) }
  const other = { amount: gbp(1500), dispute: 'DISPUTE2' }
  apply(
    book,
    ...(['notified', 'chargedBack'] as const).flatMap((news) => [
      disputed(news, one),
      disputed(news, other)
    ]),
    disputed('reversed', other)
  )
  t.match(book.disputes, [{ amountChargedBack: 1000 }, { amountChargedBack: 0 }])
  t.match(standOf(book), { amountChargedBack: 1000, account: -1000 })
  t.same(book.discrepancies, [])
  checkBook(t, book)
})

import t from 'tap'
import { addModification, type Book, modificationsOf } from '../../src/lifecycle/aggregate.ts'
import { requestCapture } from '../../src/lifecycle/request.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import {
  apply,
  applyPatiently,
  bookOf,
  byHand,
  cancelled,
  captured,
  captureFell,
  captureRefused,
  checkBook,
  contextOf,
  expiryOf,
  first,
  gbp,
  newBook,
  newContext,
  only,
  ordersOf,
  ours,
  paidBy,
  price,
  recaptured,
  refunded,
  refusedBy,
  rejected,
  requestOf,
  reversed,
  standOf,
  traceOf
} from './aggregates.ts'

const second = 'PSP0000000000002'

/** A reservation, and a capture of ours that the provider has taken; null for all of it. */
function capturing(value: number | null = null): Book {
  const book = bookOf('authorised')
  ask(book, value)
  return book
}

function ask(book: Book, value: number | null = null, several = false) {
  const amount = value === null ? null : gbp(value)
  const capture = requestCapture(book, { amount, several }, contextOf(book))
  capture.providerReference = `MOD${capture.id}`
  return capture
}

const asked = (book: Book) => ours(only(book, 'capture'))

type Course = {
  name: string
  book: () => Book
  /** What is told, in this order. */
  told: (book: Book) => ProviderEvent[]
  expected: Partial<ReturnType<typeof standOf>>
  events: string[]
}

const courses: Course[] = [
  {
    name: 'all of a reservation: it is captured',
    book: () => capturing(),
    told: (book) => [captured(first, price, asked(book))],
    expected: { status: 'captured', amountCaptured: 2500, account: 2500 },
    events: ['capture.requested', 'capture.succeeded', 'payment.captured']
  },
  {
    name: 'a part of it: that part is captured',
    book: () => capturing(1000),
    told: (book) => [captured(first, gbp(1000), asked(book))],
    expected: { status: 'captured', amountCaptured: 1000, account: 1000 },
    events: ['capture.requested', 'capture.succeeded', 'payment.captured']
  },
  {
    name: 'one by somebody at the provider: it is captured by that',
    book: () => bookOf('authorised'),
    told: () => [captured(first, gbp(1000), byHand)],
    expected: { status: 'captured', amountCaptured: 1000, account: 1000 },
    events: ['capture.succeeded', 'payment.captured']
  },
  {
    name: 'one that was refused: it is reserved as it was',
    book: () => capturing(),
    told: (book) => [captureRefused(asked(book))],
    expected: { status: 'authorised', amountCaptured: 0, account: 0 },
    events: ['capture.requested', 'capture.failed']
  },
  {
    name: 'one that the provider rejected at once: it is reserved as it was',
    book: () => capturing(),
    told: (book) => [rejected(only(book, 'capture').id)],
    expected: { status: 'authorised', amountCaptured: 0, account: 0 },
    events: ['capture.requested', 'capture.failed']
  },
  {
    name: 'one that was refused, and went well after all: it is captured',
    book: () => capturing(),
    told: (book) => [captureRefused(asked(book)), captured(first, price, asked(book))],
    expected: { status: 'captured', amountCaptured: 2500, account: 2500 },
    events: ['capture.requested', 'capture.failed', 'capture.succeeded', 'payment.captured']
  },
  {
    name: 'one that came to nothing after it went well: the payment failed',
    book: () => capturing(),
    told: (book) => [captured(first, price, asked(book)), captureFell(first, price, asked(book))],
    expected: { status: 'failed', amountCaptured: 0, account: 0 },
    events: [
      ...['capture.requested', 'capture.succeeded', 'payment.captured'],
      ...['capture.failed', 'payment.failed']
    ]
  },
  {
    name: 'one that came to nothing, before it is told that it went well: it is reserved',
    book: () => capturing(),
    told: (book) => [captureFell(first, price, asked(book)), captured(first, price, asked(book))],
    expected: { status: 'authorised', amountCaptured: 0, account: 0 },
    events: ['capture.requested', 'capture.failed']
  },
  {
    name: 'one that came to nothing and was taken again: it is captured again',
    book: () => capturing(1000),
    told: (book) => [
      captured(first, gbp(1000), asked(book)),
      captureFell(first, gbp(1000), asked(book)),
      recaptured(first, gbp(1000), asked(book))
    ],
    expected: { status: 'captured', amountCaptured: 1000, account: 1000 },
    events: [
      ...['capture.requested', 'capture.succeeded', 'payment.captured'],
      ...['capture.failed', 'payment.failed', 'capture.succeeded', 'payment.captured']
    ]
  },
  {
    name: 'what came with the authorisation: it was told with it',
    book: () => bookOf('captured'),
    told: () => [captured(first, price, byHand)],
    expected: { status: 'captured', amountCaptured: 2500, account: 0 },
    events: []
  },
  {
    name: 'what came with the authorisation, and came to nothing: the payment failed',
    book: () => bookOf('captured'),
    told: () => [captureFell(first)],
    expected: { status: 'failed', amountCaptured: 0, account: -2500 },
    events: ['capture.failed', 'payment.failed']
  },
  {
    name: 'what came with the authorisation, failed and was taken again: it is captured again',
    book: () => bookOf('captured'),
    told: () => [captureFell(first), recaptured(first, price, byHand)],
    expected: { status: 'captured', amountCaptured: 2500, account: 0 },
    events: ['capture.failed', 'payment.failed', 'capture.succeeded', 'payment.captured']
  }
]

for (const { name, book: make, told, expected, events } of courses) {
  t.test(`a capture of ${name}`, async (t) => {
    const book = make()
    t.same(
      apply(book, ...told(book)),
      told(book).map(() => 'applied')
    )
    t.match(standOf(book), expected)
    t.same(traceOf(book).events, events)
    checkBook(t, book)
  })

  // A success after a failure is new money, whatever its words: a redelivery does not come so far.
  if (name.includes('before it is told')) continue
  t.test(`a capture of ${name}; each news twice over is the same`, async (t) => {
    const book = make()
    for (const event of told(book)) {
      apply(book, event)
      const stand = { ...standOf(book), written: traceOf(book) }
      const [again] = apply(book, event)
      t.not(again, 'early')
      t.same({ ...standOf(book), written: traceOf(book) }, stand, event.type)
    }
    checkBook(t, book)
  })
}

t.test('a capture fails and is taken again: the same in whatever order it is told', async (t) => {
  const another = { providerReference: 'MODANOTHER', reference: 'pay_0000000000000001' }
  const situations: Array<[string, () => Book, (book: Book) => ProviderEvent[]]> = [
    [
      'all under our reference',
      () => capturing(),
      (book) => [
        captured(first, price, asked(book)),
        captureFell(first, price, asked(book)),
        recaptured(first, price, asked(book))
      ]
    ],
    [
      'taken again under another reference',
      () => capturing(),
      (book) => [
        captured(first, price, asked(book)),
        captureFell(first, price, asked(book)),
        recaptured(first, price, another)
      ]
    ],
    [
      'failed under another reference',
      () => capturing(),
      (book) => [
        captured(first, price, asked(book)),
        captureFell(first, price, another),
        recaptured(first, price, asked(book))
      ]
    ],
    [
      'failed and taken again under another reference',
      () => capturing(),
      (book) => [
        captured(first, price, asked(book)),
        captureFell(first, price, another),
        recaptured(first, price, another)
      ]
    ],
    [
      'by somebody at the provider, all under one reference',
      () => bookOf('authorised'),
      () => [
        captured(first, price, byHand),
        captureFell(first, price, byHand),
        recaptured(first, price, byHand)
      ]
    ],
    [
      'automatic',
      () => bookOf('captured'),
      () => [captured(first), captureFell(first), recaptured(first)]
    ],
    [
      'automatic, each under a reference of its own',
      () => bookOf('captured'),
      () => [captured(first), captureFell(first, price, byHand), recaptured(first, price, another)]
    ],
    [
      'automatic, and that it was captured is not told',
      () => bookOf('captured'),
      () => [captureFell(first), recaptured(first)]
    ]
  ]
  for (const [name, make, told] of situations) {
    t.test(name, async (t) => {
      const count = told(make()).length
      for (const order of ordersOf(Array.from({ length: count }, (_, place) => place))) {
        const book = make()
        const account = book.payment.amountCaptured === 0 ? 2500 : 0
        const events = told(book)
        const left = applyPatiently(book, ...order.map((place) => events[place] as ProviderEvent))
        const label = order.map((place) => ['went well', 'failed', 'again'].at(place)).join(', ')
        t.same(left, [], `${label}: nothing waits for ever`)
        t.match(standOf(book), { status: 'captured', amountCaptured: 2500, account }, label)
        t.match(modificationsOf(book, 'capture'), [{ status: 'succeeded' }], label)
        checkBook(t, book)
      }
    })
  }
})

t.test('a capture that only fails: the same in whatever order it is told', async (t) => {
  const situations: Array<[string, () => Book, (book: Book) => ProviderEvent[]]> = [
    [
      'under our reference',
      () => capturing(),
      (book) => [captured(first, price, asked(book)), captureFell(first, price, asked(book))]
    ],
    [
      'failed under another reference',
      () => capturing(),
      (book) => [captured(first, price, asked(book)), captureFell(first, price, byHand)]
    ],
    [
      'by somebody at the provider',
      () => bookOf('authorised'),
      () => [captured(first, price, byHand), captureFell(first, price, byHand)]
    ]
  ]
  for (const [name, make, told] of situations) {
    for (const order of ordersOf([0, 1])) {
      const book = make()
      const events = told(book)
      t.same(
        applyPatiently(book, ...order.map((place) => events[place] as ProviderEvent)),
        [],
        name
      )
      t.match(standOf(book), { amountCaptured: 0, account: 0 }, `${name}, ${order}`)
      t.match(modificationsOf(book, 'capture'), [{ status: 'failed' }], `${name}, ${order}`)
      checkBook(t, book)
    }
  }
})

t.test('a capture fails, is taken again, fails again: each time it is told', async (t) => {
  const book = capturing()
  const by = asked(book)
  const turns = [captureFell(first, price, by), recaptured(first, price, by)]
  apply(book, captured(first, price, by), ...turns, ...turns)
  t.match(standOf(book), { status: 'captured', amountCaptured: 2500, account: 2500 })
  const { id } = only(book, 'capture')
  t.same(traceOf(book).postings, [
    `payment ${id}.1 2500`,
    `captureFailed ${id}.1 2500`,
    `payment ${id}.2 2500`,
    `captureFailed ${id}.2 2500`,
    `payment ${id}.3 2500`
  ])
  apply(book, captureFell(first, price, by))
  t.match(standOf(book), { status: 'failed', amountCaptured: 0, account: 0 })
  t.match(book.payment.failure, { code: 'capture_failed', message: 'Capture expired' })
  checkBook(t, book)
})

t.test('several captures', async (t) => {
  /** Two captures of a reservation, both taken. */
  function both(one: number, other: number): Book {
    const book = bookOf('authorised')
    for (const value of [one, other]) {
      const capture = ask(book, value, true)
      t.same(apply(book, captured(first, gbp(value), ours(capture))), ['applied'])
    }
    return book
  }

  t.test('add up, and the payment is captured once', async (t) => {
    const book = both(1000, 1500)
    t.match(standOf(book), { status: 'captured', amountCaptured: 2500, account: 2500 })
    t.equal(traceOf(book).events.filter((type) => type === 'payment.captured').length, 1)
    checkBook(t, book)
  })

  t.test('one comes to nothing: the payment stays captured by the other', async (t) => {
    const book = both(1000, 1500)
    const [one] = modificationsOf(book, 'capture')
    t.same(apply(book, captureFell(first, gbp(1000), ours(one as never))), ['applied'])
    t.match(standOf(book), { status: 'captured', amountCaptured: 1500, account: 1500 })
    t.equal(book.payment.failure, null)
    t.same(traceOf(book).events.at(-1), 'capture.failed')
    apply(book, recaptured(first, gbp(1000), byHand))
    t.match(standOf(book), { status: 'captured', amountCaptured: 2500, account: 2500 })
    checkBook(t, book)
  })

  t.test('both come to nothing: the payment failed with the last', async (t) => {
    const book = both(1000, 1500)
    const [one, other] = modificationsOf(book, 'capture')
    apply(book, captureFell(first, gbp(1000), ours(one as never)))
    apply(book, captureFell(first, gbp(1500), ours(other as never)))
    t.match(standOf(book), { status: 'failed', amountCaptured: 0, account: 0 })
    t.equal(traceOf(book).events.filter((type) => type === 'payment.failed').length, 1)
    checkBook(t, book)
  })

  t.test('of the same amount are told apart by their references', async (t) => {
    const book = both(1000, 1000)
    const [one, other] = modificationsOf(book, 'capture')
    apply(book, captureFell(first, gbp(1000), ours(one as never)))
    t.match([one, other], [{ status: 'failed' }, { status: 'succeeded' }])
    t.match(standOf(book), { amountCaptured: 1000, account: 1000 })
    checkBook(t, book)
  })

  t.test('name the charges that the ones before have not paid', async (t) => {
    const allocations = [
      { chargeId: 'chg_a', amount: 1200 },
      { chargeId: 'chg_b', amount: 1300 }
    ]
    const book = bookOf('authorised', { allocations })
    for (const value of [1000, 1500]) {
      apply(book, captured(first, gbp(value), ours(ask(book, value, true))))
    }
    t.same(
      book.postings.map((posting) => posting.allocations),
      [
        allocations,
        [
          { chargeId: 'chg_a', amount: 200 },
          { chargeId: 'chg_b', amount: 1300 }
        ]
      ]
    )
  })

  t.test('together are at most what was authorised: more waits for room', async (t) => {
    const book = both(1000, 1000)
    const before = structuredClone(book)
    const more = captured(first, gbp(501), byHand)
    t.same(apply(book, more), ['early'])
    t.same(book, before)
    const [one] = modificationsOf(book, 'capture')
    apply(book, captureFell(first, gbp(1000), ours(one as never)))
    t.same(apply(book, more), ['applied'], 'one that failed makes it')
    t.match(standOf(book), { amountCaptured: 1501, account: 1501 })
    checkBook(t, book)
  })

  t.test('one that is made of the money of one that failed may be told before it', async (t) => {
    const told = (book: Book) => {
      const [one, other] = [ask(book, 1500, true), ask(book, 1000, true)]
      return [
        captured(first, gbp(1500), ours(one)),
        captureFell(first, gbp(1500), ours(one)),
        captured(first, gbp(1000), ours(other)),
        // In the same amount it would be the one that failed, taken again.
        captured(first, gbp(1499), byHand)
      ]
    }
    for (const order of ordersOf([0, 1, 2, 3])) {
      const book = bookOf('authorised')
      const events = told(book)
      const left = applyPatiently(book, ...order.map((place) => events[place] as ProviderEvent))
      t.same(left, [], `${order}`)
      t.match(
        standOf(book),
        { status: 'captured', amountCaptured: 2499, account: 2499 },
        `${order}`
      )
      checkBook(t, book)
    }
  })

  t.test('after one failed, others were made of its money: it is not taken twice', async (t) => {
    const book = bookOf('authorised')
    const one = ask(book, 1500, true)
    apply(book, captured(first, gbp(1500), ours(one)))
    const other = ask(book, 1000, true)
    apply(book, captured(first, gbp(1000), ours(other)))
    apply(book, captureFell(first, gbp(1500), ours(one)))
    const third = ask(book, 1500, true)
    apply(book, captured(first, gbp(1500), ours(third)))
    t.match(standOf(book), { status: 'captured', amountCaptured: 2500 })
    const before = structuredClone(book)
    t.same(apply(book, recaptured(first, gbp(1500), ours(one))), ['early'])
    t.same(book, before)
    checkBook(t, book)
  })
})

t.test('a capture that fails while refunds of it stand waits until they come back', async (t) => {
  const book = capturing()
  const by = asked(book)
  apply(book, captured(first, price, by), refunded(first, gbp(1000), byHand))
  t.same(apply(book, captureFell(first, price, by)), ['early'])
  const again = recaptured(first, price, by)
  t.same(apply(book, again, captureFell(first, price, by)), ['applied', 'applied'])
  t.match(standOf(book), { amountCaptured: 2500, amountRefunded: 1000, account: 1500 })
  checkBook(t, book)
})

t.test('a capture of an automatic payment is written down only when it fails', async (t) => {
  const book = bookOf('captured')
  apply(book, captured(first, price, byHand))
  t.same(book.modifications, [])
  apply(book, captureFell(first, price, byHand))
  t.match(book.modifications, [
    {
      kind: 'capture',
      origin: 'provider',
      status: 'failed',
      authorisation: first,
      amount: price,
      providerKey: null,
      providerReference: byHand.providerReference,
      failure: { code: 'capture_failed', message: 'Capture expired', retryable: true }
    }
  ])
  t.match(book.payment, { status: 'failed', failure: { code: 'capture_failed' } })
})

t.test('what is told of a capture must be true of the payment', async (t) => {
  t.test('another amount than we asked for is for a person', async (t) => {
    const book = capturing(1000)
    const before = structuredClone(book)
    t.same(apply(book, captured(first, gbp(900), asked(book))), ['unsupported'])
    t.same(apply(book, captured(first, { currency: 'EUR', value: 1000 }, asked(book))), [
      'unsupported'
    ])
    t.same(book, before)
  })

  t.test('of money that is going back is for a person', async (t) => {
    const book = bookOf('authorised')
    apply(book, paidBy(second))
    const before = structuredClone(book)
    t.same(apply(book, captured(second), captureFell(second)), ['unsupported', 'unsupported'])
    t.same(book, before)
    t.same(apply(book, captured(first)), ['applied'], 'that which was kept may be taken')
    t.equal(book.payment.status, 'captured')
  })

  t.test('of money that differs is for a person', async (t) => {
    const book = newBook({ capture: 'manual' })
    apply(book, paidBy(second, { amount: gbp(2400) }))
    t.same(apply(book, captured(second, gbp(2400))), ['unsupported'])
    t.equal(book.payment.status, 'pending')
    t.same(book.postings, [])
  })

  t.test('of a refused attempt is early', async (t) => {
    const book = newBook({ capture: 'manual' })
    t.same(apply(book, refusedBy(second), captured(second)), ['applied', 'early'])
    t.same(book.postings, [])
  })

  t.test('before its authorisation is early, and then applied', async (t) => {
    const book = newBook({ capture: 'manual' })
    const part = gbp(1000)
    t.same(apply(book, captured(second, part)), ['early'])
    t.same(apply(book, paidBy(second), captured(second, part)), ['applied', 'applied'])
    const { id } = only(book, 'capture')
    t.match(book.payment, {
      status: 'captured',
      amount: price,
      amountCaptured: 1000,
      failure: null,
      cancelledBy: null,
      finishedAt: newContext().now
    })
    t.match(book.postings, [
      { kind: 'payment', fact: `${id}.1`, amount: part, cause: { type: 'capture', id } }
    ])
    t.same(traceOf(book).events, ['payment.authorised', 'capture.succeeded', 'payment.captured'])
    t.same(apply(book, captured(second, part)), ['applied'])
    t.equal(book.postings.length, 1)
    checkBook(t, book)
  })

  t.test('a failure of a capture that nobody has told is early', async (t) => {
    t.same(apply(bookOf('authorised'), captureFell(first)), ['early'])
    t.same(apply(capturing(1000), captureFell(first, gbp(1000), byHand)), ['early'])
  })
})

t.test('a capture that is told after the reservation ended is money all the same', async (t) => {
  for (const end of [expiryOf(first), reversed(first)]) {
    const book = bookOf('authorised')
    t.same(apply(book, end, captured(first)), ['applied', 'applied'])
    t.match(book.payment, { status: 'captured', amountCaptured: 2500, authorisation: first })
    t.match(book.authorisations, [{ disposition: 'kept' }])
    t.same(traceOf(book).postings, [`payment ${only(book, 'capture').id}.1 2500`])
    checkBook(t, book)
  }
})

t.test('other money that comes after a capture failed is the payment', async (t) => {
  for (const make of [() => bookOf('captured'), () => bookOf('authorised')]) {
    const book = make()
    apply(book, captured(first), captureFell(first), paidBy(second))
    t.match(book.payment, { authorisation: second, failure: null })
    t.match(book.authorisations, [{ disposition: 'released' }, { disposition: 'kept' }])
    t.ok(book.touched.has(book.authorisations[0] as never), 'both are to be written')
    t.same(traceOf(book).discrepancies, [`paid_after_end ${second}`])
    checkBook(t, book)
    const before = structuredClone(book)
    t.same(apply(book, recaptured(first)), ['unsupported'], 'it is paid already')
    t.same(book, before)
  }
})

t.test(
  'other money that came after a capture failed may fail, or be cancelled, as well',
  async (t) => {
    for (const end of [captureFell(second), cancelled(second)]) {
      const book = bookOf('captured')
      apply(book, captureFell(first), paidBy(second))
      t.match(standOf(book), { status: 'captured', account: 0 })
      apply(book, end)
      t.match(standOf(book), { status: 'failed', amountCaptured: 0, account: -2500 }, end.type)
      t.match(modificationsOf(book, 'capture'), [
        { authorisation: first, status: 'failed' },
        { authorisation: second, status: 'failed' }
      ])
      checkBook(t, book)
    }
    const again = bookOf('captured')
    apply(again, captureFell(first), paidBy(second), captureFell(second), recaptured(second))
    t.match(standOf(again), { status: 'captured', amountCaptured: 2500, account: 0 })
  }
)

t.test('a capture makes later money second money', async (t) => {
  const book = bookOf('authorised')
  apply(book, captured(first), paidBy(second))
  t.match(modificationsOf(book, 'reversal'), [{ authorisation: second }])
})

t.test('a capture is shown by its events as it was then', async (t) => {
  const book = capturing(1000)
  apply(book, captured(first, gbp(1000), asked(book)))
  const { id } = only(book, 'capture')
  const shown = { id, paymentId: book.payment.id, amount: gbp(1000), origin: 'client' }
  t.match(book.events, [
    { type: 'capture.requested', data: { capture: { ...shown, status: 'requested' } } },
    { type: 'capture.succeeded', data: { capture: { ...shown, status: 'succeeded' } } },
    { type: 'payment.captured', payment: { amountCaptured: 1000 } }
  ])
})

t.test('ours is found by the reference that we sent, or that we were answered with', async (t) => {
  for (const by of [
    { providerReference: 'another', reference: '' },
    { providerReference: 'MODCAP', reference: 'another' }
  ]) {
    const book = bookOf('authorised')
    const given = { kind: 'capture', authorisation: first, amount: price } as const
    const capture = addModification(book, given, contextOf(book))
    capture.providerReference = 'MODCAP'
    apply(book, captured(first, price, { ...by, reference: by.reference || capture.id }))
    t.match(modificationsOf(book, 'capture'), [{ id: capture.id, status: 'succeeded' }])
  }
  const book = capturing()
  apply(book, captureRefused(requestOf(first)))
  t.match(book.modifications, [{ status: 'requested' }], "somebody else's refusal is not ours")
})

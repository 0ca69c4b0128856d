import t from 'tap'
import { type Book, modificationsOf } from '../../src/lifecycle/aggregate.ts'
import type { RequestReference } from '../../src/provider.ts'
import {
  apply,
  bookOf,
  byHand,
  captured,
  checkBook,
  fellThrough,
  first,
  gbp,
  inClearing,
  newBook,
  only,
  paidBy,
  price,
  refunded,
  refusedBy,
  rejected,
  requestOf,
  reversalRefused,
  reversed,
  standOf,
  traceOf,
  unknown
} from './aggregates.ts'

const second = 'PSP0000000000002'
const third = 'PSP0000000000003'

/** A payment that is paid, and second money on its way back. */
function reversing(capture: 'automatic' | 'manual' = 'automatic'): Book {
  const book = bookOf(capture === 'automatic' ? 'captured' : 'authorised')
  apply(book, paidBy(second))
  return book
}

const reversalsOf = (book: Book) => modificationsOf(book, 'reversal')

/** Both ways to say no: by the outcome of what was accepted, or at once. */
const refusals = {
  'refused later': () => reversalRefused(second),
  'rejected at once': (book: Book) => rejected(only(book, 'reversal').id)
}

/** The provider took the reversal, and named it. */
function accept(book: Book, providerReference: string | null = `MOD${second}`): void {
  for (const reversal of reversalsOf(book)) reversal.providerReference = providerReference
}

t.test('a reversal', async (t) => {
  t.test('that succeeds empties clearing, once', async (t) => {
    const book = reversing()
    t.equal(inClearing(book), 2500)
    t.same(apply(book, reversed(second), reversed(second)), ['applied', 'applied'])
    t.match(reversalsOf(book), [{ status: 'succeeded', failure: null }])
    t.equal(inClearing(book), 0)
    t.same(traceOf(book).events, ['reversal.requested', 'reversal.succeeded'])
    checkBook(t, book)
  })

  for (const [name, refuse] of Object.entries(refusals)) {
    t.test(`that is ${name} leaves the money in clearing, and a discrepancy`, async (t) => {
      const book = reversing()
      t.same(apply(book, refuse(book)), ['applied'])
      const after = structuredClone(book)
      t.not(apply(book, refuse(book))[0], 'early')
      t.same(book, after, 'told again, it changes nothing')
      t.match(reversalsOf(book), [
        {
          status: 'failed',
          failure: { code: 'provider_rejected', message: 'Transaction not found' }
        }
      ])
      t.same(traceOf(book).postings, [`held ${second} 2500`])
      const id = reversalsOf(book)[0]?.id
      t.same(traceOf(book).events, ['reversal.requested', 'reversal.failed', 'discrepancy.opened'])
      t.same(traceOf(book).discrepancies, [`reversal_failed ${id}`])
      checkBook(t, book)
    })
  }

  t.test('that succeeded stays so, whatever refusal is told after it', async (t) => {
    for (const refuse of Object.values(refusals)) {
      const book = reversing()
      t.same(apply(book, reversed(second)), ['applied'])
      const after = structuredClone(book)
      t.not(apply(book, refuse(book))[0], 'early')
      t.same(book, after)
    }
  })

  t.test('that was refused, and then given back, succeeded: clearing is empty', async (t) => {
    for (const refuse of Object.values(refusals)) {
      const book = reversing()
      const id = reversalsOf(book)[0]?.id
      apply(book, refuse(book))
      t.same(apply(book, reversed(second), reversed(second)), ['applied', 'applied'])
      t.match(reversalsOf(book), [{ status: 'succeeded', failure: null }])
      t.same(traceOf(book).postings, [`held ${second} 2500`, `reversal ${id}:MOD${second} 2500`])
      t.same(traceOf(book).events.slice(1), [
        'reversal.failed',
        'discrepancy.opened',
        'reversal.succeeded'
      ])
      checkBook(t, book)
    }
  })

  t.test('that had succeeded falls through: the money stands in clearing again', async (t) => {
    const book = reversing()
    const id = reversalsOf(book)[0]?.id
    const outcomes = [reversed(second), fellThrough(second)]
    t.same(apply(book, ...outcomes, ...outcomes), ['applied', 'applied', 'applied', 'applied'])
    t.match(reversalsOf(book), [
      { status: 'failed', failure: { code: 'provider_error', message: 'Insufficient balance' } }
    ])
    t.same(traceOf(book), {
      status: 'captured',
      events: ['reversal.requested', 'reversal.succeeded', 'reversal.failed', 'discrepancy.opened'],
      postings: [
        `held ${second} 2500`,
        `reversal ${id}:MOD${second} 2500`,
        `reversalFailed ${id}:MOD${second} 2500`
      ],
      discrepancies: traceOf(book).discrepancies
    })
    t.match(book.discrepancies, [
      { kind: 'reversal_failed', details: { reversalId: id, reason: 'Insufficient balance' } }
    ])
    t.equal(book.discrepancies.length, 1)
    t.equal(inClearing(book), 2500)
    checkBook(t, book)
  })

  t.test('that fell through before it was given back moved nothing', async (t) => {
    const book = reversing()
    const outcomes = [fellThrough(second), reversed(second)]
    t.same(apply(book, ...outcomes, ...outcomes), ['applied', 'applied', 'applied', 'applied'])
    t.match(reversalsOf(book), [{ status: 'failed', failure: { code: 'provider_error' } }])
    t.same(traceOf(book).postings, [`held ${second} 2500`])
    t.same(traceOf(book).events, ['reversal.requested', 'reversal.failed', 'discrepancy.opened'])
    checkBook(t, book)
  })

  t.test('that was refused does not fall through as well', async (t) => {
    const book = reversing()
    apply(book, reversalRefused(second))
    const before = traceOf(book)
    t.same(apply(book, fellThrough(second)), ['applied'])
    t.same(traceOf(book), before)
    t.match(reversalsOf(book), [{ status: 'failed' }])
  })

  t.test('ends alike in whatever order its facts are told', async (t) => {
    const [refused, back, fell] = [
      reversalRefused(second),
      reversed(second),
      fellThrough(second)
    ] as const
    for (const order of [
      [refused, back, fell],
      [refused, fell, back],
      [back, refused, fell],
      [back, fell, refused],
      [fell, refused, back],
      [fell, back, refused]
    ]) {
      const book = reversing()
      apply(book, ...order)
      const name = order.map(({ type }) => type).join(', ')
      t.match(reversalsOf(book), [{ status: 'failed' }], name)
      t.equal(inClearing(book), 2500, name)
      const after = traceOf(book)
      apply(book, ...order)
      t.same(traceOf(book), after, `${name}, told again`)
    }
  })

  t.test('that fell through is given back by another request, whoever made it', async (t) => {
    const book = reversing()
    const id = reversalsOf(book)[0]?.id
    accept(book)
    apply(book, reversed(second), fellThrough(second))
    t.same(apply(book, reversed(second, byHand), reversed(second, byHand)), ['applied', 'applied'])
    t.match(reversalsOf(book), [{ status: 'succeeded', failure: null }])
    t.same(traceOf(book).postings, [
      `held ${second} 2500`,
      `reversal ${id}:MOD${second} 2500`,
      `reversalFailed ${id}:MOD${second} 2500`,
      `reversal ${id}:${byHand.providerReference} 2500`
    ])
    t.equal(inClearing(book), 0)
    checkBook(t, book)
  })

  t.test('that another request gave back does not fall through by the first again', async (t) => {
    const book = reversing()
    accept(book)
    apply(book, reversed(second), fellThrough(second), reversed(second, byHand))
    const after = structuredClone(book)
    t.same(apply(book, fellThrough(second), reversed(second)), ['applied', 'applied'])
    t.same(book, after)
    apply(book, fellThrough(second, byHand))
    t.match(reversalsOf(book), [{ status: 'failed' }], 'the other one may')
    t.equal(inClearing(book), 2500)
    checkBook(t, book)
  })

  t.test('is ours by either reference, or while the provider has given none', async (t) => {
    const requests: Array<[string, string | null, (id: string) => RequestReference, boolean]> = [
      ['none is known', null, () => byHand, true],
      ['the provider’s', `MOD${second}`, () => requestOf(second), true],
      ['our own', `MOD${second}`, (id) => ({ ...byHand, reference: id }), true],
      ['neither', `MOD${second}`, () => byHand, false],
      ['that of another reversal', `MOD${second}`, () => requestOf(third, 'rev_other'), false]
    ]
    for (const [name, providerReference, makeRequest, isOurs] of requests) {
      const book = reversing()
      accept(book, providerReference)
      const by = makeRequest(reversalsOf(book)[0]?.id ?? '')
      const before = structuredClone(book)
      t.same(apply(book, reversalRefused(second, by)), [isOurs ? 'applied' : 'ignored'], name)
      t.match(reversalsOf(book), [{ status: isOurs ? 'failed' : 'requested' }], name)
      if (!isOurs) t.same(book, before, name)

      const fallen = reversing()
      accept(fallen, providerReference)
      apply(fallen, fellThrough(second))
      apply(fallen, reversed(second, by))
      t.match(reversalsOf(fallen), [{ status: isOurs ? 'failed' : 'succeeded' }], name)
      t.equal(inClearing(fallen), isOurs ? 2500 : 0, name)
    }
  })

  t.test('that the provider rejected is ours: nobody else was told so', async (t) => {
    const book = reversing()
    accept(book)
    t.same(apply(book, rejected(only(book, 'reversal').id)), ['applied'])
    t.match(reversalsOf(book), [{ status: 'failed' }])
  })

  t.test('succeeds by the request of anybody: the money went back', async (t) => {
    const book = reversing()
    accept(book)
    t.same(apply(book, reversed(second, byHand)), ['applied'])
    t.match(reversalsOf(book), [{ status: 'succeeded' }])
    t.same(apply(book, reversalRefused(second)), ['applied'], 'ours was too late')
    t.match(reversalsOf(book), [{ status: 'succeeded' }])
    t.equal(inClearing(book), 0)
  })

  t.test('of a reservation moves no books, however it ends', async (t) => {
    for (const outcomes of [
      [reversed(second)],
      [reversalRefused(second)],
      [reversalRefused(second), reversed(second)],
      [fellThrough(second)],
      [reversed(second), fellThrough(second)]
    ]) {
      const book = reversing('manual')
      apply(book, ...outcomes)
      t.same(book.postings, [])
      t.equal(book.payment.status, 'authorised')
    }
  })

  t.test('concerns no other money', async (t) => {
    const book = reversing()
    apply(book, paidBy(third), reversed(third))
    t.match(reversalsOf(book), [
      { authorisation: second, status: 'requested' },
      { authorisation: third, status: 'succeeded' }
    ])
    t.equal(inClearing(book), 2500)
  })

  t.test('whose outcome is told before the money is early, and then applied', async (t) => {
    const outcomes = [reversed(second), reversalRefused(second), fellThrough(second)]
    for (const before of [[], [refusedBy(second)]]) {
      const book = bookOf('captured')
      apply(book, ...before)
      const seen = book.events.length
      t.same(apply(book, ...outcomes), ['early', 'ignored', 'early'])
      t.equal(book.events.length, seen)
      t.same(apply(book, paidBy(second), reversed(second), fellThrough(second)), [
        'applied',
        'applied',
        'applied'
      ])
      t.match(reversalsOf(book), [{ status: 'failed' }])
    }
  })

  t.test('of which nothing is heard is a discrepancy, once it is known no more', async (t) => {
    const book = reversing()
    const { id } = only(book, 'reversal')
    t.same(apply(book, unknown(id)), ['applied'])
    t.match(reversalsOf(book), [{ status: 'requested' }])
    t.same(traceOf(book).discrepancies, [`outcome_unknown ${id}`])
    t.equal(inClearing(book), 2500)
    apply(book, reversed(second))
    t.match(reversalsOf(book), [{ status: 'succeeded' }], 'its outcome may come all the same')
    t.same(apply(book, unknown(id)), ['ignored'])
  })

  t.test('has an id of its own, and a key that is made of it', async (t) => {
    const book = reversing()
    const { id, providerKey } = reversalsOf(book)[0] as { id: string; providerKey: string }
    t.match(id, /^rev_/)
    t.equal(providerKey, `${id}.reversal.1`)
  })

  t.test('is shown by its events as it was then', async (t) => {
    const book = reversing()
    apply(book, reversed(second))
    t.match(book.events, [
      { data: { reversal: { status: 'requested', paymentId: book.payment.id } } },
      { data: { reversal: { status: 'succeeded', amount: price, authorisation: second } } }
    ])
  })
})

t.test('money that differs and was given back by hand', async (t) => {
  const amount = { currency: 'EUR', value: 2400 }
  for (const capture of ['automatic', 'manual'] as const) {
    t.test(`${capture} capture: it is released, once`, async (t) => {
      const book = newBook({ capture })
      apply(book, paidBy(second, { amount }))
      const by = { type: 'payment', id: book.payment.id }
      t.same(apply(book, reversed(second), reversed(second)), ['applied', 'applied'])
      t.match(book.authorisations, [{ reference: second, disposition: 'released' }])
      t.ok(book.touched.has(book.authorisations[0] as never), 'it is to be written')
      t.same(
        book.postings.map(({ kind, fact, amount, cause }) => ({ kind, fact, amount, cause })),
        capture === 'automatic'
          ? [
              { kind: 'held', fact: second, amount, cause: by },
              { kind: 'reversal', fact: second, amount, cause: by }
            ]
          : []
      )
      t.equal(inClearing(book), 0)
      t.equal(book.payment.status, 'pending')
      t.same(traceOf(book).events, ['discrepancy.opened'])
      apply(book, paidBy(third))
      t.match(book.payment, { authorisation: third }, 'the right money may still come')
      checkBook(t, book)
    })
  }

  t.test('an amount of 0 moves no books', async (t) => {
    const book = newBook()
    apply(book, paidBy(second, { amount: gbp(0) }))
    t.same(apply(book, reversed(second)), ['applied'])
    t.match(book.authorisations, [{ disposition: 'released' }])
    t.same(book.postings, [])
  })

  t.test('a reversal of it that was refused or fell through is for a person', async (t) => {
    const book = newBook()
    apply(book, paidBy(second, { amount }))
    const before = structuredClone(book)
    t.same(apply(book, reversalRefused(second), fellThrough(second)), ['ignored', 'unsupported'])
    t.same(book, before)
  })
})

/** What somebody at the provider reversed was the payment's own. */
const own: ReadonlyArray<{
  name: string
  book: () => Book
  expected: Partial<ReturnType<typeof standOf>>
  events: string[]
}> = [
  {
    name: 'captured: all of it is refunded',
    book: () => bookOf('captured'),
    expected: { status: 'captured', amountRefunded: 2500, account: -2500 },
    events: ['refund.succeeded']
  },
  {
    name: 'captured, and refunded in part: the rest is refunded',
    book: () => {
      const book = bookOf('captured')
      apply(book, refunded(first, gbp(1000), byHand))
      return book
    },
    expected: { status: 'captured', amountRefunded: 2500, account: -2500 },
    events: ['refund.succeeded', 'refund.succeeded']
  },
  {
    name: 'reserved: it is cancelled, by the provider',
    book: () => bookOf('authorised'),
    expected: { status: 'cancelled', amountCaptured: 0, account: 0 },
    events: ['cancellation.succeeded', 'payment.cancelled']
  },
  {
    name: 'reserved, and captured in part: what was captured is refunded',
    book: () => {
      const book = bookOf('authorised')
      apply(book, captured(first, gbp(1000), byHand))
      return book
    },
    expected: { status: 'captured', amountCaptured: 1000, amountRefunded: 1000, account: 0 },
    events: ['capture.succeeded', 'payment.captured', 'refund.succeeded']
  }
]

for (const { name, book: make, expected, events } of own) {
  t.test(`a reversal in the Customer Area of what was ${name}`, async (t) => {
    const book = make()
    t.same(apply(book, reversed(first)), ['applied'])
    t.match(standOf(book), expected)
    t.same(traceOf(book).events, events)
    t.same(modificationsOf(book, 'reversal'), [], 'nothing of ours')
    t.match(book.modifications.at(-1), {
      origin: 'provider',
      status: 'succeeded',
      providerReference: requestOf(first).providerReference,
      providerKey: null
    })
    const after = structuredClone(book)
    t.same(apply(book, reversed(first)), ['applied'])
    t.same(book, after, 'told again, it changes nothing')
    checkBook(t, book)
  })
}

t.test('a reversal in the Customer Area that was refused concerns nobody', async (t) => {
  for (const status of ['authorised', 'captured'] as const) {
    const book = bookOf(status)
    t.same(apply(book, reversalRefused(first)), ['ignored'])
    t.same(book.touched.size, 0)
  }
})

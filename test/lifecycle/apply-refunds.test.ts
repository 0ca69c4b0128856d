import t from 'tap'
import { type Book, modificationsOf } from '../../src/lifecycle/aggregate.ts'
import type { Modification } from '../../src/lifecycle/operation.ts'
import { requestRefund } from '../../src/lifecycle/request.ts'
import type { ProviderEvent } from '../../src/provider.ts'
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
  fellThrough,
  first,
  gbp,
  newBook,
  only,
  ordersOf,
  ours,
  paidBy,
  recaptured,
  refunded,
  refundRefused,
  rejected,
  requestOf,
  standOf,
  traceOf,
  unknown
} from './aggregates.ts'

const second = 'PSP0000000000002'
/** How the provider may tell that refunded money came again: under a reference of its own. */
const another = { providerReference: 'MODANOTHER', reference: 'pay_0000000000000001' }

/** A captured payment with a refund that the provider has taken. */
function refunding(value = 1000): Book {
  const book = bookOf('captured')
  ask(book, value)
  return book
}

function ask(book: Book, value: number): Modification {
  const asked = { amount: gbp(value), reason: null, operator: null, processor: null }
  const request = { ...asked, amountRefundable: null }
  const refund = requestRefund(book, request, null, contextOf(book))
  refund.providerReference = `MOD${refund.id}`
  return refund
}

const asked = (book: Book) => ours(only(book, 'refund'))
const part = gbp(1000)

type Course = {
  name: string
  book: () => Book
  told: (book: Book) => ProviderEvent[]
  expected: Partial<ReturnType<typeof standOf>>
  refund: Partial<Modification>
  events: string[]
}

const courses: Course[] = [
  {
    name: 'reserves from the moment that it is asked for, and moves nothing',
    book: () => refunding(),
    told: () => [],
    expected: { amountRefunded: 0, amountRefunding: 1000, account: 0 },
    refund: { status: 'requested' },
    events: ['refund.requested']
  },
  {
    name: 'moves the books when it went well',
    book: () => refunding(),
    told: (book) => [refunded(first, part, asked(book))],
    expected: { amountRefunded: 1000, amountRefunding: 0, account: -1000 },
    refund: { status: 'succeeded', origin: 'client' },
    events: ['refund.requested', 'refund.succeeded']
  },
  {
    name: 'in the Customer Area is the provider’s, and moves the books alike',
    book: () => bookOf('captured'),
    told: () => [refunded(first, part, byHand)],
    expected: { amountRefunded: 1000, amountRefunding: 0, account: -1000 },
    refund: { status: 'succeeded', origin: 'provider', providerKey: null },
    events: ['refund.succeeded']
  },
  {
    name: 'that was refused reserves no more',
    book: () => refunding(),
    told: (book) => [refundRefused(asked(book))],
    expected: { amountRefunded: 0, amountRefunding: 0, account: 0 },
    refund: { status: 'failed', failure: { code: 'provider_rejected' } as never },
    events: ['refund.requested', 'refund.failed']
  },
  {
    name: 'that the provider rejected at once reserves no more',
    book: () => refunding(),
    told: (book) => [rejected(only(book, 'refund').id)],
    expected: { amountRefunded: 0, amountRefunding: 0, account: 0 },
    refund: { status: 'failed' },
    events: ['refund.requested', 'refund.failed']
  },
  {
    name: 'that was refused, and went well after all, moves the books',
    book: () => refunding(),
    told: (book) => [refundRefused(asked(book)), refunded(first, part, asked(book))],
    expected: { amountRefunded: 1000, amountRefunding: 0, account: -1000 },
    refund: { status: 'succeeded', failure: null },
    events: ['refund.requested', 'refund.failed', 'refund.succeeded']
  },
  {
    name: 'that went well, and is told to have been refused, stays so',
    book: () => refunding(),
    told: (book) => [refunded(first, part, asked(book)), refundRefused(asked(book))],
    expected: { amountRefunded: 1000, amountRefunding: 0, account: -1000 },
    refund: { status: 'succeeded' },
    events: ['refund.requested', 'refund.succeeded']
  },
  {
    name: 'that came to nothing later moves the books back',
    book: () => refunding(),
    told: (book) => [refunded(first, part, asked(book)), fellThrough(first, asked(book), part)],
    expected: { amountRefunded: 0, amountRefunding: 0, account: 0 },
    refund: { status: 'failed', failure: { code: 'provider_error' } as never },
    events: ['refund.requested', 'refund.succeeded', 'refund.failed']
  },
  {
    name: 'that came to nothing, which is told first, moves nothing at all',
    book: () => refunding(),
    told: (book) => [fellThrough(first, asked(book), part), refunded(first, part, asked(book))],
    expected: { amountRefunded: 0, amountRefunding: 0, account: 0 },
    refund: { status: 'failed', failure: { code: 'provider_error' } as never },
    events: ['refund.requested', 'refund.failed']
  },
  {
    name: 'in the Customer Area that came to nothing later moves the books back',
    book: () => bookOf('captured'),
    told: () => [refunded(first, part, byHand), fellThrough(first, byHand, part)],
    expected: { amountRefunded: 0, amountRefunding: 0, account: 0 },
    refund: { status: 'failed', origin: 'provider' },
    events: ['refund.succeeded', 'refund.failed']
  },
  {
    name: 'of which nothing is heard stays reserved, and is a discrepancy',
    book: () => refunding(),
    told: (book) => [unknown(only(book, 'refund').id), refunded(first, part, asked(book))],
    expected: { amountRefunded: 1000, amountRefunding: 0, account: -1000 },
    refund: { status: 'succeeded' },
    events: ['refund.requested', 'discrepancy.opened', 'refund.succeeded']
  },
  {
    name: 'of all that there is leaves the payment captured',
    book: () => refunding(2500),
    told: (book) => [refunded(first, gbp(2500), asked(book))],
    expected: { status: 'captured', amountRefunded: 2500, account: -2500 },
    refund: { status: 'succeeded' },
    events: ['refund.requested', 'refund.succeeded']
  }
]

for (const { name, book: make, told, expected, refund, events } of courses) {
  t.test(`a refund ${name}`, async (t) => {
    const book = make()
    for (const event of told(book)) {
      t.same(apply(book, event), ['applied'])
      if (event.type === 'modificationUnknown') continue
      const after = structuredClone(book)
      t.not(apply(book, event)[0], 'early')
      t.same(book, after, `${event.type} told again changes nothing`)
    }
    t.match(standOf(book), expected)
    t.match(only(book, 'refund'), refund)
    t.same(traceOf(book).events, events)
    checkBook(t, book)
  })
}

t.test('refunded money that came again under another reference', async (t) => {
  t.test('is that of the refund of its amount, in whatever order it is told', async (t) => {
    for (const make of [() => refunding(), () => bookOf('captured')]) {
      for (const order of ordersOf([0, 1])) {
        const book = make()
        const by = book.modifications.length > 0 ? asked(book) : byHand
        const events = [refunded(first, part, by), fellThrough(first, another, part)]
        const told = order.map((place) => events[place] as ProviderEvent)
        t.same(applyPatiently(book, ...told), [])
        t.match(standOf(book), { amountRefunded: 0, amountRefunding: 0, account: 0 })
        t.match(only(book, 'refund'), { status: 'failed' })
        checkBook(t, book)
      }
    }
  })

  t.test('is never that of another amount, or of a refund that has not gone well', async (t) => {
    const book = refunding()
    apply(book, refunded(first, part, asked(book)))
    t.same(apply(book, fellThrough(first, another, gbp(999))), ['early'])
    const open = refunding()
    t.same(apply(open, fellThrough(first, another, part)), ['early'])
    t.match(standOf(open), { amountRefunding: 1000 })
  })

  t.test('is that of the last that went well, where there are two', async (t) => {
    const book = bookOf('captured')
    const refunds = [ask(book, 1000), ask(book, 1000)]
    for (const refund of refunds) apply(book, refunded(first, part, ours(refund)))
    apply(book, fellThrough(first, another, part))
    t.match(refunds, [{ status: 'succeeded' }, { status: 'failed' }])
    t.match(standOf(book), { amountRefunded: 1000, account: -1000 })
    checkBook(t, book)
  })
})

t.test('several refunds', async (t) => {
  t.test('are told apart by their references, and add up', async (t) => {
    const book = bookOf('captured')
    const [one, other] = [ask(book, 1000), ask(book, 1000)]
    t.match(standOf(book), { amountRefunding: 2000 })
    apply(book, refunded(first, part, ours(other)), refundRefused(ours(one)))
    t.match([one, other], [{ status: 'failed' }, { status: 'succeeded' }])
    apply(book, refunded(first, gbp(1500), byHand))
    t.match(standOf(book), { amountRefunded: 2500, amountRefunding: 0, account: -2500 })
    checkBook(t, book)
  })

  t.test('are never more than was captured: what is more waits', async (t) => {
    const book = bookOf('captured')
    apply(book, refunded(first, gbp(2000), byHand))
    const before = structuredClone(book)
    t.same(apply(book, refunded(first, gbp(501), requestOf(first))), ['early'])
    t.same(book, before)
  })
})

t.test('a refund told before its capture is early, and then applied', async (t) => {
  const told = [paidBy(first), captured(first, gbp(2500), byHand), refunded(first, part)]
  for (const order of ordersOf([0, 1, 2])) {
    const book = newBook({ capture: 'manual' })
    const left = applyPatiently(book, ...order.map((place) => told[place] as ProviderEvent))
    t.same(left, [])
    t.match(standOf(book), { status: 'captured', amountRefunded: 1000, account: 1500 })
    checkBook(t, book)
  }
})

t.test('a refund and a capture that fails and is taken again: one end', async (t) => {
  const by = requestOf(first)
  const told = [
    captured(first, gbp(2500), by),
    refunded(first, part, byHand),
    captureFell(first, gbp(2500), by),
    recaptured(first, gbp(2500), by)
  ]
  for (const order of ordersOf([0, 1, 2, 3])) {
    const book = bookOf('authorised')
    const left = applyPatiently(book, ...order.map((place) => told[place] as ProviderEvent))
    t.same(left, [], `${order}`)
    t.match(standOf(book), { status: 'captured', amountCaptured: 2500, account: 1500 }, `${order}`)
    checkBook(t, book)
  }
})

t.test('what is told of a refund must be true of the payment', async (t) => {
  t.test('another amount than we asked for, or another currency, is for a person', async (t) => {
    const book = refunding()
    const before = structuredClone(book)
    t.same(apply(book, refunded(first, gbp(999), asked(book))), ['unsupported'])
    t.same(apply(book, refunded(first, { currency: 'EUR', value: 1000 }, byHand)), ['unsupported'])
    t.same(book, before)
  })

  t.test('of other money is for a person', async (t) => {
    const book = bookOf('captured')
    apply(book, paidBy(second))
    t.same(apply(book, refunded(second)), ['unsupported'])
    const differing = newBook()
    apply(differing, paidBy(second, { amount: gbp(2400) }))
    t.same(apply(differing, refunded(second, gbp(2400))), ['unsupported'])
  })

  t.test("somebody else's refusal is not ours", async (t) => {
    const book = refunding()
    t.same(apply(book, refundRefused(byHand)), ['ignored'])
    t.match(standOf(book), { amountRefunding: 1000 })
  })
})

t.test('a refund after a chargeback that leaves nothing is a discrepancy', async (t) => {
  const book = bookOf('captured')
  apply(book, disputed('chargedBack'), refunded(first, part, byHand))
  t.match(standOf(book), { amountRefunded: 1000, amountChargedBack: 2500, account: -3500 })
  const { id } = only(book, 'refund')
  t.same(traceOf(book).discrepancies, [`refund_and_chargeback ${id}`])
  checkBook(t, book)
})

t.test('a refund is shown by its events as it was then', async (t) => {
  const book = refunding()
  apply(book, refunded(first, part, asked(book)))
  const { id } = only(book, 'refund')
  const shown = { id, paymentId: book.payment.id, amount: part, origin: 'client' }
  t.match(book.events, [
    { data: { refund: { ...shown, status: 'requested' } }, payment: { amountRefunding: 1000 } },
    { data: { refund: { ...shown, status: 'succeeded' } }, payment: { amountRefunded: 1000 } }
  ])
  t.match(modificationsOf(book, 'refund'), [{ providerKey: `${id}.refund.1` }])
})

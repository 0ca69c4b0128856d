import t from 'tap'
import { type Book, modificationsOf } from '../../src/lifecycle/aggregate.ts'
import { requestCancellation } from '../../src/lifecycle/request.ts'
import type { Payment } from '../../src/payments/payment.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import {
  apply,
  applyPatiently,
  bookOf,
  byHand,
  cancellationRefused,
  cancelled,
  captured,
  captureFell,
  checkBook,
  closedBy,
  contextOf,
  expiryOf,
  first,
  gbp,
  newBook,
  only,
  ordersOf,
  ours,
  paidBy,
  refunded,
  refusedBy,
  rejected,
  standOf,
  traceOf
} from './aggregates.ts'

const second = 'PSP0000000000002'

const link: Partial<Payment> = { method: 'paymentLink' }
/** A card that is charged, of whose outcome nothing is known. */
const charge: Partial<Payment> = {
  method: 'registeredCard',
  registeredCardId: 'crd_1',
  providerSession: null,
  checkoutUrl: null
}

function cancelling(book: Book): Book {
  const reason = 'The customer rang'
  const cancellation = requestCancellation(book, { reason }, contextOf(book))
  if (cancellation.providerKey !== null) cancellation.providerReference = `MOD${cancellation.id}`
  return book
}

const asked = (book: Book) => ours(only(book, 'cancellation'))

type Course = {
  name: string
  book: () => Book
  told: (book: Book) => ProviderEvent[]
  expected: Partial<ReturnType<typeof standOf>>
  cancellation: 'requested' | 'succeeded' | 'failed' | 'none'
  events: string[]
}

const atOnce = ['cancellation.succeeded', 'payment.cancelled']

const courses: Course[] = [
  {
    name: 'a pending page: at once, since it can not be closed at the provider',
    book: () => cancelling(newBook()),
    told: () => [],
    expected: { status: 'cancelled' },
    cancellation: 'succeeded',
    events: atOnce
  },
  {
    name: 'a pending page, and then it is paid: the money goes back',
    book: () => cancelling(newBook()),
    told: () => [paidBy(first)],
    expected: { status: 'cancelled', amountCaptured: 0, account: 0, clearing: 2500 },
    cancellation: 'succeeded',
    events: [...atOnce, 'reversal.requested']
  },
  {
    name: 'a link that is not open yet: at once',
    book: () => cancelling(newBook({ ...link, providerSession: null, checkoutUrl: null })),
    told: () => [],
    expected: { status: 'cancelled' },
    cancellation: 'succeeded',
    events: atOnce
  },
  {
    name: 'a link: once it is closed',
    book: () => cancelling(newBook(link)),
    told: () => [{ type: 'linkExpired' }],
    expected: { status: 'cancelled' },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce]
  },
  {
    name: 'a link that was paid before it was closed: it is paid, and there is no cancelling',
    book: () => cancelling(newBook(link)),
    told: () => [paidBy(first), { type: 'linkExpired' }],
    expected: { status: 'captured', amountCaptured: 2500, account: 2500 },
    cancellation: 'failed',
    events: ['cancellation.requested', 'payment.captured', 'cancellation.failed']
  },
  {
    name: 'a link that was paid before, which is told after: the money goes back',
    book: () => cancelling(newBook(link)),
    told: () => [{ type: 'linkExpired' }, paidBy(first)],
    expected: { status: 'cancelled', amountCaptured: 0, account: 0, clearing: 2500 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce, 'reversal.requested']
  },
  {
    name: 'a link that the provider would not close: it waits as before',
    book: () => cancelling(newBook(link)),
    told: (book) => [rejected(only(book, 'cancellation').id)],
    expected: { status: 'pending' },
    cancellation: 'failed',
    events: ['cancellation.requested', 'cancellation.failed']
  },
  {
    name: 'a charge that sent the customer to 3-D Secure: at once',
    book: () => cancelling(newBook({ ...charge, providerSession: 'CS0001' })),
    told: () => [],
    expected: { status: 'cancelled' },
    cancellation: 'succeeded',
    events: atOnce
  },
  {
    name: 'a charge that nothing is known of: by our reference',
    book: () => cancelling(newBook(charge)),
    told: (book) => [cancelled(null, asked(book))],
    expected: { status: 'cancelled' },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce]
  },
  {
    name: 'a charge by our reference, whose success is told after: it is gone',
    book: () => cancelling(newBook(charge)),
    told: (book) => [cancelled(first, asked(book)), paidBy(first)],
    expected: { status: 'cancelled', amountCaptured: 0, account: 0, clearing: 0 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce]
  },
  {
    name: 'a charge by our reference, whose success is told before: what it took is gone',
    book: () => cancelling(newBook(charge)),
    told: (book) => [paidBy(first), cancelled(first, asked(book))],
    expected: { status: 'failed', amountCaptured: 0, account: 0, clearing: 0 },
    cancellation: 'succeeded',
    events: [
      ...['cancellation.requested', 'payment.captured', 'capture.failed', 'payment.failed'],
      'cancellation.succeeded'
    ]
  },
  {
    name: 'a charge with manual capture, whose success is told before: it is cancelled',
    book: () => cancelling(newBook({ ...charge, capture: 'manual' })),
    told: (book) => [paidBy(first), cancelled(first, asked(book))],
    expected: { status: 'cancelled', amountCaptured: 0, account: 0 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', 'payment.authorised', ...atOnce]
  },
  {
    name: 'a charge that was refused meanwhile: it is refused, and cancelled all the same',
    book: () => cancelling(newBook(charge)),
    told: (book) => [refusedBy(first), cancelled(null, asked(book))],
    expected: { status: 'refused' },
    cancellation: 'succeeded',
    events: [
      ...['cancellation.requested', 'payment.attemptRefused', 'payment.refused'],
      'cancellation.succeeded'
    ]
  },
  {
    name: 'a charge of which the provider has nothing to cancel: it is cancelled',
    book: () => cancelling(newBook(charge)),
    told: (book) => [cancellationRefused(asked(book))],
    expected: { status: 'cancelled', amountCaptured: 0, account: 0 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce]
  },
  {
    name: 'a charge of which there was nothing to cancel, and then it is paid: it goes back',
    book: () => cancelling(newBook(charge)),
    told: (book) => [cancellationRefused(asked(book)), paidBy(first)],
    expected: { status: 'cancelled', amountCaptured: 0, account: 0, clearing: 2500 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce, 'reversal.requested']
  },
  {
    name: 'a charge that was paid, and then could not be cancelled: it is paid',
    book: () => cancelling(newBook(charge)),
    told: (book) => [paidBy(first), cancellationRefused(asked(book))],
    expected: { status: 'captured', amountCaptured: 2500, account: 2500 },
    cancellation: 'failed',
    events: ['cancellation.requested', 'payment.captured', 'cancellation.failed']
  },
  {
    name: 'a charge that was refused meanwhile, and could not be cancelled: it is refused',
    book: () => cancelling(newBook(charge)),
    told: (book) => [refusedBy(first), cancellationRefused(asked(book))],
    expected: { status: 'refused', amountCaptured: 0, account: 0 },
    cancellation: 'failed',
    events: [
      ...['cancellation.requested', 'payment.attemptRefused', 'payment.refused'],
      'cancellation.failed'
    ]
  },
  {
    name: 'a charge that the provider would not cancel: whatever becomes of it',
    book: () => cancelling(newBook(charge)),
    told: (book) => [rejected(only(book, 'cancellation').id), paidBy(first)],
    expected: { status: 'captured', amountCaptured: 2500, account: 2500 },
    cancellation: 'failed',
    events: ['cancellation.requested', 'cancellation.failed', 'payment.captured']
  },
  {
    name: 'a reservation: once it is told',
    book: () => cancelling(bookOf('authorised')),
    told: (book) => [cancelled(first, asked(book))],
    expected: { status: 'cancelled', amountCaptured: 0 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce]
  },
  {
    name: 'a reservation, by somebody at the provider: ours is done with it',
    book: () => cancelling(bookOf('authorised')),
    told: () => [cancelled(first, byHand)],
    expected: { status: 'cancelled', amountCaptured: 0 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', ...atOnce]
  },
  {
    name: 'a reservation that the provider refused: it is reserved as it was',
    book: () => cancelling(bookOf('authorised')),
    told: (book) => [cancellationRefused(asked(book))],
    expected: { status: 'authorised' },
    cancellation: 'failed',
    events: ['cancellation.requested', 'cancellation.failed']
  },
  {
    name: 'a reservation that was captured meanwhile: it is captured',
    book: () => cancelling(bookOf('authorised')),
    told: (book) => [captured(first), cancellationRefused(asked(book))],
    expected: { status: 'captured', amountCaptured: 2500, account: 2500 },
    cancellation: 'failed',
    events: [
      ...['cancellation.requested', 'capture.succeeded', 'payment.captured'],
      'cancellation.failed'
    ]
  },
  {
    name: 'a reservation that expired meanwhile: it is expired',
    book: () => cancelling(bookOf('authorised')),
    told: (book) => [expiryOf(first), cancelled(first, asked(book))],
    expected: { status: 'expired', amountCaptured: 0 },
    cancellation: 'succeeded',
    events: ['cancellation.requested', 'payment.expired', 'cancellation.succeeded']
  },
  {
    name: 'a reservation in the Customer Area: by the provider',
    book: () => bookOf('authorised'),
    told: () => [cancelled(first, byHand)],
    expected: { status: 'cancelled', amountCaptured: 0 },
    cancellation: 'succeeded',
    events: atOnce
  },
  {
    name: 'what is left of a reservation that was captured in part: nothing moves',
    book: () => {
      const book = bookOf('authorised')
      apply(book, captured(first, gbp(1000), byHand))
      return book
    },
    told: () => [cancelled(first)],
    expected: { status: 'captured', amountCaptured: 1000, account: 1000 },
    cancellation: 'none',
    events: ['capture.succeeded', 'payment.captured']
  },
  {
    name: 'an automatically captured payment in the Customer Area: it was not taken after all',
    book: () => bookOf('captured'),
    told: () => [cancelled(first, byHand)],
    expected: { status: 'failed', amountCaptured: 0, account: -2500 },
    cancellation: 'succeeded',
    events: ['capture.failed', 'payment.failed', 'cancellation.succeeded']
  },
  {
    name: 'an automatically captured payment whose capture failed already: once',
    book: () => bookOf('captured'),
    told: () => [captureFell(first), cancelled(first, byHand)],
    expected: { status: 'failed', amountCaptured: 0, account: -2500 },
    cancellation: 'succeeded',
    events: ['capture.failed', 'payment.failed', 'cancellation.succeeded']
  },
  {
    name: 'second money, by hand: its reversal is done with it',
    book: () => {
      const book = bookOf('captured')
      apply(book, paidBy(second))
      return book
    },
    told: () => [cancelled(second, byHand)],
    expected: { status: 'captured', amountCaptured: 2500, account: 0, clearing: 0 },
    cancellation: 'none',
    events: ['reversal.requested', 'reversal.succeeded']
  }
]

for (const { name, book: make, told, expected, cancellation, events } of courses) {
  t.test(`cancelling ${name}`, async (t) => {
    const book = make()
    for (const event of told(book)) {
      const [effect] = apply(book, event)
      t.ok(effect === 'applied' || cancellation === 'none', `${event.type} is ${effect}`)
      const after = structuredClone(book)
      t.not(apply(book, event)[0], 'early')
      t.same(book, after, `${event.type} told again changes nothing`)
    }
    t.match(standOf(book), expected)
    if (expected.status === 'cancelled' && cancellation === 'succeeded') {
      const own = book.authorisations.filter(({ disposition }) => disposition !== 'reversing')
      t.match(
        own,
        own.map(() => ({ disposition: 'released' }))
      )
    }
    const all = modificationsOf(book, 'cancellation')
    if (cancellation === 'none') t.same(all, [])
    else t.match(all, [{ status: cancellation }])
    t.same(traceOf(book).events, events)
    checkBook(t, book)
  })
}

t.test('a cancellation by our reference leaves no money, in whatever order', async (t) => {
  for (const capture of ['automatic', 'manual'] as const) {
    for (const order of ordersOf([0, 1])) {
      const book = cancelling(newBook({ ...charge, capture }))
      const events = [paidBy(first), cancelled(first, asked(book))]
      const left = applyPatiently(book, ...order.map((place) => events[place] as ProviderEvent))
      t.same(left, [])
      t.match(standOf(book), { amountCaptured: 0, account: 0, clearing: 0 })
      t.match(only(book, 'cancellation'), { status: 'succeeded', failure: null })
      checkBook(t, book)
    }
  }
})

t.test('a cancellation that nobody of ours asked for waits for its authorisation', async (t) => {
  const book = newBook({ capture: 'manual' })
  t.same(apply(book, cancelled(first, byHand)), ['early'])
  t.same(apply(book, paidBy(first), cancelled(first, byHand)), ['applied', 'applied'])
  t.equal(book.payment.status, 'cancelled')
  t.match(only(book, 'cancellation'), { origin: 'provider', providerReference: 'MODBYHAND' })
})

t.test('a refunded payment that is told to be cancelled waits until it comes back', async (t) => {
  const book = bookOf('captured')
  apply(book, refunded(first, gbp(1000), byHand))
  const before = structuredClone(book)
  t.same(apply(book, cancelled(first)), ['early'])
  t.same(book, before)
})

t.test('a cancellation says who, why, and of what', async (t) => {
  const book = cancelling(bookOf('authorised'))
  t.match(book.events, [
    {
      type: 'cancellation.requested',
      data: {
        cancellation: {
          id: /^can_/,
          paymentId: book.payment.id,
          amount: gbp(2500),
          status: 'requested',
          origin: 'client',
          reason: 'The customer rang',
          failure: null
        }
      }
    }
  ])
  t.match(only(book, 'cancellation'), { authorisation: first, providerKey: /^can_.*\.cancel/ })
  t.equal(only(cancelling(newBook()), 'cancellation').providerKey, null, 'nothing is asked')
  t.match(only(cancelling(newBook(charge)), 'cancellation'), { authorisation: null })
})

t.test('what the customer has ended is not cancelled by a late word', async (t) => {
  const book = cancelling(newBook(link))
  apply(book, closedBy('customer'), { type: 'linkExpired' })
  t.match(book.payment, { status: 'cancelled', cancelledBy: 'customer' })
  t.match(only(book, 'cancellation'), { status: 'failed' })
  checkBook(t, book)
})

import t from 'tap'
import { type Book, modificationsOf } from '../../src/lifecycle/aggregate.ts'
import type { Modification } from '../../src/lifecycle/operation.ts'
import {
  approveRefund,
  type RefundAsked,
  rejectRefund,
  requestCancellation,
  requestCapture,
  requestRefund
} from '../../src/lifecycle/request.ts'
import type { Money } from '../../src/money.ts'
import { amountRefundable, type Operator, type Payment } from '../../src/payments/payment.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import {
  apply,
  bookOf,
  byHand,
  captured,
  captureFell,
  captureRefused,
  checkBook,
  contextOf,
  disputed,
  first,
  gbp,
  only,
  ours,
  price,
  recordedElsewhere,
  refunded,
  refundRefused,
  standOf,
  traceOf
} from './aggregates.ts'

const anna: Operator = { id: 'anna', reason: 'The customer rang' }
const bert: Operator = { id: 'bert' }

function capture(book: Book, value: number | null = null, several = false) {
  const amount = value === null ? null : gbp(value)
  return requestCapture(book, { amount, several }, contextOf(book))
}

const cancel = (book: Book) => requestCancellation(book, { reason: null }, contextOf(book))

function refund(book: Book, value: number, changes: Partial<RefundAsked> = {}, above?: number) {
  const asked = { reason: null, operator: null, amountRefundable: null, processor: null }
  const whole = { amount: gbp(value), ...asked, ...changes }
  return requestRefund(book, whole, above ?? null, contextOf(book))
}

type Refusal = {
  name: string
  book: () => Book
  ask: (book: Book) => unknown
  code: string
  pointers?: string[]
}

const captures: Refusal[] = [
  ...(['pending', 'captured', 'refused', 'cancelled', 'expired', 'failed'] as const).map(
    (status) => ({
      name: `of a payment that is ${status}`,
      book: () => bookOf(status),
      ask: capture,
      code: 'payment_not_capturable'
    })
  ),
  {
    name: 'of a payment that is captured automatically, where several are allowed',
    book: () => bookOf('captured'),
    ask: (book) => capture(book, 1, true),
    code: 'payment_not_capturable'
  },
  {
    name: 'while another one is under way',
    book: () => after(bookOf('authorised'), (book) => capture(book, 1000)),
    ask: (book) => capture(book, 1000),
    code: 'payment_not_capturable'
  },
  {
    name: 'after another one, which lets the rest go',
    book: () =>
      after(bookOf('authorised'), (book) =>
        told(book, captured(first, gbp(1000), ours(capture(book, 1000))))
      ),
    ask: (book) => capture(book, 1000),
    code: 'payment_not_capturable'
  },
  {
    name: 'while a cancellation is under way',
    book: () => after(bookOf('authorised'), cancel),
    ask: (book) => capture(book, 1000, true),
    code: 'payment_not_capturable'
  },
  {
    name: 'of more than is reserved',
    book: () => bookOf('authorised'),
    ask: (book) => capture(book, 2501),
    code: 'capture_exceeds_authorised',
    pointers: ['/amount/value']
  },
  {
    name: 'of more than the others have left',
    book: () => after(bookOf('authorised'), (book) => capture(book, 1000, true)),
    ask: (book) => capture(book, 1501, true),
    code: 'capture_exceeds_authorised',
    pointers: ['/amount/value']
  },
  {
    name: 'of nothing, since all is captured',
    book: () =>
      after(bookOf('authorised'), (book) =>
        told(book, captured(first, price, ours(capture(book, null, true))))
      ),
    ask: (book) => capture(book, null, true),
    code: 'capture_exceeds_authorised'
  },
  {
    name: 'of nothing, since somebody at the provider took what was asked for already',
    book: () =>
      after(
        bookOf('authorised'),
        (book) => capture(book, null, true),
        (book) => told(book, captured(first, gbp(1000), byHand))
      ),
    ask: (book) => capture(book, null, true),
    code: 'capture_exceeds_authorised'
  },
  {
    name: 'in another currency',
    book: () => bookOf('authorised'),
    ask: (book) => {
      const amount = { currency: 'EUR', value: 1 }
      return requestCapture(book, { amount, several: false }, contextOf(book))
    },
    code: 'currency_mismatch',
    pointers: ['/amount/currency']
  }
]

const cancellations: Refusal[] = [
  ...(['captured', 'refused', 'cancelled', 'expired', 'failed'] as const).map((status) => ({
    name: `of a payment that is ${status}`,
    book: () => bookOf(status),
    ask: cancel,
    code: 'payment_not_cancellable'
  })),
  {
    name: 'while another one is under way',
    book: () => after(bookOf('authorised'), cancel),
    ask: cancel,
    code: 'payment_not_cancellable'
  },
  {
    name: 'while a capture is under way',
    book: () => after(bookOf('authorised'), (book) => capture(book, 1000)),
    ask: cancel,
    code: 'payment_not_cancellable'
  }
]

const processor = { name: 'acme', reference: 'R1' }
const refunds: Refusal[] = [
  ...(['pending', 'authorised', 'refused', 'cancelled', 'expired', 'failed'] as const).map(
    (status) => ({
      name: `of a payment that is ${status}`,
      book: () => bookOf(status),
      ask: (book: Book) => refund(book, 1),
      code: 'payment_not_refundable'
    })
  ),
  {
    name: 'of more than was captured',
    book: () => bookOf('captured'),
    ask: (book) => refund(book, 2501),
    code: 'refund_exceeds_captured',
    pointers: ['/amount/value']
  },
  {
    name: 'of more than another one has left',
    book: () => after(bookOf('captured'), (book) => refund(book, 2000)),
    ask: (book) => refund(book, 501),
    code: 'refund_exceeds_captured'
  },
  {
    name: 'where less can be refunded than was last seen',
    book: () => after(bookOf('captured'), (book) => refund(book, 1000)),
    ask: (book) => refund(book, 100, { amountRefundable: 2500 }),
    code: 'precondition_failed'
  },
  {
    name: 'while a dispute is open',
    book: () => after(bookOf('captured'), (book) => told(book, disputed('notified'))),
    ask: (book) => refund(book, 1),
    code: 'payment_disputed'
  },
  {
    name: 'in another currency',
    book: () => bookOf('captured'),
    ask: (book) => refund(book, 1, { amount: { currency: 'EUR', value: 1 } }),
    code: 'currency_mismatch',
    pointers: ['/amount/currency']
  },
  {
    name: 'above the limit, without saying who asks',
    book: () => bookOf('captured'),
    ask: (book) => refund(book, 1001, {}, 1000),
    code: 'request_invalid',
    pointers: ['/operator']
  },
  {
    name: 'by a processor, of a payment that Adyen took',
    book: () => bookOf('captured'),
    ask: (book) => refund(book, 1, { processor }),
    code: 'request_invalid',
    pointers: ['/processor']
  },
  {
    name: 'with every fault of a field at once',
    book: () => bookOf('captured'),
    ask: (book) => refund(book, 1001, { processor }, 1000),
    code: 'request_invalid',
    pointers: ['/processor', '/operator']
  },
  {
    name: 'of a recorded payment, by nobody',
    book: () => bookOf('captured', recordedElsewhere),
    ask: (book) => refund(book, 1),
    code: 'request_invalid',
    pointers: ['/processor']
  }
]

/** A provider that counts whole units only, of a currency that has two decimals here. */
const canExpress = ({ value }: Money) => value % 100 === 0
const finest: ReadonlyArray<[name: string, amount: Money, canExpress: (amount: Money) => boolean]> =
  [
    ['a part that the provider can not express', { currency: 'IDR', value: 150 }, canExpress],
    ['a part that billing can not hold', { currency: 'BHD', value: 1001 }, () => true]
  ]
for (const [name, amount, canExpress] of finest) {
  const whole = { amount: { ...amount, value: 10_000 } }
  const expected = { code: 'amount_not_representable', pointers: ['/amount/value'] }
  captures.push({
    name: `of ${name}`,
    book: () => bookOf('authorised', whole),
    ask: (book) => requestCapture(book, { amount, several: false, canExpress }, contextOf(book)),
    ...expected
  })
  refunds.push({
    name: `of ${name}`,
    book: () => bookOf('captured', { ...whole, amountCaptured: 10_000 }),
    ask: (book) => refund(book, 1, { amount, canExpress }),
    ...expected
  })
}

for (const [what, all] of Object.entries({ captures, cancellations, refunds })) {
  for (const { name, book: make, ask, code, pointers } of all) {
    t.test(`${what}: ${name} is ${code}`, async (t) => {
      const book = make()
      const before = structuredClone(book)
      const problem = caught(() => ask(book))
      t.equal(problem.code, code)
      if (pointers)
        t.same(
          problem.errors?.map(({ pointer }) => pointer),
          pointers
        )
      t.same(book, before, 'nothing is changed')
    })
  }
}

function after(book: Book, ...steps: Array<(book: Book) => unknown>): Book {
  for (const step of steps) step(book)
  return book
}

function told(book: Book, ...events: ProviderEvent[]): void {
  const effects = apply(book, ...events)
  if (effects.some((effect) => effect !== 'applied')) throw new Error(effects.join())
}

type Caught = { code?: string; errors?: Array<{ pointer: string }>; message: string }
function caught(ask: () => unknown): Caught {
  try {
    ask()
  } catch (error) {
    return error as Caught
  }
  throw new Error('it was not refused')
}

t.test('a capture', async (t) => {
  t.test('is of all that is reserved, unless it says how much', async (t) => {
    t.match(capture(bookOf('authorised')), {
      id: /^cap_/,
      kind: 'capture',
      authorisation: first,
      amount: price,
      status: 'requested',
      origin: 'client',
      providerKey: /^cap_\w+\.capture\.1$/
    })
    t.match(capture(bookOf('authorised'), 1000), { amount: gbp(1000) })
    t.match(capture(bookOf('authorised'), 2500), { amount: price })
  })

  t.test('moves nothing before it is told', async (t) => {
    const book = bookOf('authorised')
    capture(book)
    t.match(standOf(book), { status: 'authorised', amountCaptured: 0, account: 0 })
    t.same(traceOf(book).events, ['capture.requested'])
    checkBook(t, book)
  })

  t.test('one of several is of what the others have left', async (t) => {
    const book = bookOf('authorised')
    capture(book, 1000, true)
    t.match(capture(book, null, true), { amount: gbp(1500) })
    for (const one of modificationsOf(book, 'capture')) {
      told(book, captured(first, one.amount, ours(one)))
    }
    t.match(standOf(book), { amountCaptured: 2500, account: 2500 })
    checkBook(t, book)
  })

  t.test('that came to nothing may be asked for again', async (t) => {
    const book = bookOf('authorised')
    const one = capture(book)
    told(book, captureRefused(ours(one)))
    const other = capture(book)
    t.not(other.id, one.id)
    t.not(other.providerKey, one.providerKey)
    checkBook(t, book)
  })

  t.test('of a payment whose capture failed later is not asked for: it has failed', async (t) => {
    const book = bookOf('authorised')
    const by = ours(capture(book))
    told(book, captured(first, price, by), captureFell(first, price, by))
    t.equal(caught(() => capture(book)).code, 'payment_not_capturable')
  })
})

t.test('what the provider can not express may be given back by another processor', async (t) => {
  const amount = { currency: 'IDR', value: 150 }
  const book = bookOf('captured', {
    ...recordedElsewhere,
    amount: { ...amount, value: 10_000 },
    amountCaptured: 10_000
  })
  t.match(refund(book, 1, { amount, processor, canExpress }), { status: 'succeeded', amount })
})

t.test('a cancellation after a capture that was refused is asked for', async (t) => {
  const book = bookOf('authorised')
  told(book, captureRefused(ours(capture(book))))
  t.match(cancel(book), { status: 'requested', authorisation: first })
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
    const { payment } = bookOf('captured', { amountCaptured: 0, ...changes })
    t.equal(amountRefundable(payment), refundable, JSON.stringify(changes))
  }

  t.test('follows what becomes of every refund and chargeback', async (t) => {
    const book = bookOf('captured')
    const leaves = (refundable: number, what: string) => {
      t.equal(amountRefundable(book.payment), refundable, what)
      t.equal(
        caught(() => refund(structuredClone(book), refundable + 1)).code,
        book.disputes.some(({ status }) => status === 'open')
          ? 'payment_disputed'
          : 'refund_exceeds_captured'
      )
      checkBook(t, book)
    }
    const waiting = refund(book, 1000, { operator: anna }, 999)
    leaves(1500, 'one waits for approval')
    const requested = refund(book, 500)
    leaves(1000, 'one is requested')
    told(book, refunded(first, gbp(500), ours(requested)))
    leaves(1000, 'it succeeded')
    approveRefund(book, waiting, bert, contextOf(book))
    leaves(1000, 'the other is approved')
    told(book, refundRefused(ours(waiting)))
    leaves(2000, 'it was refused')
    const another = refund(book, 700, { operator: anna }, 1)
    leaves(1300, 'one waits for approval')
    rejectRefund(book, another, bert, contextOf(book))
    leaves(2000, 'it is rejected')
    told(book, refunded(first, gbp(300), byHand))
    leaves(1700, 'one in the Customer Area')
    told(book, disputed('chargedBack', { amount: gbp(800) }))
    leaves(900, 'charged back')
    told(book, disputed('reversed', { amount: gbp(800) }), disputed('issuerTimeEnded'))
    leaves(1700, 'the chargeback was reversed')
    t.match(refund(book, 1700, { amountRefundable: 1700 }), { status: 'requested' })
  })
})

t.test('a refund is reserved, and asked of the provider', async (t) => {
  const book = bookOf('captured')
  t.match(refund(book, 1000, { reason: 'Wrong tariff', operator: anna, amountRefundable: 2500 }), {
    id: /^ref_/,
    authorisation: first,
    status: 'requested',
    origin: 'client',
    reason: 'Wrong tariff',
    operator: anna,
    providerKey: /^ref_\w+\.refund\.1$/
  })
  t.match(standOf(book), { amountRefunded: 0, amountRefunding: 1000, account: 0 })
  t.same(traceOf(book).events, ['refund.requested'])
  checkBook(t, book)
})

t.test('a refund above the limit waits for another operator', async (t) => {
  const waiting = () => {
    const book = bookOf('captured')
    return { book, one: refund(book, 1001, { operator: anna }, 1000) }
  }

  t.test('at the limit it does not', async (t) => {
    t.match(refund(bookOf('captured'), 1000, {}, 1000), { status: 'requested' })
    t.match(refund(bookOf('captured'), 2500), { status: 'requested' }, 'nor without a limit')
    t.match(refund(bookOf('captured'), 1, { operator: anna }, 0), { status: 'awaitingApproval' })
  })

  t.test('meanwhile it reserves, and nothing is asked', async (t) => {
    const { book, one } = waiting()
    t.match(one, { status: 'awaitingApproval', decision: null, providerReference: null })
    t.match(standOf(book), { amountRefunding: 1001 })
    t.same(traceOf(book).events, ['refund.awaitingApproval'])
    checkBook(t, book)
  })

  t.test('approved, it is requested: two events', async (t) => {
    const { book, one } = waiting()
    approveRefund(book, one, bert, contextOf(book))
    const at = contextOf(book).now.toISOString()
    t.match(one, { status: 'requested', decision: { operator: bert, at } })
    t.same(traceOf(book).events.slice(1), ['refund.approved', 'refund.requested'])
    t.match(standOf(book), { amountRefunding: 1001 })
    told(book, refunded(first, gbp(1001), ours(one)))
    t.match(standOf(book), { amountRefunding: 0, amountRefunded: 1001, account: -1001 })
    checkBook(t, book)
  })

  t.test('rejected, it reserves no more', async (t) => {
    const { book, one } = waiting()
    rejectRefund(book, one, { id: 'bert', reason: 'No receipt' }, contextOf(book))
    t.match(one, { status: 'rejected', decision: { operator: { reason: 'No receipt' } } })
    t.same(traceOf(book).events.slice(1), ['refund.rejected'])
    t.match(standOf(book), { amountRefunding: 0, amountRefunded: 0 })
    checkBook(t, book)
  })

  t.test('whoever asked does not decide, however the name is written', async (t) => {
    for (const id of ['anna', 'ANNA', ' Anna ', 'anna\t']) {
      for (const decide of [approveRefund, rejectRefund]) {
        const { book, one } = waiting()
        const problem = caught(() => decide(book, one, { id }, contextOf(book)))
        t.match(problem, { code: 'approver_is_requester', errors: [{ pointer: '/operator/id' }] })
        t.match(one, { status: 'awaitingApproval', decision: null })
        t.match(standOf(book), { amountRefunding: 1001 })
      }
    }
  })

  t.test('it is decided once', async (t) => {
    for (const decide of [approveRefund, rejectRefund]) {
      for (const again of [approveRefund, rejectRefund]) {
        const { book, one } = waiting()
        decide(book, one, bert, contextOf(book))
        const before = structuredClone(book)
        const problem = caught(() => again(book, one, { id: 'carl' }, contextOf(book)))
        t.equal(problem.code, 'refund_not_awaiting_approval')
        t.same(book, before)
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
      ['a capture that failed', [captureFell(first)], 'refund_exceeds_captured']
    ]
    for (const [name, events, code] of changes) {
      const { book, one } = waiting()
      told(book, ...events)
      const approve = () => approveRefund(book, one, bert, contextOf(book))
      if (code === undefined) {
        approve()
        t.match(one, { status: 'requested' }, name)
        checkBook(t, book)
      } else {
        const before = structuredClone(book)
        t.equal(caught(approve).code, code, name)
        t.same(book, before, `${name}: nothing is changed`)
        rejectRefund(book, one, bert, contextOf(book))
        t.match(standOf(book), { amountRefunding: 0 }, 'it may still be rejected')
      }
    }
  })
})

t.test('the refund of a recorded payment was made already', async (t) => {
  const book = bookOf('captured', { ...recordedElsewhere, authorisation: null })
  const one = refund(book, 1000, { processor })
  t.match(one, {
    status: 'succeeded',
    processor,
    authorisation: null,
    providerKey: null,
    origin: 'client'
  } satisfies Partial<Modification>)
  t.match(standOf(book), { amountRefunded: 1000, amountRefunding: 0, account: -1000 })
  t.same(traceOf(book).postings, [`recordedRefund ${only(book, 'refund').id} 1000`])
  t.same(traceOf(book).events, ['refund.succeeded'])
  t.equal(caught(() => refund(book, 1501, { processor })).code, 'refund_exceeds_captured')
  t.match(refund(book, 1500, { processor }, 1), { status: 'succeeded' }, 'no approval is needed')
  checkBook(t, book)
})

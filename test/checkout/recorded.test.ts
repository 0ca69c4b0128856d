import t from 'tap'
import {
  type EarlierPayment,
  findDifference,
  type RecordedOutcome,
  recordOutcome
} from '../../src/checkout/recorded.ts'
import {
  apply,
  bookOf,
  checkBook,
  contextOf,
  declined,
  disputed,
  gbp,
  newBook,
  newPayment,
  price,
  recordedElsewhere,
  standOf,
  traceOf,
  visa
} from '../lifecycle/aggregates.ts'

const another = { id: 'pay_other', clientId: 'cli_another' }

function recorded(told: RecordedOutcome, duplicate?: EarlierPayment) {
  const book = newBook(recordedElsewhere)
  recordOutcome(book, told, duplicate, contextOf(book))
  return book
}

t.test('a payment that was captured elsewhere is posted, and owed by its processor', async (t) => {
  const book = recorded({ outcome: 'captured', card: visa })
  t.match(book.payment, { card: visa, authorisation: null, failure: null })
  t.match(standOf(book), { status: 'captured', amountCaptured: 2500, account: 2500 })
  t.same(traceOf(book), {
    status: 'captured',
    events: ['payment.captured'],
    postings: [`recordedPayment ${book.payment.id} 2500`],
    discrepancies: []
  })
  checkBook(t, book)
})

t.test('a payment that was refused elsewhere is refused, and moves nothing', async (t) => {
  const book = recorded({ outcome: 'refused', card: null, failure: declined }, another)
  t.match(book.payment, { status: 'refused', failure: declined, card: null })
  t.same(traceOf(book), {
    status: 'refused',
    events: ['payment.refused'],
    postings: [],
    discrepancies: []
  })
  checkBook(t, book)
})

t.test('one that looks like another is recorded all the same, with a discrepancy', async (t) => {
  const book = recorded({ outcome: 'captured', card: null }, another)
  t.equal(book.payment.status, 'captured')
  t.match(book.discrepancies, [
    {
      kind: 'possible_duplicate',
      fact: book.payment.id,
      details: { paymentId: book.payment.id, duplicateOf: 'pay_other' }
    }
  ])
  checkBook(t, book)
})

t.test('the event of it names the other one only to its own client', async (t) => {
  const paymentId = newPayment().id
  for (const [clientId, details] of [
    [newPayment().clientId, { paymentId, duplicateOf: 'pay_other' }],
    ['cli_another', { paymentId }]
  ] as const) {
    const book = recorded({ outcome: 'captured', card: null }, { id: 'pay_other', clientId })
    const [discrepancy] = book.discrepancies
    t.match(discrepancy, { details: { duplicateOf: 'pay_other' } })
    const { id, kind } = discrepancy ?? {}
    t.same(book.events.at(-1)?.data, { discrepancy: { id, kind, details } })
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
  const book = bookOf('captured', recordedElsewhere)
  apply(book, disputed('chargedBack'))
  const { accountId, amount } = book.payment
  t.equal(findDifference(book.payment, { accountId, amount, outcome: 'captured' }), undefined)
  const refused = newPayment({ ...recordedElsewhere, status: 'refused' })
  t.equal(findDifference(refused, { accountId, amount, outcome: 'refused' }), undefined)
})

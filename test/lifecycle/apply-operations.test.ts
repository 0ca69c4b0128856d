import t from 'tap'
import { addModification, type Book } from '../../src/lifecycle/aggregate.ts'
import {
  isSame,
  isUnderWay,
  type Modification,
  modificationKinds,
  newModification,
  toModificationView
} from '../../src/lifecycle/operation.ts'
import {
  apply,
  bookOf,
  checkBook,
  contextOf,
  first,
  newContext,
  paidBy,
  price,
  rejected,
  traceOf,
  unknown
} from './aggregates.ts'

const second = 'PSP0000000000002'

/** A payment of which a request of this kind waits for its outcome. */
function waiting(kind: Modification['kind']): { book: Book; one: Modification } {
  const book = bookOf(kind === 'refund' || kind === 'reversal' ? 'captured' : 'authorised')
  if (kind === 'reversal') apply(book, paidBy(second))
  else {
    addModification(book, { kind, authorisation: first, amount: price }, contextOf(book))
    if (kind === 'refund') book.payment.amountRefunding = price.value
  }
  const [one] = book.modifications
  return { book, one: one as Modification }
}

for (const kind of modificationKinds) {
  t.test(`a ${kind} that the provider rejects has failed, and nothing moves`, async (t) => {
    const { book, one } = waiting(kind)
    const { status } = book.payment
    const postings = book.postings.length
    const events = book.events.length
    t.same(apply(book, rejected(one.id), rejected(one.id)), ['applied', 'ignored'])
    t.match(one, {
      status: 'failed',
      failure: { code: 'provider_rejected', message: 'Transaction not found', retryable: true }
    })
    t.equal(book.payment.status, status)
    t.equal(book.postings.length, postings)
    t.same(traceOf(book).events.slice(events), [
      `${kind}.failed`,
      ...(kind === 'reversal' ? ['discrepancy.opened'] : [])
    ])
    checkBook(t, book)
  })

  t.test(`a ${kind} of which nothing is heard still waits, and is a discrepancy`, async (t) => {
    const { book, one } = waiting(kind)
    t.same(apply(book, unknown(one.id)), ['applied'])
    t.match(one, { status: 'requested', failure: null })
    t.match(book.discrepancies, [
      {
        kind: 'outcome_unknown',
        fact: one.id,
        details: { [`${kind}Id`]: one.id, authorisation: one.authorisation }
      }
    ])
    t.same(apply(book, rejected(one.id)), ['applied'], 'it may still be told')
    t.same(apply(book, unknown(one.id)), ['ignored'])
  })
}

t.test('a request of another payment is none of this one', async (t) => {
  const { book } = waiting('capture')
  const before = structuredClone(book)
  t.same(apply(book, rejected('cap_other'), unknown('cap_other')), ['ignored', 'ignored'])
  t.same(book, before)
})

t.test('a request is ours by either reference, and has a key only where we ask', async (t) => {
  const given = { kind: 'refund', authorisation: first, amount: price } as const
  const one = newModification(given, newContext())
  t.match(one, { id: 'ref_0000000000000001', origin: 'client', successes: 0, failures: 0 })
  t.equal(one.providerKey, 'ref_0000000000000001.refund.1')
  t.ok(isUnderWay(one))
  t.notOk(isSame(one, { providerReference: 'MOD', reference: 'other' }))
  t.ok(isSame(one, { providerReference: 'MOD', reference: one.id }))
  t.ok(
    isSame({ ...one, providerReference: 'MOD' }, { providerReference: 'MOD', reference: 'other' })
  )
  const theirs = newModification({ ...given, origin: 'provider' }, newContext())
  t.equal(theirs.providerKey, null)
})

t.test('what a client sees of each kind', async (t) => {
  const shown = (kind: Modification['kind'], changes: Partial<Modification> = {}) =>
    toModificationView(
      newModification({ kind, authorisation: first, amount: price, ...changes }, newContext()),
      { id: 'pay_1' }
    )
  const shared = {
    paymentId: 'pay_1',
    amount: price,
    status: 'requested',
    failure: null,
    origin: 'client',
    createdAt: newContext().now.toISOString()
  }
  t.same(shown('capture'), { id: 'cap_0000000000000001', ...shared })
  t.same(shown('cancellation', { reason: 'why' }), {
    id: 'can_0000000000000001',
    ...shared,
    reason: 'why'
  })
  t.same(shown('reversal'), { id: 'rev_0000000000000001', ...shared, authorisation: first })
  t.same(shown('refund', { operator: { id: 'anna' } }), {
    id: 'ref_0000000000000001',
    ...shared,
    reason: null,
    operator: { id: 'anna' },
    decision: null,
    processor: null
  })
})

import fc from 'fast-check'
import t from 'tap'
import {
  isCustomerCredit,
  isCustomerDebit,
  type NamedAllocation,
  type PostingKind,
  postings
} from '../../src/ledger/ledger.ts'
import {
  type Allocation,
  match,
  matchNamed,
  type OpenCredit,
  type Owed
} from '../../src/ledger/matching.ts'

function charge(id: string, openAmount: number, due = 1, inQuery = false): Owed {
  return { kind: 'charge', id, openAmount, dueAt: new Date(Date.UTC(2026, 0, due)), inQuery }
}
function debit(id: string, openAmount: number): Owed {
  return { kind: 'debit', id, openAmount, dueAt: null, inQuery: false }
}
function credit(openAmount: number, transferId = 'txn'): OpenCredit {
  return { transferId, paymentId: null, openAmount }
}

const toText = ({ id, amount }: Allocation) => `${id}: ${amount}`

/** What one credit pays, as `id: amount`. */
function paid(amount: number, owed: Owed[]): string[] {
  return match([credit(amount)], owed).map(toText)
}

t.test('the charge of exactly that amount is paid, though another is older', async (t) => {
  t.same(paid(500, [charge('a', 400, 1), charge('b', 500, 9), charge('c', 600, 2)]), ['b: 500'])
})

t.test('of two charges of exactly that amount the older is paid', async (t) => {
  t.same(paid(500, [charge('a', 500, 9), charge('b', 500, 2)]), ['b: 500'])
})

t.test('of two charges due at the same time the smaller id is paid first', async (t) => {
  t.same(paid(500, [charge('b', 500), charge('a', 500)]), ['a: 500'])
  t.same(paid(700, [charge('b', 500), charge('a', 400)]), ['a: 400', 'b: 300'])
})

t.test('without an exact amount the oldest is paid first, the last in part', async (t) => {
  const charges = [charge('a', 400, 3), charge('b', 500, 1), charge('c', 300, 2)]
  t.same(paid(600, charges), ['b: 500', 'c: 100'])
})

t.test('a charge that is paid in part already is exact by what is open of it', async (t) => {
  const credits = [credit(600, 'first'), credit(200, 'second')]
  t.same(match(credits, [charge('a', 500, 1), charge('b', 300, 2), charge('c', 100, 3)]), [
    { transferId: 'first', kind: 'charge', id: 'a', amount: 500 },
    { transferId: 'first', kind: 'charge', id: 'b', amount: 100 },
    { transferId: 'second', kind: 'charge', id: 'b', amount: 200 }
  ])
})

t.test('a charge in query is skipped, even one of exactly that amount', async (t) => {
  t.same(paid(500, [charge('a', 500, 1, true), charge('b', 700, 2)]), ['b: 500'])
  t.same(paid(500, [charge('a', 500, 1, true)]), [])
})

t.test('what no charge takes is left over', async (t) => {
  t.same(paid(900, [charge('a', 400), charge('b', 300, 2)]), ['a: 400', 'b: 300'])
  t.same(paid(900, []), [])
})

t.test('a paid charge takes nothing', async (t) => {
  t.same(paid(500, [charge('a', 0, 1), charge('b', 800, 2)]), ['b: 500'])
})

t.test('an open debit is older than every charge, and exact like one', async (t) => {
  const owed = [charge('a', 400, -9_999_999), debit('y', 200), debit('x', 300)]
  t.same(paid(600, owed), ['x: 300', 'y: 200', 'a: 100'])
  t.same(paid(400, owed), ['a: 400'], 'the exact amount goes before age')
  t.same(paid(200, owed), ['y: 200'])
  t.same(paid(300, [charge('a', 300), debit('x', 300)]), ['x: 300'])
})

const named: ReadonlyArray<
  readonly [what: string, amount: number, named: NamedAllocation[], paid: string[]]
> = [
  ['in the order of their names', 900, [of('c', 9_999), of('a', 9_999)], ['c: 300', 'a: 400']],
  ['up to the amount named', 900, [of('a', 150), of('b', 50)], ['a: 150', 'b: 50']],
  ['up to what is left', 500, [of('a', 400), of('b', 400)], ['a: 400', 'b: 100']],
  [
    'up to what is open, though named twice',
    900,
    [of('a', 300), of('a', 300)],
    ['a: 300', 'a: 100']
  ],
  ['even in query', 900, [of('q', 600)], ['q: 600']],
  ["not another account's", 900, [of('other', 100), of('a', 100)], ['a: 100']],
  ['not a debit, whatever its id', 900, [of('d', 100)], []],
  ['none where none is named', 900, [], []]
]

function of(chargeId: string, amount: number): NamedAllocation {
  return { chargeId, amount }
}

for (const [what, amount, names, expected] of named) {
  t.test(`named charges are paid ${what}`, async (t) => {
    const owed = [
      ...[charge('a', 400), charge('b', 500), charge('c', 300), charge('q', 600, 1, true)],
      debit('d', 100)
    ]
    const before = structuredClone(owed)
    t.same(matchNamed(credit(amount), names, owed).map(toText), expected)
    t.same(owed, before, 'what is given is not changed')
  })
}

t.test('credits are spent in the order given', async (t) => {
  const credits = [credit(300, 'old'), credit(300, 'new')]
  t.same(match(credits, [charge('a', 500)]), [
    { transferId: 'old', kind: 'charge', id: 'a', amount: 300 },
    { transferId: 'new', kind: 'charge', id: 'a', amount: 200 }
  ])
})

t.test('what is given is not changed', async (t) => {
  const charges = [charge('b', 500, 2), charge('a', 400, 1)]
  const before = structuredClone(charges)
  match([credit(700)], charges)
  t.same(charges, before)
})

const charges = fc.uniqueArray(
  fc.record({
    kind: fc.constant('charge' as const),
    id: fc.integer({ min: 0, max: 50 }).map(String),
    openAmount: fc.integer({ min: 0, max: 9 }),
    dueAt: fc.option(fc.integer({ min: 1, max: 4 }).map((day) => new Date(Date.UTC(2026, 0, day)))),
    inQuery: fc.boolean()
  }),
  { selector: ({ id }) => id, maxLength: 8 }
)
const credits = fc
  .array(fc.integer({ min: 1, max: 12 }), { maxLength: 5 })
  .map((amounts) => amounts.map((amount, place) => credit(amount, `txn${place}`)))

const sum = (amounts: number[]) => amounts.reduce((total, amount) => total + amount, 0)

t.test('as much is matched as can be, and never more than is open', async (t) => {
  fc.assert(
    fc.property(credits, charges, (credits, charges) => {
      const matches = match(credits, charges)
      const of = (is: (one: (typeof matches)[number]) => boolean) =>
        sum(matches.filter(is).map(({ amount }) => amount))
      const payable = charges.filter(({ inQuery }) => !inQuery)
      if (!matches.every(({ amount }) => amount > 0)) throw new Error('a match of nothing')
      for (const { id, openAmount, inQuery } of charges) {
        const got = of((one) => one.id === id)
        if (got > (inQuery ? 0 : openAmount)) throw new Error(`charge ${id} got ${got}`)
      }
      for (const { transferId, openAmount } of credits) {
        const gave = of((one) => one.transferId === transferId)
        if (gave > openAmount) throw new Error(`${transferId} gave ${gave}`)
      }
      const most = Math.min(
        sum(credits.map(({ openAmount }) => openAmount)),
        sum(payable.map(({ openAmount }) => openAmount))
      )
      return of(() => true) === most
    }),
    { numRuns: 1_000 }
  )
  t.pass('1,000 times')
})

t.test('the order in which charges are given does not matter', async (t) => {
  const shuffled = charges.chain((all) =>
    fc.tuple(
      fc.constant(all),
      fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })
    )
  )
  fc.assert(
    fc.property(credits, shuffled, (credits, [one, other]) => {
      const [first, second] = [match(credits, one), match(credits, other)]
      return JSON.stringify(first) === JSON.stringify(second)
    }),
    { numRuns: 500 }
  )
  t.pass('500 times')
})

t.test(
  'a posting has two sides, and is a credit, a debit or neither to the customer',
  async (t) => {
    const kinds = Object.keys(postings) as PostingKind[]
    t.ok(kinds.every((kind) => postings[kind].debit !== (postings[kind].credit as string)))
    t.same(kinds.filter(isCustomerCredit), [
      ...['adjustmentCredit', 'payment', 'refundFailed', 'chargebackReversed', 'recordedPayment'],
      'heldApplied'
    ])
    t.same(kinds.filter(isCustomerDebit), [
      ...['adjustmentDebit', 'captureFailed', 'refund', 'chargeback', 'recordedRefund']
    ])
    const undone: ReadonlyArray<readonly [PostingKind, PostingKind]> = [
      ['payment', 'captureFailed'],
      ['payment', 'refund'],
      ['refund', 'refundFailed'],
      ['payment', 'chargeback'],
      ['chargeback', 'chargebackReversed'],
      ['adjustmentCredit', 'adjustmentDebit'],
      ['recordedPayment', 'recordedRefund'],
      ['held', 'reversal'],
      ['reversal', 'reversalFailed']
    ]
    for (const [one, other] of undone) {
      const { debit, credit } = postings[one]
      t.same(postings[other], { debit: credit, credit: debit }, `${other} undoes ${one}`)
    }
    t.same(postings.payment, { debit: 'provider', credit: 'customer' })
    t.same(postings.held, { debit: 'provider', credit: 'clearing' })
  }
)

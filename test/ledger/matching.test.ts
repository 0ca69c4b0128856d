import fc from 'fast-check'
import t from 'tap'
import { isCustomerCredit, type PostingKind, postings } from '../../src/ledger/ledger.ts'
import { match, type OpenCharge, type OpenCredit } from '../../src/ledger/matching.ts'

function charge(id: string, openAmount: number, due = 1, inQuery = false): OpenCharge {
  return { id, openAmount, dueAt: new Date(Date.UTC(2026, 0, due)), inQuery }
}

const credit = (openAmount: number, transferId = 'txn'): OpenCredit => ({ transferId, openAmount })

/** Which charges one credit pays, as `id: amount`. */
function paid(amount: number, charges: OpenCharge[]): string[] {
  return match([credit(amount)], charges).map((one) => `${one.chargeId}: ${one.amount}`)
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
    { transferId: 'first', chargeId: 'a', amount: 500 },
    { transferId: 'first', chargeId: 'b', amount: 100 },
    { transferId: 'second', chargeId: 'b', amount: 200 }
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

t.test('credits are spent in the order given', async (t) => {
  const credits = [credit(300, 'old'), credit(300, 'new')]
  t.same(match(credits, [charge('a', 500)]), [
    { transferId: 'old', chargeId: 'a', amount: 300 },
    { transferId: 'new', chargeId: 'a', amount: 200 }
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
    id: fc.integer({ min: 0, max: 50 }).map(String),
    openAmount: fc.integer({ min: 0, max: 9 }),
    dueAt: fc.integer({ min: 1, max: 4 }).map((day) => new Date(Date.UTC(2026, 0, day))),
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
        const got = of(({ chargeId }) => chargeId === id)
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

t.test('a posting has two different sides, and only money kept is credited', async (t) => {
  const kinds = Object.keys(postings) as PostingKind[]
  t.ok(kinds.every((kind) => postings[kind].debit !== (postings[kind].credit as string)))
  t.same(kinds.filter(isCustomerCredit), ['payment'])
  t.same(postings.reversal, { debit: 'clearing', credit: 'provider' }, 'undoes what was held')
  t.same(postings.held, { debit: 'provider', credit: 'clearing' })
  t.same(postings.reversalFailed, postings.held, 'undoes the reversal')
})

import fc from 'fast-check'
import t from 'tap'
import type { OpenCredit } from '../../src/ledger/matching.ts'
import { type Debit, type Paid, standing, takeBack } from '../../src/ledger/taking-back.ts'

function credit(transferId: string, openAmount: number, paymentId: string | null = null) {
  return { transferId, openAmount, paymentId }
}
function paid(transferId: string, chargeId: string, amount: number, paymentId?: string): Paid {
  return { transferId, chargeId, amount, paymentId: paymentId ?? null }
}
function debit(amount: number, changes: Partial<Debit> = {}): Debit {
  return { transferId: 'd', paymentId: null, amount, allocations: [], ...changes }
}

/** What is taken, as `credit: amount`, or `credit from charge: amount` where one reopens. */
function taken(of: Debit, credits: OpenCredit[], from: Paid[]): string[] {
  const rows = takeBack(of, credits, from)
  return rows.flatMap(({ transferId, kind, amount }, at) => {
    const { kind: was, id: charge } = rows[at - 1] ?? {}
    if (kind === 'charge') return []
    return was === 'charge'
      ? [`${transferId} from ${charge}: ${amount}`]
      : [`${transferId}: ${amount}`]
  })
}

const cases: ReadonlyArray<
  readonly [name: string, of: Debit, credits: OpenCredit[], paid: Paid[], taken: string[]]
> = [
  [
    'unmatched credit goes first, the newest of it',
    debit(500),
    [credit('a', 300), credit('b', 300)],
    [paid('c', 'x', 900)],
    ['b: 300', 'a: 200']
  ],
  [
    "unmatched credit of the debit's payment goes before newer credit",
    debit(500, { paymentId: 'p' }),
    [credit('a', 100, 'p'), credit('b', 150, 'p'), credit('c', 100), credit('e', 300, 'q')],
    [],
    ['b: 150', 'a: 100', 'e: 250']
  ],
  [
    'A17: what the own money has paid goes before other unmatched credit',
    debit(500, { paymentId: 'p' }),
    [credit('a', 200, 'q'), credit('c', 100, 'p')],
    [paid('b', 'x', 300, 'p'), paid('a', 'y', 900, 'q')],
    ['c: 100', 'b from x: 300', 'a: 100']
  ],
  [
    'charges reopen, last matched first',
    debit(500),
    [],
    [paid('a', 'x', 400), paid('a', 'y', 200), paid('b', 'y', 100)],
    ['b from y: 100', 'a from y: 200', 'a from x: 200']
  ],
  [
    'charges that the own money paid reopen before any other',
    debit(500, { paymentId: 'p' }),
    [],
    [paid('a', 'x', 100, 'p'), paid('a', 'y', 250, 'p'), paid('b', 'z', 900, 'q')],
    ['a from y: 250', 'a from x: 100', 'b from z: 150']
  ],
  [
    'money of no payment is not the own money of a debit of none',
    debit(100),
    [],
    [paid('a', 'x', 100), paid('b', 'y', 100, 'p')],
    ['b from y: 100']
  ],
  [
    'what is not found is owed',
    debit(500),
    [credit('a', 100)],
    [paid('b', 'x', 50)],
    [...['a: 100', 'b from x: 50']]
  ],
  ['nothing is found', debit(500), [], [], []],
  [
    'a named charge reopens before unmatched credit, last matched first',
    debit(500, { allocations: [{ chargeId: 'x', amount: 500 }] }),
    [credit('a', 100), credit('b', 100)],
    [paid('c', 'x', 150), paid('e', 'y', 900), paid('f', 'x', 200)],
    ['f from x: 200', 'c from x: 150', 'b: 100', 'a: 50']
  ],
  [
    'a named charge reopens up to the amount named',
    debit(300, { allocations: [{ chargeId: 'x', amount: 120 }] }),
    [],
    [paid('a', 'x', 400), paid('b', 'y', 100)],
    ['a from x: 120', 'b from y: 100', 'a from x: 80']
  ],
  [
    'a named charge that nothing has paid is passed over',
    debit(100, { allocations: [{ chargeId: 'z', amount: 100 }] }),
    [credit('a', 100)],
    [],
    ['a: 100']
  ]
]

for (const [name, of, credits, from, expected] of cases) {
  t.test(name, async (t) => {
    const before = structuredClone({ credits, from })
    t.same(taken(of, credits, from), expected)
    t.same({ credits, from }, before, 'what is given is not changed')
  })
}

t.test('a charge reopens by a negative row, and the same money goes to the debit', async (t) => {
  t.same(takeBack(debit(70), [], [paid('a', 'x', 100)]), [
    { transferId: 'a', kind: 'charge', id: 'x', amount: -70 },
    { transferId: 'a', kind: 'debit', id: 'd', amount: 70 }
  ])
})

t.test('a negative row takes back the last of the same money in the same charge', async (t) => {
  const rows = [
    ...[paid('a', 'x', 100), paid('b', 'x', 100), paid('a', 'y', 100), paid('a', 'x', -60)],
    ...[paid('c', 'y', 30), paid('a', 'x', 50), paid('a', 'x', -70)]
  ]
  const left = standing(rows).filter(({ amount }) => amount > 0)
  t.same(
    left.map((one) => `${one.transferId} in ${one.chargeId}: ${one.amount}`),
    ['a in x: 20', 'b in x: 100', 'a in y: 100', 'c in y: 30']
  )
})

const payment = fc.constantFrom(null, 'p', 'q')
const someCredits = fc
  .array(fc.record({ openAmount: fc.integer({ min: 1, max: 9 }), paymentId: payment }))
  .map((all) => all.map((one, at) => ({ ...one, transferId: `credit${at}` })))
const somePaid = fc.array(
  fc
    .record({
      transferId: fc.constantFrom('a', 'b', 'c'),
      chargeId: fc.constantFrom('x', 'y', 'z'),
      amount: fc.integer({ min: 1, max: 9 })
    })
    .map((one): Paid => ({ ...one, paymentId: one.transferId === 'a' ? 'p' : null }))
)
const someDebit = fc.record({
  transferId: fc.constant('d'),
  paymentId: payment,
  amount: fc.integer({ min: 1, max: 60 }),
  allocations: fc.array(
    fc.record({
      chargeId: fc.constantFrom('x', 'y', 'none'),
      amount: fc.integer({ min: 1, max: 20 })
    }),
    { maxLength: 2 }
  )
})

t.test(
  'A17: as much is taken as there is, its own money first, and what reopens goes to the debit',
  async (t) => {
    const sum = (amounts: number[]) => amounts.reduce((total, amount) => total + amount, 0)
    fc.assert(
      fc.property(someDebit, someCredits, somePaid, (of, credits, from) => {
        const rows = takeBack(of, credits, from)
        const found = sum(rows.filter(({ kind }) => kind === 'debit').map(({ amount }) => amount))
        const there = sum([
          ...credits.map(({ openAmount }) => openAmount),
          ...from.map(({ amount }) => amount)
        ])
        if (found !== Math.min(of.amount, there)) throw new Error(`found ${found} of ${there}`)
        if (of.allocations.length === 0 && of.paymentId !== null) {
          const ownOf = [...credits, ...from].filter((one) => one.paymentId === of.paymentId)
          const there = sum(ownOf.map((one) => ('amount' in one ? one.amount : one.openAmount)))
          const own = new Set(ownOf.map(({ transferId }) => transferId))
          const given = rows.filter((row) => row.kind === 'debit' && own.has(row.transferId))
          const gone = sum(given.map(({ amount }) => amount))
          if (gone !== Math.min(of.amount, there)) throw new Error(`${gone} of ${there} its own`)
        }
        for (const { transferId, openAmount } of credits) {
          const gone = sum(rows.filter((row) => row.transferId === transferId).map((r) => r.amount))
          if (gone > openAmount) throw new Error(`${transferId} gave ${gone}`)
        }
        // What stands after the rows is what stood, less what was reopened: never below nothing.
        const reopened = rows.filter(({ kind }) => kind === 'charge')
        const after = standing([
          ...from,
          ...reopened.map((row) => paid(row.transferId, row.id, row.amount))
        ])
        const stands = sum(after.map(({ amount }) => amount))
        const stood = sum(from.map(({ amount }) => amount))
        return stands === stood + sum(reopened.map(({ amount }) => amount))
      }),
      { numRuns: 1_000 }
    )
    t.pass('1,000 times')
  }
)

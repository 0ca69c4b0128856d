import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { changeCharge, createCharge } from '../../src/accounts/account.commands.ts'
import { findBalance } from '../../src/accounts/account.store.ts'
import { createAdjustment } from '../../src/accounts/adjustment.commands.ts'
import { newId } from '../../src/id.ts'
import { allocate, type Change } from '../../src/ledger/allocating.ts'
import { post } from '../../src/ledger/ledger.store.ts'
import {
  isCustomerDebit,
  type Posting,
  type PostingKind,
  postings
} from '../../src/ledger/ledger.ts'
import type { OpenCredit, Owed } from '../../src/ledger/matching.ts'
import type { Paid } from '../../src/ledger/taking-back.ts'
import { checkMoney, findLedgerFaults } from '../invariants.ts'
import { testDatabase } from '../test-database.ts'

const { db } = await testDatabase(t)
// Which payment brought money matters here; what the payment is does not.
await sql`alter table ledger_transfer drop constraint ledger_transfer_payment_id_fkey`.execute(db)
/** Nor does it that money moves here for none at all. */
const ofNone = 'what was moved for no payment is a charge or an adjustment'
const findFaults = async (ids: readonly number[]) =>
  (await findLedgerFaults(db, ids)).filter(({ name }) => name !== ofNone)

let accounts = 20_000_000
async function addAccount(): Promise<number> {
  accounts += 1
  await db
    .insertInto('account')
    .values({ id: accounts, currency: 'GBP', name: null, status: 'open' })
    .execute()
  return accounts
}

/** A charge of the account, due on that day of January; answers its id. */
async function addCharge(accountId: number, reference: string, value: number, day = 1) {
  const amount = { currency: 'GBP', value }
  const dueAt = new Date(Date.UTC(2026, 0, day))
  return (await createCharge(db, { accountId, reference, amount, dueAt })).charge.id
}

function posting(
  accountId: number,
  kind: PostingKind,
  value: number,
  { paymentId = null, allocations = [] }: Partial<Posting> = {}
): Posting {
  const fact = newId('cap')
  return {
    ...{ kind, fact, accountId, paymentId, allocations },
    amount: { currency: 'GBP', value },
    cause: { type: 'payment', id: fact }
  }
}

const write = (all: readonly Posting[]) => db.transaction().execute((tx) => post(tx, all))

/** What is open, as `name: amount`, and the allocations, as `from to: amount`, in order. */
async function booksOf(accountId: number): Promise<{ open: string[]; allocations: string[] }> {
  const { rows } = await sql<{ open: string[] | null; allocations: string[] | null }>`
    with name as (
      select id, posting || row_number() over (partition by posting order by id) as name
      from ledger_transfer where account_id = ${accountId} and posting <> 'charge'
      union all select id, reference from charge where account_id = ${accountId}
    ), item as (
      select id, open_amount, in_query from charge where account_id = ${accountId}
      union all select transfer_id, open_amount, false from credit where account_id = ${accountId}
      union all select transfer_id, open_amount, false from debit where account_id = ${accountId}
    )
    select
      (select array_agg(name || ': ' || open_amount || case when in_query then '?' else '' end
          order by name)
        from item join name using (id) where open_amount > 0 or in_query) as open,
      (select array_agg(f.name || ' ' || i.name || ': ' || a.amount order by a.id)
        from allocation a join name f on f.id = a.transfer_id
        join name i on i.id = coalesce(a.charge_id, a.debit_transfer_id)
        where a.account_id = ${accountId}) as allocations`.execute(db)
  return { open: rows[0]?.open ?? [], allocations: rows[0]?.allocations ?? [] }
}

t.test('a refund takes the money of its payment, and other credit pays what reopens', async (t) => {
  const id = await addAccount()
  const chargeId = await addCharge(id, 'x', 100)
  await write([
    posting(id, 'payment', 250, { paymentId: 'p' }),
    posting(id, 'payment', 70, { paymentId: 'q' })
  ])
  await write([posting(id, 'refund', 250, { paymentId: 'p' })])
  t.same(await booksOf(id), {
    open: ['x: 30'],
    allocations: [
      'payment1 x: 100',
      ...['payment1 refund1: 150', 'payment1 x: -100', 'payment1 refund1: 100'],
      'payment2 x: 70'
    ]
  })
  await write([posting(id, 'chargeback', 90, { paymentId: 'q' })])
  t.same((await booksOf(id)).open, ['chargeback1: 20', 'x: 100'])
  t.same(await findBalance(db, id), { outstanding: 120, overdue: 100, inQuery: 0, credit: 0 })
  await write([posting(id, 'payment', 30, { paymentId: 'r' })])
  t.same((await booksOf(id)).open, ['x: 90'], 'what is owed since the chargeback is older')
  const { open_amount } = await db
    .selectFrom('charge')
    .select('open_amount')
    .where('id', '=', chargeId)
    .executeTakeFirstOrThrow()
  t.equal(open_amount, 90)
})

t.test('A17: a refund reopens what the money that goes back had paid', async (t) => {
  const id = await addAccount()
  const charges: string[] = []
  for (const day of [1, 2, 3]) {
    charges.push(await addCharge(id, `c${day}`, 100, day))
    await write([posting(id, 'payment', 100, { paymentId: `p${day}` })])
  }
  await write([posting(id, 'refund', 100, { paymentId: 'p1' })])
  t.same((await booksOf(id)).open, ['c1: 100'], 'the first, though it was matched first')
  await write([posting(id, 'refund', 40, { paymentId: 'p2' })])
  t.same((await booksOf(id)).open, ['c1: 100', 'c2: 40'])
  await write([posting(id, 'refundFailed', 100, { paymentId: 'p1' })])
  t.same((await booksOf(id)).open, ['c2: 40'])
  // Credit of other payments does not hide it: the customer questions the charge.
  await changeCharge(db, { accountId: id, chargeId: charges[2] as string, inQuery: true })
  await write([posting(id, 'payment', 140, { paymentId: 'p4' })])
  await write([posting(id, 'chargeback', 100, { paymentId: 'p3' })])
  t.same((await booksOf(id)).open, ['c3: 100?', 'payment4: 100'])
})

t.test('a refund that comes to nothing brings back what it took', async (t) => {
  const id = await addAccount()
  await addCharge(id, 'x', 100)
  await write([posting(id, 'payment', 100, { paymentId: 'p' })])
  await write([posting(id, 'refund', 100, { paymentId: 'p' })])
  t.same((await booksOf(id)).open, ['x: 100'])
  await write([posting(id, 'refundFailed', 100, { paymentId: 'p' })])
  t.same((await booksOf(id)).open, [])
})

t.test('a charge that was in query is paid by waiting credit once it is not', async (t) => {
  const accountId = await addAccount()
  const chargeId = await addCharge(accountId, 'x', 100)
  await changeCharge(db, { accountId, chargeId, inQuery: true })
  await write([posting(accountId, 'payment', 130)])
  t.same((await booksOf(accountId)).open, ['payment1: 130', 'x: 100?'])
  const { charge } = await changeCharge(db, { accountId, chargeId, inQuery: false })
  t.match(charge, { openAmount: 0, inQuery: false })
  t.same((await booksOf(accountId)).open, ['payment1: 30'])
  await changeCharge(db, { accountId, chargeId, inQuery: true })
  t.same((await booksOf(accountId)).open, ['payment1: 30', 'x: 0?'], 'what was paid is kept')
})

t.test('a debit that names a charge reopens it, and waiting credit pays it again', async (t) => {
  const id = await addAccount()
  const chargeId = await addCharge(id, 'x', 100)
  await write([posting(id, 'payment', 100), posting(id, 'payment', 80)])
  await write([posting(id, 'adjustmentDebit', 60, { allocations: [{ chargeId, amount: 60 }] })])
  t.same(await booksOf(id), {
    open: ['payment2: 20'],
    allocations: [
      ...['payment1 x: 100', 'payment1 x: -60', 'payment1 adjustmentDebit1: 60'],
      'payment2 x: 60'
    ]
  })
})

t.test('a charge is there for the postings after its own, not for those before it', async (t) => {
  const id = await addAccount()
  await addCharge(id, 'old', 50, 2)
  await write([posting(id, 'payment', 50)])
  const { id: chargeId } = await db
    .insertInto('charge')
    .values({
      ...{ id: newId('chg'), account_id: id, reference: 'new', in_query: false },
      ...{ amount: 30, open_amount: 30, due_at: new Date(0) }
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  await write([
    posting(id, 'refund', 50),
    posting(id, 'payment', 30),
    { ...posting(id, 'charge', 30), fact: chargeId, cause: { type: 'charge', id: chargeId } }
  ])
  t.same((await booksOf(id)).open, ['new: 30', 'old: 20'])
})

t.test('money that is held is none of the account', async (t) => {
  const id = await addAccount()
  await addCharge(id, 'x', 50)
  await write([posting(id, 'held', 50), posting(id, 'reversal', 50)])
  t.same(await booksOf(id), { open: ['x: 50'], allocations: [] })
})

t.test('nothing is posted where one fact was posted already', async (t) => {
  const id = await addAccount()
  const one = posting(id, 'payment', 50)
  await write([one])
  await t.rejects(write([posting(id, 'refund', 20), one]), /ledger_transfer_fact_once/)
  t.same((await booksOf(id)).open, ['payment1: 50'])
})

t.test('many at once that take the same credit take it once', async (t) => {
  const id = await addAccount()
  await write([posting(id, 'payment', 100, { paymentId: 'p' })])
  const taking = Array.from({ length: 5 }, () =>
    write([posting(id, 'refund', 30, { paymentId: 'p' })])
  )
  await Promise.all(taking)
  t.same(await findBalance(db, id), { outstanding: 50, overdue: 0, inQuery: 0, credit: 0 })
  t.same(await findFaults([id]), [])
})

const which = fc.nat({ max: 1 })
const place = fc.nat({ max: 3 })
const amount = fc.integer({ min: 1, max: 7 })
const someCharge = fc.option(fc.record({ account: which, place, amount }))
const move = fc.record({
  account: which,
  kind: fc.constantFrom(
    ...(Object.keys(postings) as PostingKind[]).filter((kind) => kind !== 'charge')
  ),
  amount,
  paymentId: fc.constantFrom(null, 'p', 'q'),
  named: fc.array(fc.record({ account: which, place, amount }), { maxLength: 2 })
})
type Move = typeof move extends fc.Arbitrary<infer T> ? T : never
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('charge' as const),
      account: which,
      amount,
      day: fc.integer({ min: 1, max: 3 })
    })
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('post' as const),
      moves: fc.array(move, { minLength: 1, maxLength: 4 })
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('query' as const),
      account: which,
      place,
      inQuery: fc.boolean()
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('adjust' as const),
      account: which,
      amount,
      direction: fc.constantFrom('credit' as const, 'debit' as const),
      charge: someCharge
    })
  }
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Two accounts with their charges, by the order in which they were made. */
type Side = { ids: [number, number]; charges: [string[], string[]] }

function toPosting(side: Side, { account, kind, amount, paymentId, named }: Move): Posting {
  const allocations = named.flatMap((one) => {
    const chargeId = side.charges[one.account as 0 | 1][one.place]
    return chargeId === undefined ? [] : [{ chargeId, amount: one.amount }]
  })
  return posting(side.ids[account as 0 | 1], kind, amount, { paymentId, allocations })
}

async function take(side: Side, one: Step, at: number, together: boolean): Promise<void> {
  if (one.type === 'post') {
    const all = one.moves.map((move) => toPosting(side, move))
    if (together) await write(all)
    else for (const each of all) await write([each])
    return
  }
  const accountId = side.ids[one.account as 0 | 1]
  const charges = side.charges[one.account as 0 | 1]
  if (one.type === 'charge') {
    charges.push(await addCharge(accountId, `c${at}`, one.amount, one.day))
  } else if (one.type === 'query') {
    const chargeId = charges[one.place]
    if (chargeId !== undefined)
      await changeCharge(db, { accountId, chargeId, inQuery: one.inQuery })
  } else {
    await createAdjustment(db, {
      ...{ accountId, direction: one.direction, reference: `a${at}`, reason: 'any' },
      amount: { currency: 'GBP', value: one.amount },
      chargeId: (one.charge && charges[one.charge.place]) ?? null
    })
  }
}

t.test('whatever happens, the books hold, and together is like one after the other', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 10 }), async (steps) => {
      const sides: Side[] = []
      for (let count = 0; count < 2; count++) {
        sides.push({ ids: [await addAccount(), await addAccount()], charges: [[], []] })
      }
      const [one, other] = sides as [Side, Side]
      for (const [at, each] of steps.entries()) {
        await take(one, each, at, true)
        await take(other, each, at, false)
        const faults = await findFaults([...one.ids, ...other.ids])
        if (faults.length > 0) throw new Error(JSON.stringify(faults))
        for (const place of [0, 1] as const) {
          const [together, apart] = [await booksOf(one.ids[place]), await booksOf(other.ids[place])]
          if (JSON.stringify(together) !== JSON.stringify(apart)) {
            throw new Error(`${JSON.stringify(together)} is not ${JSON.stringify(apart)}`)
          }
        }
      }
    }),
    { numRuns: 200 }
  )
  t.pass('200 times')
})

/** What a debit allocates where every item that the account ever had is read. */
async function expected(accountId: number, of: Posting): Promise<unknown[]> {
  const { rows: owed } = await sql<Owed>`
    select 'charge' as kind, id, open_amount as "openAmount", due_at as "dueAt",
      in_query as "inQuery" from charge where account_id = ${accountId}
    union all select 'debit', transfer_id, open_amount, null, false from debit
      where account_id = ${accountId}`.execute(db)
  const { rows: credits } = await sql<OpenCredit>`
    select transfer_id as "transferId", open_amount as "openAmount", payment_id as "paymentId"
    from credit join ledger_transfer t on t.id = transfer_id
    where credit.account_id = ${accountId} and open_amount > 0 order by transfer_id`.execute(db)
  const { rows: paid } = await sql<Paid>`
    select transfer_id as "transferId", charge_id as "chargeId", payment_id as "paymentId", a.amount
    from allocation a join ledger_transfer t on t.id = transfer_id
    where a.account_id = ${accountId} and charge_id is not null order by a.id`.execute(db)
  const { paymentId, amount, allocations = [] } = of
  const change = { kind: 'debit', transferId: 'new', paymentId, amount: amount.value, allocations }
  return allocate({ owed, credits, paid }, [change as Change]).map(({ id, ...one }) => ({
    ...one,
    id: id === 'new' ? null : id
  }))
}

t.test('a debit takes back the same where only what it can need is read', async (t) => {
  let debits = 0
  await fc.assert(
    fc.asyncProperty(fc.array(move, { minLength: 15, maxLength: 30 }), async (moves) => {
      const side: Side = { ids: [await addAccount(), await addAccount()], charges: [[], []] }
      for (const [at, one] of moves.entries()) {
        const accountId = side.ids[one.account as 0 | 1]
        const each = toPosting(side, one)
        if (at % 2 === 0) {
          side.charges[one.account as 0 | 1].push(await addCharge(accountId, `c${at}`, one.amount))
        }
        const expecting = isCustomerDebit(one.kind) ? await expected(accountId, each) : undefined
        const { rows: before } = await sql<{ last: number }>`
          select coalesce(max(id), 0) as last from allocation`.execute(db)
        await write([each])
        if (expecting === undefined) continue
        debits += 1
        const { rows: written } = await sql`
          select a.transfer_id as "transferId", a.amount,
            case when charge_id is null then 'debit' else 'charge' end as kind,
            coalesce(charge_id, case when t.fact <> ${each.fact} then debit_transfer_id end) as id
          from allocation a left join ledger_transfer t on t.id = debit_transfer_id
          where a.id > ${before[0]?.last} order by a.id`.execute(db)
        t.same(written, expecting)
      }
    }),
    { numRuns: 50 }
  )
  t.ok(debits > 100, `${debits}`)
})

t.test('the money is right in the end', async (t) => {
  await sql`alter table ledger_transfer disable trigger user`.execute(db)
  await sql`update ledger_transfer set payment_id = 'none'
    where payment_id is null and cause_type = 'payment'`.execute(db)
  await checkMoney(t, db)
})

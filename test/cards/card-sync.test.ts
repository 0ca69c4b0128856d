import t, { type Test } from 'tap'
import {
  type DueRemoval,
  findCard,
  listCards,
  recordRemoved,
  removals,
  removeCard
} from '../../src/cards/card.store.ts'
import {
  applyCardList,
  type DueSync,
  requestCardSync,
  syncs
} from '../../src/cards/card-sync.store.ts'
import type { Db, Tx } from '../../src/database/database.ts'
import { claimDue, postpone } from '../../src/due/due.store.ts'
import type { StoredCard } from '../../src/provider.ts'
import { testDatabase } from '../test-database.ts'

const face = { brand: 'visa', lastFour: '1111', expiryMonth: 3, expiryYear: 2030, funding: null }
const cardOf = (token: string, changes: Partial<StoredCard> = {}) => ({
  token,
  ...face,
  ...changes
})

/** A database with the accounts 1 to 3, and what tests do with it. */
async function start(t: Test) {
  const { db } = await testDatabase(t)
  const accounts = [1, 2, 3].map((id) => ({
    id,
    currency: 'GBP',
    name: null,
    status: 'open' as const
  }))
  await db.insertInto('account').values(accounts).execute()
  const within = <T>(work: (tx: Tx) => Promise<T>) => db.transaction().execute(work)
  const hint = (...ids: number[]) => within((tx) => requestCardSync(tx, ids))
  const claimAll = (leaseS = 60) => claimDue(db, syncs, { limit: 10, leaseS })
  const claim = async () => (await claimAll())[0] as DueSync
  const claimRemovals = (leaseS = 60) => claimDue(db, removals, { limit: 10, leaseS })
  const apply = (sync: DueSync, cards: StoredCard[], againInS: number | null = null) =>
    within((tx) => applyCardList(tx, sync, cards, againInS))
  const sync = async (cards: StoredCard[], accountId = 1) => {
    await hint(accountId)
    return await apply(await claim(), cards)
  }
  const tokens = async (accountId = 1) =>
    (await listCards(db, accountId)).map(({ token }) => token).sort()
  return { db, within, hint, claim, claimAll, claimRemovals, apply, sync, tokens }
}

const rowsOf = async (db: Db) =>
  await db.selectFrom('card_sync').select(['account_id', 'attempts', 'looks', 'lease']).execute()

t.test('a list adds what is new, changes what is another, removes what is gone', async (t) => {
  const { db, sync, tokens } = await start(t)
  t.same(await sync([cardOf('A'), cardOf('B')]), { added: 2, updated: 0, removed: 0 })
  const [before] = (await listCards(db, 1)).filter(({ token }) => token === 'B')
  t.match(before, { accountId: 1, token: 'B', face })
  t.match(before?.id, /^crd_.{16}$/)
  const renewed = { lastFour: '2222', expiryYear: 2034 }
  t.same(await sync([cardOf('B', renewed), cardOf('C')]), { added: 1, updated: 1, removed: 1 })
  t.same(await tokens(), ['B', 'C'])
  const after = await findCard(db, 1, before?.id ?? '')
  t.same(after, { ...before, face: { ...face, ...renewed } }, 'the same card with another face')
  t.same(await sync([cardOf('B', renewed), cardOf('C')]), { added: 0, updated: 0, removed: 0 })
  t.same(await rowsOf(db), [])
})

t.test('what an account has is nothing to another', async (t) => {
  const { db, sync, tokens, within } = await start(t)
  await sync([cardOf('SAME')], 1)
  await sync([cardOf('SAME'), cardOf('OTHER')], 2)
  await sync([], 3)
  t.same([await tokens(1), await tokens(2), await tokens(3)], [['SAME'], ['OTHER', 'SAME'], []])
  const [card] = await listCards(db, 1)
  t.equal(await findCard(db, 2, card?.id ?? ''), undefined)
  t.equal(await within((tx) => removeCard(tx, 2, card?.id ?? '', 60)), undefined)
  await sync([cardOf('SAME', { lastFour: '9999' })], 2)
  t.match(await findCard(db, 1, card?.id ?? ''), { face })
  t.same(await tokens(2), ['SAME'])
})

t.test('a token that a list has twice is one card', async (t) => {
  const { sync, tokens } = await start(t)
  t.match(await sync([cardOf('A'), cardOf('A')]), { added: 1 })
  t.same(await tokens(), ['A'])
})

t.test('a face may lack any part', async (t) => {
  const { db, sync } = await start(t)
  const bare = { brand: null, lastFour: null, expiryMonth: null, expiryYear: null, funding: null }
  await sync([{ token: 'A', ...bare }])
  t.match(await listCards(db, 1), [{ face: bare }])
  t.match(await sync([{ token: 'A', ...bare, lastFour: '1111' }]), { updated: 1 })
  t.match(await sync([{ token: 'A', ...bare, lastFour: '1111' }]), { updated: 0 })
})

t.test(
  'an account is asked for by one at a time, and again when its lease has ended',
  async (t) => {
    const { db, hint, claim, claimAll, apply } = await start(t)
    await hint(1)
    const [first] = await claimAll(0)
    const second = await claim()
    t.same(await claimAll(), [])
    t.not(first?.lease.id, second.lease.id)
    t.equal(await apply(first as DueSync, [cardOf('OLD')]), undefined, 'whose lease is gone')
    t.match(await apply(second, [cardOf('NEW')]), { added: 1 })
    t.equal(await apply(second, []), undefined, 'a list is applied once')
    t.same((await listCards(db, 1)).length, 1)
  }
)

t.test('a hint while a list is under way makes it worthless', async (t) => {
  const { db, hint, claim, apply } = await start(t)
  await hint(1)
  const early = await claim()
  await hint(1)
  t.equal(await apply(early, []), undefined)
  await postpone(db, syncs, early, 60)
  const late = await claim()
  t.match(late, { accountId: 1 }, 'due at once, whatever the first has to say')
  t.match(await apply(late, [cardOf('A')]), { added: 1 })
})

t.test('hints are for accounts that are known, in any number', async (t) => {
  const { db, hint } = await start(t)
  await hint(3, 99, 1, 3)
  await hint()
  t.same((await rowsOf(db)).map((row) => row.account_id).sort(), [1, 3])
})

t.test('two transactions that hint at the same accounts wait, and do not deadlock', async (t) => {
  const { db, within } = await start(t)
  const orders = [
    [1, 2, 3],
    [3, 2, 1],
    [2, 3, 1],
    [3, 1, 2]
  ]
  await Promise.all(
    Array.from({ length: 40 }, (_, place) =>
      within((tx) => requestCardSync(tx, orders[place % 4] as number[]))
    )
  )
  t.equal((await rowsOf(db)).length, 3)
})

t.test('a list with nothing new is asked for again, as often as it is told', async (t) => {
  const { db, hint, claim, apply } = await start(t)
  await hint(1)
  await apply(await claim(), [], 0)
  t.match(await rowsOf(db), [{ looks: 1, lease: null }])
  await apply(await claim(), [], 60)
  t.match(await rowsOf(db), [{ looks: 2 }])
  t.equal(await claim(), undefined, 'only when it is time')
  await hint(1)
  t.match(await rowsOf(db), [{ looks: 0 }], 'a new hint begins anew')
  await apply(await claim(), [], null)
  t.same(await rowsOf(db), [])
})

t.test('an account whose list did not come is due again', async (t) => {
  const { db, hint, claim } = await start(t)
  await hint(1)
  await postpone(db, syncs, await claim(), 0)
  t.match(await claim(), { accountId: 1, attempts: 2 })
})

t.test('a removed card', async (t) => {
  const { db, within, hint, claim, claimRemovals, apply, sync, tokens } = await start(t)
  await sync([cardOf('A'), cardOf('B')])
  const [card] = (await listCards(db, 1)).filter(({ token }) => token === 'A')
  const id = card?.id ?? ''
  await hint(1)
  const early = await claim()
  const removal = await within((tx) => removeCard(tx, 1, id, 0))

  t.match(removal, { id, accountId: 1, token: 'A', attempts: 1 })
  t.equal(await findCard(db, 1, id), undefined, 'is there no more')
  t.same(await tokens(), ['B'])
  t.equal(await within((tx) => removeCard(tx, 1, id, 0)), undefined, 'and is not removed twice')

  const list = [cardOf('A'), cardOf('B')]
  t.equal(await apply(early, list), undefined, 'is not in a list that is older')
  t.match(await apply(await claim(), list), { added: 0 }, 'nor while Adyen still has it')
  t.same(await tokens(), ['B'])

  const [due] = await claimRemovals()
  t.match(due, { id, accountId: 1, token: 'A', attempts: 2 }, 'is due at Adyen')
  await postpone(db, removals, due as DueRemoval, 0)
  const [last] = await claimRemovals()
  t.match(last, { id, attempts: 3 })
  t.same(await claimRemovals(), [], 'by one at a time')

  await hint(1)
  const between = await claim()
  if (last) await within((tx) => recordRemoved(tx, last))
  t.equal(await apply(between, list), undefined, 'nor by a list asked for before Adyen had done it')
  t.same(await tokens(), ['B'])
  if (last) t.equal(await postpone(db, removals, last, 0), false)
  t.same(await claimRemovals(), [], 'is done with')

  t.match(await apply(await claim(), list), { added: 1 }, 'the same token later is a new card')
  t.same(await tokens(), ['A', 'B'])
  t.equal(await findCard(db, 1, id), undefined, 'whose id is another')
  t.match(await sync([cardOf('B')]), { removed: 1 }, 'and which goes its own way')
})

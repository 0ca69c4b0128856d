import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import t from 'tap'
import { batched } from '../../src/database/batch.ts'
import { connect, type Db, statement } from '../../src/database/database.ts'
import { isContended, isUnavailable, NoTurn } from '../../src/database/unavailable.ts'
import { cuttable } from '../cuttable.ts'
import { testDatabase } from '../test-database.ts'

const { url, db } = await testDatabase(t)
await sql`
  create table counted (id integer primary key, n integer not null check (n < 100))`.execute(db)

type Item = { id: number; n: number }

const countStatement = statement<Item>(`
  insert into counted (id, n)
  select id, n from json_to_recordset($1) as x(id integer, n integer) order by id
  on conflict (id) do update set n = counted.n + excluded.n
  returning id, n`)

const addStatement = statement('insert into other select * from unnest($1::integer[])')

/** Adds to counters, and notes which items shared a statement. */
type Options = { atOnce?: number; slowAtOnce?: number; max?: number }
function counter(options: Options = {}) {
  const statements: number[][] = []
  let atOnce = 0
  let mostAtOnce = 0
  const count = batched<Item, number>({
    ...options,
    keysOf: ({ id }) => [String(id)],
    run: async (db, items) => {
      statements.push(items.map(({ id }) => id))
      atOnce += 1
      mostAtOnce = Math.max(mostAtOnce, atOnce)
      try {
        const { rows } = await db.executeQuery(countStatement(JSON.stringify(items)))
        return items.map((item) => rows.find(({ id }) => id === item.id)?.n ?? -1)
      } finally {
        atOnce -= 1
      }
    }
  })
  return { count, statements, mostAtOnce: () => mostAtOnce }
}

const nOf = async (id: number) =>
  (await sql<Item>`select id, n from counted where id = ${id}`.execute(db)).rows[0]?.n

/** What became of each: its answer, or its error. */
const outcomes = async (asked: ReadonlyArray<Promise<number>>) =>
  (await Promise.allSettled(asked)).map((one) =>
    one.status === 'fulfilled' ? one.value : one.reason
  )

t.test(
  'what is asked at the same moment shares a statement, and each gets its own answer',
  async (t) => {
    const { count, statements } = counter()
    const answers = await Promise.all([1, 2, 3, 4].map((id) => count(db, { id, n: id * 10 })))
    t.strictSame(answers, [10, 20, 30, 40])
    t.strictSame(statements, [[1, 2, 3, 4]])
  }
)

t.test('what comes while statements are under way shares the next one', async (t) => {
  const { count, statements, mostAtOnce } = counter({ atOnce: 1, max: 3 })
  const first = count(db, { id: 10, n: 1 })
  await new Promise(setImmediate)
  const later = [11, 12, 13, 14].map((id) => count(db, { id, n: 1 }))
  t.strictSame(await Promise.all([first, ...later]), [1, 1, 1, 1, 1])
  t.strictSame(statements, [[10], [11, 12, 13], [14]])
  t.equal(mostAtOnce(), 1)
})

t.test('items that may wait for each other follow one another, in their order', async (t) => {
  const { count, statements } = counter()
  const answers = await Promise.all([
    count(db, { id: 20, n: 1 }),
    count(db, { id: 20, n: 2 }),
    count(db, { id: 21, n: 5 }),
    count(db, { id: 20, n: 4 })
  ])
  t.strictSame(answers, [1, 3, 5, 7])
  t.strictSame(statements, [[20, 21], [20], [20]])
})

t.test('one that the database refuses fails alone', async (t) => {
  const { count } = counter()
  const [first, refused, last] = await outcomes([
    count(db, { id: 30, n: 1 }),
    count(db, { id: 31, n: 100 }),
    count(db, { id: 32, n: 3 })
  ])
  t.strictSame([first, last], [1, 3])
  t.equal(refused.code, '23514')
  t.strictSame([await nOf(30), await nOf(31), await nOf(32)], [1, undefined, 3])
})

t.test('a thousand at once on one pool share ten statements, each with its answer', async (t) => {
  const { count, statements } = counter()
  const small = connect(url, { max: 2 })
  t.teardown(() => small.destroy())
  const ids = Array.from({ length: 1_000 }, (_, place) => 1_000 + place)
  const asked = ids.map((id) => count(small, { id, n: id === 1_500 ? 100 : id % 7 }))
  const found = await outcomes(asked)
  t.equal(found[500].code, '23514', 'the one that is refused')
  t.strictSame(
    found.toSpliced(500, 1),
    ids.toSpliced(500, 1).map((id) => id % 7)
  )
  t.equal(statements.filter(({ length }) => length === 100).length, 10)
  t.ok(statements.length <= 10 + 14, 'and its batch in halves')
})

t.test('who waits for what others wait for comes in turn, however many they are', async (t) => {
  // Two lines, and those who stand in both.
  const linesOf = [['one'], ['two'], ['one', 'two']]
  const order: number[] = []
  const inLine = batched<{ id: number; keys: string[] }, number>({
    keysOf: ({ keys }) => keys,
    run: async (_, items) => {
      const keys = items.flatMap(({ keys }) => keys)
      t.equal(new Set(keys).size, keys.length, 'nobody meets another of its line')
      order.push(...items.map(({ id }) => id))
      await new Promise(setImmediate)
      return items.map(({ id }) => id)
    }
  })
  const ids = Array.from({ length: 30 }, (_, id) => id)
  const answers = await Promise.all(
    ids.map((id) => inLine(db, { id, keys: linesOf[id % 3] as string[] }))
  )
  t.strictSame(answers, ids)
  for (const line of ['one', 'two']) {
    const own = order.filter((id) => linesOf[id % 3]?.includes(line))
    t.strictSame(
      own,
      own.toSorted((a, b) => a - b),
      `${line} in their order`
    )
  }
})

t.test('a lock is waited for', { jobs: 3 }, async (t) => {
  t.test('by one alone, until it may wait no longer', { buffered: true }, async (t) => {
    const { count } = counter()
    await count(db, { id: 40, n: 1 })
    await db.transaction().execute(async (tx) => {
      await sql`select from counted where id = 40 for update`.execute(tx)
      const asked = [40, 41, 42].map((id) => count(db, { id, n: 1 }))
      // Others go on in statements of their own meanwhile.
      await sleep(150)
      t.strictSame(await Promise.all([43, 44].map((id) => count(db, { id, n: 1 }))), [1, 1])
      t.equal(await nOf(41), undefined, 'it still waits')
      const [locked, ...others] = await outcomes(asked)
      t.ok(isContended(locked), 'the one that is locked')
      t.strictSame(others, [1, 1])
    })
    t.equal(await nOf(40), 1)
  })

  t.test('by all, on a few connections and for a few statements', { buffered: true }, async (t) => {
    await sql`create table other (id integer primary key)`.execute(db)
    const sizes: number[] = []
    const add = batched<number, number>({
      ...{ atOnce: 1, slowAtOnce: 1, max: 10 },
      run: async (db, ids) => {
        sizes.push(ids.length)
        await db.executeQuery(addStatement(ids))
        return ids
      }
    })
    await db.transaction().execute(async (tx) => {
      await sql`lock table other in access exclusive mode`.execute(tx)
      const asked = Array.from({ length: 40 }, (_, id) => add(db, id))
      const found = await outcomes(asked)
      t.ok(found.every(isUnavailable), 'all are told to come again')
      t.strictSame(sizes.slice(0, 3), [10, 10, 1], 'two that wait, then each by itself')
      t.ok(sizes.length <= 5, `for a while: ${sizes.length} statements`)
      const hadTurn = found.filter((error) => !(error instanceof NoTurn))
      t.equal(hadTurn.length, sizes.length - 2, 'the others because their turn did not come')
    })
    t.strictSame(await Promise.all([98, 99].map((id) => add(db, id))), [98, 99])
  })

  t.test(
    'by one in vain, which is not told of the fault of another',
    { buffered: true },
    async (t) => {
      const refused = Promise.withResolvers<void>()
      const wait = batched<number, number>({
        slowAtOnce: 0,
        run: async (_, ids) => {
          if (ids.length > 1) throw new Error('the fault of one')
          await refused.promise
          return ids
        }
      })
      const [first, second] = [1, 2].map((id) => wait(db, id))
      await t.rejects(second as Promise<number>, new NoTurn())
      refused.resolve()
      t.equal(await first, 1)
    }
  )
})

t.test(
  'where the connection breaks every item is told so, and the next ones are run',
  async (t) => {
    const way = await cuttable(t, url)
    const other = connect(way.url)
    t.teardown(() => other.destroy())
    const { count, statements } = counter()
    await count(other, { id: 50, n: 1 })
    await db.transaction().execute(async (tx) => {
      await sql`select from counted where id = 50 for update`.execute(tx)
      const asked = [50, 51].map((id) => count(other, { id, n: 1 }))
      await sleep(100)
      way.cut()
      for (const error of await outcomes(asked)) t.ok(isUnavailable(error))
      t.strictSame(statements, [[50], [50, 51]], 'and none is asked again')
    })
    way.mend()
    t.equal(await count(other, { id: 52, n: 7 }), 7)
  }
)

t.test('in a transaction an item is a part of it', async (t) => {
  const { count, statements } = counter()
  const undone = db.transaction().execute(async (tx: Db) => {
    t.equal(await count(tx, { id: 60, n: 1 }), 1)
    throw new Error('rolled back')
  })
  await t.rejects(undone, /rolled back/)
  t.equal(await nOf(60), undefined)
  t.strictSame(statements, [[60]])
})

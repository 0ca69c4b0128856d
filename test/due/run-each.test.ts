import { sql } from 'kysely'
import pg from 'pg'
import t, { type Test } from 'tap'
import type { Tx } from '../../src/database/database.ts'
import { claimDue, type Locked, lockDue, type Queue, setAside } from '../../src/due/due.store.ts'
import { type Batch, runBatch, runEach } from '../../src/due/run-each.ts'
import { Problem } from '../../src/problem.ts'
import { testDatabase } from '../test-database.ts'

type Sync = { accountId: number; looks: number }
const queue: Queue<Sync> = {
  table: 'card_sync',
  key: ['account_id'],
  read: sql<Sync>`claimed.account_id as "accountId", looks from claimed`
}

const { db } = await testDatabase(t)
/** A test that begins with nothing due. */
const testEmpty = (name: string, test: (t: Test) => Promise<unknown>) =>
  t.test(name, async (t) => {
    await sql`truncate card_sync`.execute(db)
    await test(t)
  })

async function addDue(...ids: number[]): Promise<void> {
  await sql`insert into card_sync (account_id, next_attempt_at)
    select n, now() + make_interval(secs => n / 1000.0) - interval '1 minute'
    from unnest(${ids}::integer[]) n`.execute(db)
}

type Row = { id: number; attempts: number; looks: number; lease: string | null; inS: number }
async function rowsNow(): Promise<Row[]> {
  const { rows } = await sql<Row>`select account_id as id, attempts, looks, lease,
    round(extract(epoch from next_attempt_at - now()))::int as "inS"
    from card_sync order by account_id`.execute(db)
  return rows
}

async function runClaimed(work: (id: number) => Promise<void>) {
  const faults: Array<[number, unknown]> = []
  const claimed = await claimDue(db, queue, { limit: 10, leaseS: 60 })
  const count = await runEach(claimed, ({ accountId }) => work(accountId), {
    db,
    queue,
    onFault: ({ accountId }, error) => faults.push([accountId, error])
  })
  return { count, faults }
}

testEmpty('the fault of one row is its own, and it is tried again later', async (t) => {
  await addDue(1, 2, 3)
  await sql`update card_sync set attempts = 4 where account_id = 2`.execute(db)
  const fault = new Error('bad')
  const seen: number[] = []
  const { count, faults } = await runClaimed(async (id) => {
    if (id < 3) throw fault
    seen.push(id)
  })
  t.equal(count, 3)
  t.same(seen, [3])
  t.same(faults, [
    [1, fault],
    [2, fault]
  ])
  t.match(await rowsNow(), [
    { id: 1, attempts: 1, lease: null, inS: 2 },
    { id: 2, attempts: 5, lease: null, inS: 30 },
    { id: 3, attempts: 1, lease: String, inS: 60 }
  ])
})

testEmpty('what is not known still, and a database that is away, are no faults', async (t) => {
  await addDue(1, 2)
  const { faults } = await runClaimed(async (id) => {
    if (id === 1) throw new Problem('provider_unavailable', 'It did not answer.')
    throw Object.assign(new pg.DatabaseError('lost', 1, 'error'), { code: '57P01' })
  })
  t.same(faults, [])
  t.match(await rowsNow(), [{ lease: String }, { lease: String }], 'due when their leases end')
})

testEmpty('a row whose lease went elsewhere is left as it is', async (t) => {
  await addDue(1)
  const { faults } = await runClaimed(async () => {
    const set = sql`lease = null, leased_until = null, next_attempt_at = now()`
    await sql`update card_sync set ${set}`.execute(db)
    throw new Error('bad')
  })
  t.equal(faults.length, 1)
  t.match(await rowsNow(), [{ inS: 0 }])
})

testEmpty(
  'where even putting it off fails, that is told too and the lease holds (D8)',
  async (t) => {
    await addDue(1, 2)
    await sql`create function refuse_release() returns trigger language plpgsql as $$ begin
    if new.lease is null and new.account_id = 1 then raise exception 'no release'; end if;
    return new; end $$`.execute(db)
    await sql`create trigger refuse before update on card_sync for each row
    execute function refuse_release()`.execute(db)
    t.teardown(() => sql`drop function refuse_release cascade`.execute(db))
    const { faults } = await runClaimed(() => Promise.reject(new Error('bad')))
    t.same(
      faults.map(([id, error]) => [id, (error as Error).message]),
      [
        [1, 'bad'],
        [2, 'bad'],
        [1, 'no release']
      ]
    )
    t.match(await rowsNow(), [
      { lease: String, inS: 60 },
      { lease: null, inS: 2 }
    ])
  }
)

/** Raises `looks` of all rows of a batch; where one of them is `bad`, the statement fails. */
function batchOf(bad: readonly number[], given: Partial<Batch<Locked<Sync>>> = {}) {
  const faults: Array<number | undefined> = []
  const batch: Batch<Locked<Sync>> = {
    size: 4,
    take: (tx, limit, only) => lockDue(tx, queue, limit, only),
    work: (tx, rows) => raise(tx, rows, bad),
    setAside: (tx, row) => setAside(tx, queue, row, 30),
    onFault: (row) => faults.push(row?.accountId),
    ...given
  }
  return { batch, faults }
}

async function raise(tx: Tx, rows: readonly Sync[], bad: readonly number[]): Promise<void> {
  const ids = rows.map(({ accountId }) => accountId)
  await sql`update card_sync set looks = looks + 1, next_attempt_at = null,
    account_id = account_id / case when account_id = any(${bad}::int[]) then 0 else 1 end
    where account_id = any(${ids}::int[])`.execute(tx)
}

testEmpty('a batch is one transaction, and says how many it took', async (t) => {
  await addDue(1, 2, 3, 4, 5)
  const { batch, faults } = batchOf([])
  t.same(
    [await runBatch(db, batch), await runBatch(db, batch), await runBatch(db, batch)],
    [4, 1, 0]
  )
  t.same(faults, [])
  t.ok((await rowsNow()).every(({ looks, attempts }) => looks === 1 && attempts === 0))
})

testEmpty('a bad row in the middle is set aside alone, and the others go on (D7)', async (t) => {
  await addDue(1, 2, 3, 4, 5)
  const { batch, faults } = batchOf([1, 3])
  t.equal(await runBatch(db, batch), 4)
  t.same(faults, [undefined, 1, 3], 'the batch, and each that failed alone')
  const aside = { looks: 0, attempts: 1, inS: 30 }
  const well = { looks: 1, attempts: 0, inS: null }
  t.match(await rowsNow(), [
    { id: 1, ...aside },
    { id: 2, ...well },
    { id: 3, ...aside },
    { id: 4, ...well },
    { id: 5, looks: 0, attempts: 0 }
  ])
  t.equal(await runBatch(db, batch), 1)
  t.equal(await runBatch(db, batch), 0, 'a round with nothing but what is set aside does nothing')
})

testEmpty('a bad row that is alone is told once', async (t) => {
  await addDue(1)
  const { batch, faults } = batchOf([1])
  t.equal(await runBatch(db, batch), 1)
  t.same(faults, [1])
})

testEmpty('a database that is away ends the round, and no row is blamed', async (t) => {
  await addDue(1, 2)
  const away = Object.assign(new pg.DatabaseError('lost', 1, 'error'), { code: '57P01' })
  const { batch, faults } = batchOf([], { work: () => Promise.reject(away) })
  await t.rejects(runBatch(db, batch), away)
  t.same(faults, [])
  t.match(await rowsNow(), [{ attempts: 0 }, { attempts: 0 }])
})

testEmpty('one row that waits for a lock does not hold up the others', async (t) => {
  await addDue(1, 2)
  const locked = Object.assign(new pg.DatabaseError('lock timeout', 1, 'error'), { code: '55P03' })
  const { batch } = batchOf([], {
    work: (tx, rows) =>
      rows.some(({ accountId }) => accountId === 1) ? Promise.reject(locked) : raise(tx, rows, [])
  })
  t.equal(await runBatch(db, batch), 2)
  t.match(await rowsNow(), [
    { looks: 0, attempts: 1 },
    { looks: 1, attempts: 0 }
  ])
})

testEmpty('errors that say nothing of a row end the round, in a batch and alone', async (t) => {
  await addDue(1, 2)
  const over = new Error('we stop')
  const isOver = (error: unknown) => error === over
  let works = 0
  const { batch, faults } = batchOf([], {
    isOver,
    work: async () => {
      works += 1
      throw works > 2 ? over : new Error('bad')
    }
  })
  await t.rejects(runBatch(db, batch), over)
  t.same(faults, [undefined, 1])
  t.match(await rowsNow(), [{ attempts: 1 }, { attempts: 0 }])
})

testEmpty('a row that cannot even be set aside does not stop the others', async (t) => {
  await addDue(1, 2, 3)
  const refused = new Error('no update of this row')
  const { batch, faults } = batchOf([1], {
    setAside: () => Promise.reject(refused)
  })
  t.equal(await runBatch(db, batch), 2)
  t.same(faults, [undefined, 1, 1], 'both faults are told')
  t.match(await rowsNow(), [{ looks: 0, attempts: 0 }, { looks: 1 }, { looks: 1 }])
  t.equal(await runBatch(db, batch), 0, 'and then the work rests, as nothing is done')
})

testEmpty('a row that failed alone is shown to a person once it is set aside', async (t) => {
  await addDue(1, 2)
  const shown: Array<[number, number]> = []
  const { batch, faults } = batchOf([1, 2], {
    show: async (tx, { accountId }) => {
      const { rows } = await sql<{ attempts: number }>`
        select attempts from card_sync where account_id = ${accountId}`.execute(tx)
      shown.push([accountId, rows[0]?.attempts ?? -1])
      if (accountId === 1) throw new Error('nobody can be shown it')
    }
  })
  t.equal(await runBatch(db, batch), 1)
  t.same(shown, [
    [1, 1],
    [2, 1]
  ])
  t.same(faults, [undefined, 1, 1, 2])
  t.match(await rowsNow(), [{ attempts: 1 }, { attempts: 1 }], 'whatever came of that')
})

testEmpty(
  'of a batch that failed, what somebody else has done meanwhile is passed over',
  async (t) => {
    await addDue(1, 2)
    const { batch } = batchOf([], {
      take: async (tx, limit, only) => {
        if (only?.accountId === 1) {
          await sql`update card_sync set next_attempt_at = null where account_id = 1`.execute(db)
        }
        return await lockDue(tx, queue, limit, only)
      },
      work: async (tx, rows) => {
        if (rows.length > 1) throw new Error('bad batch')
        await raise(tx, rows, [])
      }
    })
    t.equal(await runBatch(db, batch), 1)
    t.match(await rowsNow(), [{ looks: 0, inS: null }, { looks: 1 }])
  }
)

testEmpty('where taking is the work, what is found is tried one by one', async (t) => {
  await addDue(1, 2, 3)
  const { batch, faults } = batchOf([], {
    take: async (tx, limit, only) => {
      const rows = await lockDue(tx, queue, limit, only)
      await raise(tx, rows, [2])
      return rows
    },
    work: async () => {},
    find: (db, limit) => db.transaction().execute((tx) => lockDue(tx, queue, limit))
  })
  t.equal(await runBatch(db, batch), 3)
  t.same(faults, [undefined, 2])
  t.match(await rowsNow(), [{ looks: 1 }, { looks: 0, attempts: 1, inS: 30 }, { looks: 1 }])
})

testEmpty('where nothing can be taken the round fails as a whole', async (t) => {
  const fault = new Error('no lock')
  const { batch, faults } = batchOf([], { take: () => Promise.reject(fault) })
  await t.rejects(runBatch(db, batch), fault)
  t.same(faults, [])
})

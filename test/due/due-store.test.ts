import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { connect, type Tx } from '../../src/database/database.ts'
import {
  attemptsMax,
  type Claimed,
  type ClaimOptions,
  claimDue,
  claimIdle,
  done,
  giveUp,
  isHeld,
  lockDue,
  postpone,
  type Queue,
  release,
  renew,
  setAside
} from '../../src/due/due.store.ts'
import { testDatabase } from '../test-database.ts'

/** A table with due work and no other table before it. */
type Sync = { accountId: number; looks: number }
const queue: Queue<Sync> = {
  table: 'card_sync',
  key: ['account_id'],
  read: sql<Sync>`claimed.account_id as "accountId", looks from claimed`
}

const { db, url } = await testDatabase(t)
const other = connect(url, { max: 2 })
t.teardown(() => other.destroy())
/** A test that begins with nothing due. */
const testEmpty = (name: string, test: (t: Test) => Promise<unknown>) =>
  t.test(name, async (t) => {
    await sql`truncate card_sync`.execute(db)
    await test(t)
  })

async function addDue(count: number, set = sql`now()`): Promise<void> {
  await sql`insert into card_sync (account_id, next_attempt_at)
    select n, ${set} + make_interval(secs => n / 1000.0) - interval '1 minute'
    from generate_series(1, ${count}::integer) n`.execute(db)
}
const claim = (options: Partial<ClaimOptions> = {}) =>
  claimDue(db, queue, { limit: 10, leaseS: 60, ...options })
/** As if so much time had passed, seconds. */
const pass = async (seconds: number) => {
  const ago = sql`make_interval(secs => ${seconds})`
  await sql`update card_sync set leased_until = leased_until - ${ago},
    next_attempt_at = next_attempt_at - ${ago}`.execute(db)
}
const claimOne = async () => (await claim({ limit: 1 }))[0] as Claimed<Sync>
const idsOf = (rows: readonly Sync[]) => rows.map(({ accountId }) => accountId).sort()

type Row = { attempts: number; lease: string | null; inS: number | null; leasedS: number | null }
async function rowOf(id: number): Promise<Row> {
  const { rows } = await sql<Row>`select attempts, lease,
    round(extract(epoch from next_attempt_at - now()))::int as "inS",
    round(extract(epoch from leased_until - now()))::int as "leasedS"
    from card_sync where account_id = ${id}`.execute(db)
  return rows[0] as Row
}

testEmpty('a claim takes what is due, the oldest first, and counts the attempt', async (t) => {
  await addDue(3)
  await sql`insert into card_sync (account_id, next_attempt_at)
    values (4, now() + interval '1 hour'), (5, null)`.execute(db)
  const first = await claim({ limit: 2 })
  t.same(idsOf(first), [1, 2])
  t.match(first[0], { attempts: 1, looks: 0, lease: { key: [Number], id: /^[0-9a-f-]{36}$/ } })
  const row = await rowOf(1)
  t.match(row, { attempts: 1, lease: first[0]?.lease.id, inS: 60, leasedS: 60 })
  t.same(idsOf(await claim()), [3])
  t.same(await claim(), [], 'all are taken')
})

testEmpty('of many that claim at once each row goes to one', async (t) => {
  await addDue(200)
  const rounds = Array.from({ length: 20 }, (_, n) =>
    claimDue(n % 2 ? db : other, queue, { limit: 15, leaseS: 60 })
  )
  const ids = idsOf((await Promise.all(rounds)).flat())
  t.equal(new Set(ids).size, ids.length, 'none twice')
  const rest = idsOf(await claim({ limit: 200 }))
  t.equal(ids.length + rest.length, 200, 'and none lost')
})

testEmpty('a row that somebody has locked is passed over and not waited for', async (t) => {
  await addDue(2)
  await other.transaction().execute(async (tx: Tx) => {
    await sql`select from card_sync where account_id = 1 for no key update`.execute(tx)
    t.same(idsOf(await claim()), [2])
  })
  t.same(idsOf(await claim()), [1])
})

testEmpty('what a holder that died had is due when its lease ends, and not before', async (t) => {
  await addDue(1)
  await claim({ leaseS: 60 })
  await pass(55)
  t.same(await claim(), [])
  await pass(6)
  t.match(await claim(), [{ accountId: 1, attempts: 2 }])
})

testEmpty('who lost the lease changes nothing', async (t) => {
  await addDue(1)
  const lost = await claimOne()
  await pass(61)
  const [held] = await claim()
  const before = await rowOf(1)
  t.equal(await postpone(db, queue, lost, 5), false)
  t.equal(await release(db, queue, lost), false)
  t.equal(await renew(db, queue, lost, 5), false)
  t.equal(await done(db, queue, lost), false)
  t.equal(await giveUp(db, queue, lost, async (tx) => raiseLooks(tx)), false)
  t.same(await rowOf(1), before)
  t.equal(await looksOf(1), 0, 'and no person is shown anything')
  t.equal(await postpone(db, queue, held as Claimed<Sync>, 5), true)
})

const raiseLooks = (tx: Tx) => sql`update card_sync set looks = looks + 1`.execute(tx)
async function looksOf(id: number): Promise<number | undefined> {
  const query = db.selectFrom('card_sync').select('looks').where('account_id', '=', id)
  return (await query.executeTakeFirst())?.looks
}

testEmpty('a row that is postponed is due again after its delay, and nobody has it', async (t) => {
  await addDue(1)
  t.equal(await postpone(db, queue, await claimOne(), 300, sql`looks = 7`), true)
  t.same(await rowOf(1), { attempts: 1, lease: null, inS: 300, leasedS: null })
  t.equal(await looksOf(1), 7, 'with what else is true of it')
})

testEmpty('one that was not tried is given back, and counts no attempt', async (t) => {
  await addDue(1)
  t.equal(await release(db, queue, await claimOne()), true)
  t.same(await rowOf(1), { attempts: 0, lease: null, inS: 0, leasedS: null })
})

testEmpty('a holder that needs longer says so', async (t) => {
  await addDue(1)
  const held = await claimOne()
  t.equal(await renew(db, queue, held, 500), true)
  t.match(await rowOf(1), { attempts: 1, lease: held.lease.id, inS: 500, leasedS: 500 })
})

testEmpty('what is done is not due any more', async (t) => {
  await addDue(1)
  t.equal(await done(db, queue, await claimOne()), true)
  t.same(await rowOf(1), { attempts: 1, lease: null, inS: null, leasedS: null })
})

testEmpty('what is given up is shown to a person in the same transaction', async (t) => {
  await addDue(1)
  const held = await claimOne()
  const fault = new Error('it could not be shown')
  const failing = () => Promise.reject(fault)
  await t.rejects(giveUp(db, queue, held, failing), fault)
  t.match(await rowOf(1), { lease: held.lease.id, inS: 60 }, 'so it is not given up either')
  t.equal(await giveUp(db, queue, held, raiseLooks), true)
  t.match(await rowOf(1), { inS: null, lease: null })
  t.equal(await looksOf(1), 1)
})

testEmpty('one is claimed before its time, but not from somebody who has it', async (t) => {
  await addDue(1)
  const held = await claimOne()
  t.equal(await claimIdle(db, queue, [1], 60), undefined)
  await postpone(db, queue, held, 300)
  t.same(await claim(), [], 'it is not due')
  t.match(await claimIdle(db, queue, [1], 60), { accountId: 1, attempts: 2 })
  t.equal(await claimIdle(db, queue, [2], 60), undefined, 'there is none')
  await sql`update card_sync set next_attempt_at = null, lease = null, leased_until = null`.execute(
    db
  )
  t.equal(await claimIdle(db, queue, [1], 60), undefined, 'nothing is due')
})

testEmpty('attempts are counted to a bound, however many there were (D8)', async (t) => {
  await addDue(1)
  await sql`update card_sync set attempts = 40000`.execute(db)
  const held = await claimOne()
  t.equal(held.attempts, attemptsMax)
  t.equal(await postpone(db, queue, held, 300), true)
  t.same(await rowOf(1), { attempts: attemptsMax, lease: null, inS: 300, leasedS: null })
  await sql`update card_sync set attempts = 2147483646, next_attempt_at = now()`.execute(db)
  const locked = await db.transaction().execute((tx) => lockDue(tx, queue, 1))
  const [row] = locked
  t.equal(row && (await db.transaction().execute((tx) => setAside(tx, queue, row, 5))), true)
  t.match(await rowOf(1), { attempts: attemptsMax })
})

testEmpty('a back-off that fails leaves the lease as it is (D8)', async (t) => {
  await addDue(1)
  const held = await claimOne()
  await t.rejects(postpone(db, queue, held, 300, sql`looks = 1 / 0`), /division by zero/)
  t.match(await rowOf(1), { lease: held.lease.id, inS: 60, leasedS: 60 })
})

testEmpty('rows are locked in their order, and free when the transaction ends', async (t) => {
  await addDue(5)
  await db.transaction().execute(async (tx) => {
    const locked = await lockDue(tx, queue, 3)
    t.match(locked, [
      { accountId: 1, key: [1], attempts: 0 },
      { accountId: 2, key: [2] },
      { accountId: 3, key: [3] }
    ])
    const others = await other.transaction().execute((tx) => lockDue(tx, queue, 3))
    t.same(idsOf(others), [4, 5])
  })
  t.equal((await db.transaction().execute((tx) => lockDue(tx, queue, 9))).length, 5)
})

testEmpty('a row is set aside once, by whoever has just failed with it', async (t) => {
  await addDue(1)
  const [row] = await db.transaction().execute((tx) => lockDue(tx, queue, 1))
  if (row === undefined) return t.fail('it is due')
  const aside = () => db.transaction().execute((tx) => setAside(tx, queue, row, 30))
  t.same([await aside(), await aside()], [true, false])
  t.same(await rowOf(1), { attempts: 1, lease: null, inS: 30, leasedS: null })
})

testEmpty('a statement of its own can ask whether the row is held', async (t) => {
  await addDue(1)
  const held = await claimOne()
  const count = async () =>
    (await sql`select from card_sync where ${isHeld(queue, held)}`.execute(db)).rows.length
  t.equal(await count(), 1)
  await done(db, queue, held)
  t.equal(await count(), 0)
})

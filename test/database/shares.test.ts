/** Who waits for a connection of a share, and is told of it. */
import { sql } from 'kysely'
import pino from 'pino'
import t from 'tap'
import { createOutage } from '../../src/database/outage.ts'
import { connectShares, type ShareName } from '../../src/database/shares.ts'
import { testDatabase } from '../test-database.ts'

const one = { requests: 1, reads: 1, background: 1 }
const log = pino({ level: 'silent' })

t.test('who is given no connection in time waited in vain', async (t) => {
  const { serviceUrl } = await testDatabase(t)
  const waits: Array<[ShareName, boolean]> = []
  const shares = connectShares(serviceUrl, one, createOutage(log), (share, ms, isInVain) => {
    if (isInVain && ms < 1_900) throw new Error(`${ms} is not 2 s`)
    waits.push([share, isInVain])
  })
  t.teardown(shares.destroy)
  await shares.db.transaction().execute(async () => {
    await t.rejects(sql`select 1`.execute(shares.db), { message: /timeout exceeded/ })
    await sql`select 1`.execute(shares.reads)
  })
  t.same(waits, [
    ['requests', false],
    ['requests', true],
    ['reads', false]
  ])
})

t.test('where the database is away nobody waits in vain for others', async (t) => {
  const vain: ShareName[] = []
  const shares = connectShares(
    ...(['postgres://nobody@127.0.0.1:1/none', one, createOutage(log)] as const),
    (share, _, isInVain) => void (isInVain && vain.push(share))
  )
  t.teardown(shares.destroy)
  await t.rejects(sql`select 1`.execute(shares.db), { code: 'ECONNREFUSED' })
  t.same(vain, [])
})

/** The feed has the events of a payment in their order, whatever their times say. */
import { sql } from 'kysely'
import t from 'tap'
import { insertRecord } from '../../src/checkout/intent.store.ts'
import { recordPaymentEvents } from '../../src/events/event.store.ts'
import { newId } from '../../src/id.ts'
import { lockAnnouncer, placeEvents } from '../../src/webhooks/announce.store.ts'
import { insertClients, testDatabase } from '../test-database.ts'

t.test('events of the same millisecond stand in the feed in their order', async (t) => {
  const { db } = await testDatabase(t)
  await insertClients(db, 'cli_own')
  await sql`insert into account (id, currency, status) values (1, 'GBP', 'open')`.execute(db)
  const id = newId('pay')
  await db.transaction().execute(async (tx) => {
    const begun = new Date()
    await insertRecord(tx, {
      ...{ id, clientId: 'cli_own', accountId: 1, channel: 'ivr', reference: null },
      ...{ amount: { currency: 'GBP', value: 100 }, operator: null, authorisationCode: null },
      ...{ processor: { name: 'ivr', reference: 'x' }, takenAt: begun }
    })
    // As long before as a time that is cut to milliseconds may be.
    const createdAt = new Date(begun.getTime() - 1)
    const event = { paymentId: id, type: 'payment.captured', data: {}, payment: {}, createdAt }
    await recordPaymentEvents(tx, [
      { ...event, sequence: 2 },
      { ...event, sequence: 3 }
    ])
  })
  await db.transaction().execute(async (tx) => {
    await lockAnnouncer(tx)
    await placeEvents(tx, 10, 10)
  })
  const { rows } = await sql<{ sequence: number }>`
    select sequence from event_feed order by position`.execute(db)
  t.same(
    rows.map(({ sequence }) => sequence),
    [1, 2, 3]
  )
})

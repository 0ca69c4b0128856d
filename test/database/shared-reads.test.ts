/** What is read at the same moment shares a statement, and each caller gets its own. */
import { type KyselyPlugin, sql } from 'kysely'
import t from 'tap'
import { findCharges } from '../../src/accounts/account.store.ts'
import { findCard } from '../../src/cards/card.store.ts'
import { hashKey, insertClient, insertKey, newApiKey } from '../../src/clients/client.store.ts'
import { createKeyCache } from '../../src/clients/client-cache.commands.ts'
import type { Db } from '../../src/database/database.ts'
import { listFeed } from '../../src/feed/feed.store.ts'
import { claimKey, findKey, saveReply } from '../../src/http/idempotency.store.ts'
import { findPayment } from '../../src/payments/payment.store.ts'
import type { ShownPayment } from '../../src/payments/payment.ts'
import { createWaiters } from '../../src/payments/waiters.commands.ts'
import { insertClients, testDatabase } from '../test-database.ts'

const { db } = await testDatabase(t)
await insertClients(db, 'cli_one', 'cli_two')

/** The same database, and how many statements were run on it. */
function counted(): { db: Db; statements: () => number } {
  let statements = 0
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      statements += 1
      return result
    }
  }
  return { db: db.withPlugin(plugin), statements: () => statements }
}

const callers = 5_000
await sql`
  insert into account (id, currency, status) values (1, 'GBP', 'open'), (2, 'GBP', 'open')`.execute(
  db
)
await sql`
  insert into payment (id, client_id, account_id, currency, amount, channel, method, capture,
    save_card, return_url, idempotency_key, provider_key, expires_at, status)
  select 'pay_' || n, case n % 2 when 0 then 'cli_one' else 'cli_two' end, 1, 'GBP', n, 'ivr',
    'hostedPage', 'automatic', 'never', 'https://a.example', n, n, now(), 'pending'
  from generate_series(1, ${callers}::integer) n`.execute(db)

t.test('five thousand callers who wait begin by ten statements, and are told by ten', async (t) => {
  const { db: own, statements } = counted()
  const room = createWaiters(own, (error) => t.fail(String(error)))
  const { signal } = new AbortController()
  const ids = Array.from({ length: callers }, (_, place) => `pay_${place + 1}`)
  const waiting = ids.map((id) => {
    const read = async () => (await findPayment(own, id)) as ShownPayment
    return room.wait(id, read, ({ status }) => status === 'cancelled', 20_000, signal)
  })
  while (statements() < callers / 500) await new Promise(setImmediate)
  await sql`update payment set status = 'cancelled', cancelled_by = 'client',
    finished_at = now()`.execute(db)
  room.changed(ids)
  const seen = await Promise.all(waiting)
  t.same(
    seen.map(({ id }) => id),
    ids,
    'each of its own payment'
  )
  t.equal(statements(), 2 * (callers / 500))
})

t.test('each client of the feed gets its page, and two statements are all', async (t) => {
  await sql`
    insert into event_feed (payment_id, sequence, type, account_id, client_id)
    select id, 1, 'payment.created', 1, client_id from payment order by amount limit 100`.execute(
    db
  )
  await sql`
    insert into payment_event (payment_id, sequence, type, data)
    select payment_id, 1, type, '{}' from event_feed`.execute(db)
  const { db: own, statements } = counted()
  const asked = [
    { clientId: null, after: 0, limit: 100 },
    { clientId: null, after: 97, limit: 100 },
    { clientId: 'cli_one', after: 0, limit: 3 },
    { clientId: 'cli_two', after: 50, limit: 2 },
    { clientId: 'cli_one', after: 100, limit: 20 },
    { clientId: 'cli_none', after: 0, limit: 20 }
  ]
  const pages = await Promise.all(asked.map((filter) => listFeed(own, filter)))
  t.same(
    pages.map((page) => page.map(({ position }) => position)),
    [
      Array.from({ length: 100 }, (_, place) => place + 1),
      [98, 99, 100],
      [2, 4, 6],
      [51, 53],
      [],
      []
    ]
  )
  for (const { payment, position } of pages.flat()) t.equal(payment?.id, `pay_${position}`)
  t.equal(statements(), 2)
})

t.test('a saved answer is that of its key and its client', async (t) => {
  await db.transaction().execute(async (tx) => {
    for (const clientId of ['cli_one', 'cli_two']) {
      const claim = { clientId, key: 'same', fingerprint: Buffer.alloc(32, clientId) }
      await claimKey(tx, claim, `of ${clientId}`)
    }
    await saveReply(tx, 'cli_one', 'same', { status: 201, body: '{"a": "é\\u0000"}' })
  })
  const { db: own, statements } = counted()
  const [one, two, none, again] = await Promise.all([
    findKey(own, 'cli_one', 'same'),
    findKey(own, 'cli_two', 'same'),
    findKey(own, 'cli_one', 'other "\\ \' ,'),
    findKey(own, 'cli_one', 'same')
  ])
  const fingerprint = Buffer.alloc(32, 'cli_one')
  const reply = { status: 201, body: '{"a": "é\\u0000"}' }
  t.same(one, { resourceId: 'of cli_one', fingerprint, reply })
  t.same(again, one)
  t.match(two, { resourceId: 'of cli_two', reply: null })
  t.equal(none, undefined)
  t.equal(statements(), 1)
})

t.test('a caller is known by its key, however many are asked about', async (t) => {
  const keys = [newApiKey(), newApiKey(), newApiKey()]
  const ids = await db.transaction().execute(async (tx) => {
    const ids: string[] = []
    for (const [place, key] of keys.slice(0, 2).entries()) {
      const id = await insertClient(tx, {
        ...{ name: `client ${place}`, scopes: ['payments:read'] },
        ...{ thirdParty: place === 1, returnOrigins: ['https://a.example'] }
      })
      await insertKey(tx, id, key)
      ids.push(id)
    }
    return ids
  })
  const { db: own, statements } = counted()
  const cache = createKeyCache(own, (error) => t.fail(String(error)))
  const found = await Promise.all(keys.map((key) => cache.find(hashKey(key), key)))
  t.equal(statements(), 1)
  t.strictSame(
    found.map(({ client }) => client?.id),
    [...ids, undefined]
  )
  t.match(found[1]?.client, { name: 'client 1', thirdParty: true, scopes: ['payments:read'] })
})

t.test('cards and charges that creates name are their own account’s', async (t) => {
  await sql`
    insert into card (id, account_id, token, brand, last_four, expiry_month, expiry_year)
    select 'card_' || n, n, 'TOK' || n, 'visa', '1111', 3, 2030
    from generate_series(1, 2) n`.execute(db)
  await sql`
    insert into charge (id, account_id, reference, amount, open_amount, due_at)
    select 'chg_' || n, 1 + n % 2, n, n, n, now() from generate_series(1, 4) n`.execute(db)
  const { db: own, statements } = counted()
  const cards = await Promise.all([
    findCard(own, 1, 'card_1'),
    findCard(own, 1, 'card_2'),
    findCard(own, 2, 'card_2'),
    findCard(own, 2, 'card_3')
  ])
  t.strictSame(
    cards.map((card) => card?.token),
    ['TOK1', undefined, 'TOK2', undefined]
  )
  t.equal(statements(), 1)
  const charges = await Promise.all([
    findCharges(own, 1, ['chg_1', 'chg_2', 'chg_4', 'chg_2']),
    findCharges(own, 2, ['chg_1', 'chg_2']),
    findCharges(own, 2, [])
  ])
  t.same(
    charges.map((some) => some.map(({ id }) => id).sort()),
    [['chg_2', 'chg_4'], ['chg_1'], []]
  )
  t.equal(statements(), 2)
})

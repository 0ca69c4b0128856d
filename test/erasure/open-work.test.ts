/** What an erasure and a purge of notifications must not take from work that is not done. */
import { sql } from 'kysely'
import pg from 'pg'
import t from 'tap'
import { forgetNotifications } from '../../src/adyen/retention.jobs.ts'
import { connect } from '../../src/database/database.ts'
import { readEraseArguments, runEraseCommand } from '../../src/erasure/erasure.commands.ts'
import { envelope, type Item, item, sender, signed } from '../adyen/signed-notifications.ts'
import { checkMoney } from '../invariants.ts'
import { newAccountId, testService } from '../test-service.ts'
import { deskOf } from '../webhooks/receivers.ts'

const retention = { keysDays: 30, deliveriesDays: 30, notificationsDays: 60 }
const service = await testService(t, { retention })
const { call, createPayment, databaseUrl, db, pay, until } = service
const { ask } = deskOf(service)
const send = sender(service)

const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString()

async function erase(accountId: string) {
  const own = connect(databaseUrl, { max: 1, patient: true })
  try {
    const asked = readEraseArguments(['run', accountId, '--by', 'dpo'])
    return await runEraseCommand(own, asked, [], () => {})
  } finally {
    await own.destroy()
  }
}

/** A payment of 25.00 of an account, and the account. */
async function paid() {
  const accountId = newAccountId()
  await ask(201, 'PUT', `/v1/accounts/${accountId}`, { currency: 'GBP' })
  const { id } = await createPayment({ accountId, returnUrl: 'https://selfcare.example/' })
  await pay(id)
  const { provider } = await until(id, ({ status }) => status === 'captured')
  return { id, accountId, money: provider.reference as string }
}

const close = (accountId: string) =>
  ask(200, 'PUT', `/v1/accounts/${accountId}`, { currency: 'GBP', status: 'closed' })

/** How a notification ended. */
async function settled(reference: unknown): Promise<{ id: string; status: string; fault: string }> {
  for (const giveUpAt = Date.now() + 10_000; Date.now() < giveUpAt; ) {
    const { body } = await call('GET', '/v1/notifications?limit=100')
    const found = body.data.find((one: Item) => one.pspReference === reference)
    if (found !== undefined && !['received', 'waiting'].includes(found.status)) return found
  }
  throw new Error(`${reference} is not settled`)
}

t.test('money that was given back is not given back again by what was forgotten', async (t) => {
  const { id, money } = await paid()
  const about = { merchantReference: id, originalReference: money }
  const amount = { currency: 'GBP', value: 700 }
  const dispute = (eventCode: string, pspReference: string, days: number) =>
    signed(item({ ...about, amount, eventCode, pspReference, eventDate: daysAgo(days) }))
  // Adyen may report it under the reference of the money: only which have had it says of which.
  const reversed = dispute('CHARGEBACK_REVERSED', money, 58)
  await send(envelope([dispute('CHARGEBACK', 'DISPUTE000000001', 58.5)]))
  await until(id, ({ amountChargedBack }) => amountChargedBack === 700)
  await send(envelope([reversed]))
  await until(id, ({ amountChargedBack }) => amountChargedBack === 0)
  await send(envelope([dispute('CHARGEBACK', 'DISPUTE000000002', 2)]))
  await until(id, ({ amountChargedBack }) => amountChargedBack === 700)
  await sql`update notification set received_at = now() - interval '61 days'
    where event_code like 'CHARGEBACK%'`.execute(db)
  t.equal(await forgetNotifications(db, 60), 3)

  // As if it had been sent first when it says so: nobody can wait so long.
  const again = { ...reversed, eventDate: daysAgo(61) }
  await send(envelope([again]))
  t.match(await settled(money), { status: 'parked', fault: /^It is older than what is kept here/ })
  t.match(await until(id, () => true), { amountChargedBack: 700 })
  await checkMoney(t, db)
})

t.test('a notification that a person has to look at keeps what it is read by', async (t) => {
  const { id, accountId, money } = await paid()
  await close(accountId)
  const odd = signed(
    item({
      ...{ originalReference: money, merchantReference: 'of-the-desk', success: 'perhaps' },
      ...{ eventCode: 'CAPTURE', eventDate: daysAgo(0), reason: 'Merchant Recaptured' }
    })
  )
  await send(envelope([odd]))
  const parked = await settled(odd.pspReference)
  t.equal(parked.status, 'parked')
  const refused = await erase(accountId)
  t.notOk(refused.isDone)
  t.match(refused.text, new RegExp(`or parked: 1, ${parked.id}`))

  const dismissal = { reason: 'zyxplant: Jo rang', operator: { id: 'night-2' } }
  await ask(200, 'POST', `/v1/notifications/${parked.id}/dismissal`, dismissal)
  const ended = await erase(accountId)
  t.ok(ended.isDone, ended.text)
  t.equal((await settled(odd.pspReference)).fault, 'Dismissed by night-2')
  const { rows } = await sql`
    select from notification n where n::text like '%zyxplant%'
    union all select from idempotency_key k where k::text like '%zyxplant%'`.execute(db)
  t.equal(rows.length, 0, 'why it was dismissed is erased, in the saved answer too')
  t.ok((await erase(accountId)).isDone)
  t.match(await until(id, () => true), { status: 'captured' })
})

t.test('a card of which the provider only just told is waited for', async (t) => {
  const { accountId } = await paid()
  await close(accountId)
  const hint = (looks: number, at = sql`now() + interval '1 hour'`) =>
    sql`insert into card_sync (account_id, next_attempt_at, looks)
      values (${Number(accountId)}, ${at}, ${looks}) on conflict (account_id)
      do update set looks = ${looks}, next_attempt_at = ${at}`.execute(db)
  await hint(0)
  t.match((await erase(accountId)).text, /about to be asked for: 1, /)
  await hint(1)
  t.ok((await erase(accountId)).isDone)
})

t.test('a card that goes while it is counted is not left with its token', async (t) => {
  const { accountId } = await paid()
  await close(accountId)
  await sql`insert into card (id, account_id, token, removed_at, next_attempt_at)
    values ('crd_1', ${Number(accountId)}, 'zyxplant', now(), now() + interval '1 hour')`.execute(
    db
  )
  const { query } = pg.Client.prototype
  t.teardown(() => Object.assign(pg.Client.prototype, { query }))
  let isLast = false
  const watched = async (client: pg.Client, given: Parameters<typeof query>) => {
    const [{ text = '' }] = given as unknown as [{ text?: string }]
    if (String(given[0]).startsWith('vacuum')) isLast = true
    if (isLast && /count.* from tmf_post /.test(text)) {
      isLast = false
      await sql`update card set next_attempt_at = null where id = 'crd_1'`.execute(db)
    }
    return await query.apply(client, given)
  }
  Object.assign(pg.Client.prototype, {
    query(this: pg.Client, ...given: Parameters<typeof query>) {
      const isAwaited = typeof given.at(-1) !== 'function'
      return isAwaited ? watched(this, given) : query.apply(this, given)
    }
  })
  const { text, isDone } = await erase(accountId)
  Object.assign(pg.Client.prototype, { query })
  t.notOk(isDone, text)
  t.ok((await erase(accountId)).isDone)
  const { rows } = await sql`select from card where token = 'zyxplant'`.execute(db)
  t.equal(rows.length, 0)
})

t.test('of an instance and an erasure that wait for each other one begins again', async (t) => {
  const { accountId, id } = await paid()
  const body = { accountId, returnUrl: 'https://selfcare.example/', allowDuplicate: true }
  const { id: other } = await createPayment(body)
  await pay(other)
  await until(other, ({ status }) => status === 'captured')
  await close(accountId)
  await sql`update payment set description = 'Jo' where account_id = ${Number(accountId)}`.execute(
    db
  )
  const { rows } = await sql<{ id: string }>`
    select id from payment where account_id = ${Number(accountId)} order by ctid`.execute(db)
  const [first, last] = rows.map((one) => one.id) as [string, string]
  t.same([first, last].toSorted(), [id, other].toSorted())
  const ended = await db.transaction().execute(async (tx) => {
    // So that it is the erasure that notices, and has to begin again.
    await sql`set local deadlock_timeout = '1min'`.execute(tx)
    await sql`select from payment where id = ${last} for update`.execute(tx)
    const erasing = erase(accountId)
    const isWaiting = sql<{ count: number }>`select count(*)::integer as count from pg_locks
      where not granted`
    while ((await isWaiting.execute(db)).rows[0]?.count === 0);
    await sql`select from payment where id = ${first} for update`.execute(tx)
    return { erasing }
  })
  const { isDone, text } = await ended.erasing
  t.ok(isDone, text)
})

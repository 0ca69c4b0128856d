/** What has served its purpose goes when it is old, and nothing that somebody still needs. */
import { sql } from 'kysely'
import t from 'tap'
import { forgetNotifications } from '../../src/adyen/retention.jobs.ts'
import { ConfigFault, readConfig } from '../../src/config.ts'
import { connect } from '../../src/database/database.ts'
import { purgeKeys } from '../../src/http/idempotency.store.ts'
import { testDatabase } from '../test-database.ts'

const { db, serviceUrl } = await testDatabase(t)
// As the service does it, which may do no more than it needs.
const own = connect(serviceUrl, { max: 1 })
t.teardown(() => own.destroy())

/** So many notifications of a status that came so many days ago; ids grow with each. */
async function insertNotifications(status: string, daysAgo: number, count = 1): Promise<void> {
  await sql`
    insert into notification (id, fingerprint, event_code, success, psp_reference,
      merchant_reference, merchant_account, amount, live, item, status, fault, next_attempt_at,
      received_at)
    select 'ntf_' || lpad((base + n)::text, 16, '0'), sha256((base + n)::text::bytea), 'REFUND',
      true, 'psp', 'pay', 'Merchant', 0, false, '{}', ${status}, 'why',
      case when ${status}::text in ('received', 'waiting') then now() end,
      now() - make_interval(days => ${daysAgo})
    from generate_series(1, ${count}) as n, (select count(*) as base from notification) as known
  `.execute(db)
}
const left = async () =>
  (
    await sql<{ one: string }>`
      select status || ' ' || extract(day from now() - received_at) || ' ' || count(*) as one
      from notification group by status, extract(day from now() - received_at)
      order by min(id)`.execute(db)
  ).rows.map(({ one }) => one)

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env)
    return []
  } catch (error) {
    if (error instanceof ConfigFault) return error.faults
    throw error
  }
}

t.test('how long what has served its purpose is kept', async (t) => {
  const usual = { keysDays: 30, deliveriesDays: 30, notificationsDays: null }
  t.same(readConfig({}).retention, usual)
  const env = {
    RETENTION_KEYS_DAYS: '7',
    RETENTION_DELIVERIES_DAYS: '1',
    RETENTION_NOTIFICATIONS_DAYS: '60'
  }
  t.same(readConfig(env).retention, { keysDays: 7, deliveriesDays: 1, notificationsDays: 60 })
  const shorter = {
    RETENTION_KEYS_DAYS: '6',
    RETENTION_DELIVERIES_DAYS: '0',
    RETENTION_NOTIFICATIONS_DAYS: '59'
  }
  t.match(faultsOf(shorter), [
    /^RETENTION_KEYS_DAYS must be an integer from 7 to 3650$/,
    /^RETENTION_DELIVERIES_DAYS must be an integer from 1 to 3650$/,
    /^RETENTION_NOTIFICATIONS_DAYS must be an integer from 60 to 3650$/
  ])
})

t.test('notifications that are settled go with their age, over all pages of them', async (t) => {
  await insertNotifications('applied', 90, 1_500)
  await insertNotifications('parked', 90, 600)
  await insertNotifications('ignored', 80, 900)
  await insertNotifications('waiting', 80)
  await insertNotifications('applied', 61)
  await sql`insert into settlement_report (id, origin, status, notification_id)
    select 'set_1', 'provider', 'received', max(id) from notification`.execute(db)
  await insertNotifications('applied', 59, 2)
  t.equal(await forgetNotifications(own, null), 0, 'unless told otherwise they are kept')
  t.equal(await forgetNotifications(own, 60), 2_400)
  t.same(await left(), ['parked 90 600', 'waiting 80 1', 'applied 61 1', 'applied 59 2'])
  t.equal(await forgetNotifications(own, 60), 0)
})

t.test('keys go with their age once they are answered', async (t) => {
  await sql`
    insert into idempotency_key (client_id, key, fingerprint, resource_id, reply_status,
      reply_body, created_at)
    select 'cli', coalesce(status, 0) || ' ' || days, '', 'pay', status,
      case when status > 0 then '{}' end, now() - make_interval(days => days)
    from (values (201, 6), (201, 8), (null, 8)) as one(status, days)`.execute(db)
  t.equal(await purgeKeys(own, 7), 1)
  const { rows } = await sql<{ key: string }>`select key from idempotency_key order by key`.execute(
    db
  )
  t.same(
    rows.map(({ key }) => key),
    ['0 8', '201 6']
  )
})

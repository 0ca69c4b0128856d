import { sql } from 'kysely'
import t from 'tap'
import { endPages } from '../../src/checkout/checkout.jobs.ts'
import { newId } from '../../src/id.ts'
import type { Provider } from '../../src/provider.ts'
import { newPayment } from '../lifecycle/aggregates.ts'
import { testContext } from '../test-context.ts'
import { insertClients, testDatabase } from '../test-database.ts'
import { addPayment } from './intents.ts'

const { db } = await testDatabase(t)
const accountId = 20_000_001
const { clientId } = newPayment({})
await insertClients(db, clientId)
await db
  .insertInto('account')
  .values({ id: accountId, currency: 'GBP', name: null, status: 'open' })
  .execute()

/** A payment whose page has ended, the first of them the longest ago. */
async function addEnded(minutesAgo: number): Promise<string> {
  const id = newId('pay')
  await addPayment(db, newPayment({ id, accountId }))
  await sql`update payment set next_attempt_at = now() - make_interval(mins => ${minutesAgo})
    where id = ${id}`.execute(db)
  return id
}

const statusOf = async (id: string) =>
  await db
    .selectFrom('payment')
    .select(['status', 'attempts', 'next_attempt_at'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow()

t.test('D7: a page that cannot be ended does not stop the end of the others', async (t) => {
  const bad = await addEnded(3)
  const others = [await addEnded(2), await addEnded(1)]
  await sql`create function refuse_end() returns trigger language plpgsql as $$
    begin raise exception 'refused'; end $$`.execute(db)
  await sql`create trigger refuse_end before update on payment for each row
    when (new.id = ${sql.lit(bad)} and new.status = 'expired')
    execute function refuse_end()`.execute(db)
  const faults: unknown[] = []
  const deps = {
    ...testContext(db, { provider: { name: 'adyen' } as Provider, providerName: 'adyen' }),
    onFault: ({ paymentId }: { paymentId?: unknown }) => void faults.push(paymentId)
  }
  await endPages(deps)
  for (const id of others) t.match(await statusOf(id), { status: 'expired' })
  const { status, attempts, next_attempt_at: next } = await statusOf(bad)
  t.same([status, attempts], ['pending', 1])
  t.ok(next && next.getTime() > Date.now(), 'it is tried again later')
  t.same(faults, [undefined, bad], 'the batch, and the payment that it was for')

  await sql`drop trigger refuse_end on payment`.execute(db)
  await sql`update payment set next_attempt_at = now() where id = ${bad}`.execute(db)
  t.equal(await endPages(deps), 1)
  t.match(await statusOf(bad), { status: 'expired', next_attempt_at: null })
})

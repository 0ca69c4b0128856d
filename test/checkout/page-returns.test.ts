/**
 * Payments gone quiet: what a customer brought back is asked about again, and what can't be
 * resolved is shown to a person.
 */
import { sql } from 'kysely'
import t from 'tap'
import { showForgottenReservations } from '../../src/checkout/checkout.jobs.ts'
import type { Provider } from '../../src/provider.ts'
import { checkMoney } from '../invariants.ts'
import { type TestService, testService } from '../test-service.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
type Found = any

/** Adyen's answer to what the browser brought back, and nothing else, goes wrong. */
const broken = (api: Record<string, object>) =>
  Object.fromEntries(
    Object.entries(api).map(([name, fault]) => [name, { path: 'sessionResult=', ...fault }])
  )

async function startQuiet(service: TestService, api: Record<string, object>): Promise<void> {
  await service.control('PUT', '/_simulator/faults', {
    api: broken(api),
    webhooks: { drop: true }
  })
}

/** Comes back from the page after `how`, which ends it. */
async function comeBack(
  { control, createPayment, url }: TestService,
  how: 'pay' | 'cancel' = 'pay',
  form = {}
): Promise<string> {
  const { id, checkout } = await createPayment()
  const session = checkout.url.split('/').at(-1)
  if (how === 'pay') await control('POST', `/_simulator/sessions/${session}/pay`, form)
  // Of a page that is paid already, this only leads back.
  const back = await fetch(`${checkout.url}/cancel`, { redirect: 'manual' })
  const { search } = new URL(back.headers.get('location') ?? '')
  const returned = await fetch(`${url}/return/${id}${search}`, { redirect: 'manual' })
  if (returned.status !== 303) throw new Error(`the return answered ${returned.status}`)
  return id
}

async function returnsOf({ db }: TestService, id: string): Promise<Found[]> {
  const { rows } = await sql`select * from page_return where payment_id = ${id}`.execute(db)
  return rows
}

/** The next time is further off than the end of whoever asks now, which is 3 s at most. */
const isPostponed = ({ next_attempt_at: dueAt }: { next_attempt_at: Date }) =>
  dueAt.getTime() - Date.now() > 5_000

/** Brings what is due next forward, and waits until it was done. */
async function askAgain(service: TestService, id: string): Promise<void> {
  const [before] = await returnsOf(service, id)
  for (let n = 0; n < 200; n += 1) {
    // Not while it is being asked, which then sets the next time: it may have been due by itself.
    await sql`
      update page_return set next_attempt_at = least(next_attempt_at, now())
      where payment_id = ${id} and attempts = ${before.attempts}`.execute(service.db)
    const [now] = await returnsOf(service, id)
    if (now === undefined || (now.attempts > before.attempts && isPostponed(now))) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error('it was not asked again in time')
}

t.test('what the browser brought back is asked about again', async (t) => {
  const service = await testService(t, { adyenTimeoutMs: 1_000, duplicateWindowS: 0 })
  const { db, until, call, control } = service
  const ways: Array<[name: string, api: Record<string, object>]> = [
    ['times out', { hangAfterWork: { times: 1 } }],
    ['fails', { status5xx: { times: 1 } }],
    ['is not to be reached', { resetBeforeHeaders: { times: 2 } }]
  ]
  for (const [name, api] of ways) {
    await t.test(`where Adyen ${name}`, async (t) => {
      await startQuiet(service, api)
      const id = await comeBack(service)
      t.equal((await call('GET', `/v1/payments/${id}`)).body.status, 'pending')
      t.match(await returnsOf(service, id), [{ attempts: 0, session_result: /\S{20}/ }])
      await askAgain(service, id)
      const { amountCaptured } = await until(id, ({ status }) => status === 'captured')
      t.equal(amountCaptured, 2500)
      t.same(await returnsOf(service, id), [], 'once it is known nobody asks')
    })
  }

  await t.test('also that they cancelled', async () => {
    await startQuiet(service, { status5xx: { times: 1 } })
    const id = await comeBack(service, 'cancel')
    await askAgain(service, id)
    await until(id, ({ status }) => status === 'cancelled')
  })

  await t.test('in growing pauses, the last one shortly before the page ends', async (t) => {
    await startQuiet(service, { status5xx: {} })
    const id = await comeBack(service)
    const pauses: number[] = []
    for (let n = 0; n < 3; n += 1) {
      await askAgain(service, id)
      const [{ next_attempt_at: dueAt, attempts }] = await returnsOf(service, id)
      t.equal(attempts, n + 1)
      pauses.push(Math.round((dueAt - Date.now()) / 1000))
    }
    t.same(
      pauses.map((one) => (one > 200 ? 300 : one > 50 ? 60 : 15)),
      [15, 60, 300]
    )
    await sql`update payment set next_attempt_at = now() + interval '90 seconds'
      where id = ${id}`.execute(db)
    await askAgain(service, id)
    const [{ next_attempt_at: last }] = await returnsOf(service, id)
    t.ok(last - Date.now() < 31_000 && last - Date.now() > 20_000)
    await control('PUT', '/_simulator/faults', { api: { status5xx: false } })
    // It would be asked about once Adyen answers again.
    await sql`delete from page_return where payment_id = ${id}`.execute(db)
  })

  await t.test('but not what Adyen does not know', async (t) => {
    await startQuiet(service, {})
    const { id } = await service.createPayment()
    await fetch(`${service.url}/return/${id}?sessionResult=forged`, { redirect: 'manual' })
    t.same(await returnsOf(service, id), [])
  })

  await t.test('and not once a notification has said it', async (t) => {
    await startQuiet(service, { status5xx: { times: 1 } })
    await control('PUT', '/_simulator/faults', { webhooks: { drop: false, delayMs: 300 } })
    const id = await comeBack(service)
    t.equal((await returnsOf(service, id)).length, 1)
    await until(id, ({ status }) => status === 'captured')
    const before = (await control('GET', '/_simulator/requests')).body.length
    await askAgain(service, id)
    t.same(await returnsOf(service, id), [])
    t.equal((await control('GET', '/_simulator/requests')).body.length, before)
    await control('PUT', '/_simulator/faults', { webhooks: { delayMs: false } })
  })
  await checkMoney(t, db)
})

t.test('a page that ends without an answer is shown to a person', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { db, call, until } = service
  await startQuiet(service, { status5xx: {} })
  const id = await comeBack(service)
  const { id: other } = await service.createPayment()
  await askAgain(service, id)
  await sql`update payment set next_attempt_at = now() where id in (${id}, ${other})`.execute(db)
  const ended = await until(id, ({ status }) => status === 'expired')
  t.match(ended, { finished: true, failure: { code: 'expired' }, amountCaptured: 0 })
  await until(other, ({ status }) => status === 'expired')
  const { rows } = await sql<Found>`select * from discrepancy`.execute(db)
  t.match(rows, [
    {
      kind: 'outcome_unknown',
      fact: id,
      payment_id: id,
      status: 'open',
      details: { returnedAt: /Z$/, askedAgain: 1 }
    }
  ])
  t.equal(rows.length, 1, 'one that nobody came back from is no question')
  t.same(await returnsOf(service, id), [])
  const { body } = await call('GET', `/v1/payments/${id}/events`)
  t.same(
    body.data.map(({ type }: Found) => type),
    ['payment.created', 'payment.expired', 'discrepancy.opened']
  )
  await checkMoney(t, db)
})

t.test('a page that Adyen calls paid without telling of money is asked about again', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { db, until } = service
  await startQuiet(service, {})
  const id = await comeBack(service, 'pay', { holderName: 'PENDING' })
  await askAgain(service, id)
  await sql`update payment set next_attempt_at = now() where id = ${id}`.execute(db)
  await until(id, ({ status }) => status === 'expired')
  const { rows } = await sql<Found>`select * from discrepancy`.execute(db)
  t.match(rows, [{ kind: 'outcome_unknown', payment_id: id, details: { askedAgain: 1 } }])
  await checkMoney(t, db)
})

t.test('a reservation that nobody captured for 30 days is shown once', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { db, createPayment, pay, until } = service
  const ids: string[] = []
  for (let n = 0; n < 3; n += 1) {
    const { id } = await createPayment({ capture: 'manual' })
    await pay(id)
    await until(id, ({ status }) => status === 'authorised')
    ids.push(id)
  }
  const age = (id: string | undefined, days: number) =>
    sql`update authorisation set created_at = now() - make_interval(days => ${days})
      where payment_id = ${id}`.execute(db)
  await age(ids[0], 31)
  await age(ids[1], 29)
  const provider = { name: 'adyen' } as Provider
  const deps = { db, provider, providerName: 'adyen' } as Parameters<
    typeof showForgottenReservations
  >[0]
  const rounds = await Promise.all([1, 2, 3].map(() => showForgottenReservations(deps)))
  t.ok(rounds.every((count) => count <= 1))
  t.equal(await showForgottenReservations(deps), 0)
  const { rows } = await sql<Found>`select * from discrepancy`.execute(db)
  t.match(rows, [{ kind: 'outcome_unknown', payment_id: ids[0], details: { authorisedAt: /Z$/ } }])
  t.equal(rows.length, 1)
  t.equal((await until(ids[0] as string, () => true)).status, 'authorised')
  await checkMoney(t, db)
})

/** The disputes of all payments, as they are listed. */
import { sql } from 'kysely'
import t from 'tap'
import { testService } from '../test-service.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
type Found = any

t.test('disputes are listed by whose they are, how they stand and when they end', async (t) => {
  const service = await testService(t)
  const { call, control, createPayment, pay, until, addClient, db } = service
  const reader = await addClient({
    scopes: ['payments:read', 'payments:write'],
    thirdParty: true
  })
  const inDays = (days: number) => new Date(Date.now() + days * 24 * 60 * 60_000).toISOString()
  const paid = async (key?: string) => {
    const changes = { returnUrl: 'https://selfcare.example/paid' }
    const { id } = await createPayment(changes, key ? { key } : {})
    await pay(id)
    return await until(id, ({ status }) => status === 'captured')
  }
  const list = async (query = '', key?: string): Promise<Found[]> => {
    const answer = await call('GET', `/v1/disputes?${query}`, key ? { key } : {})
    t.equal(answer.status, 200, answer.text)
    return answer.body.data
  }
  /** One that the bank of a card opens, to be defended within so many days. */
  const dispute = async (payment: Found, days: number, ...later: string[]) => {
    const path = `/_simulator/payments/${payment.provider.reference}/dispute`
    for (const eventCode of ['NOTIFICATION_OF_CHARGEBACK', ...later]) {
      const given = later.length === 0 ? { defensePeriodEndsAt: inDays(days) } : {}
      await control('POST', path, { eventCode, ...given })
    }
    const isThere = (found: Found[]) =>
      found[0] !== undefined && (later.length === 0 || found[0].status !== 'open')
    for (let tries = 0; tries < 500; tries += 1) {
      const { body } = await call('GET', `/v1/payments/${payment.id}/disputes`)
      if (isThere(body.data)) return body.data[0]
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    throw new Error('not in time')
  }
  const far = await dispute(await paid(), 20.5)
  const near = await dispute(await paid(reader), 6.5)
  const lost = await dispute(await paid(), 18, 'CHARGEBACK', 'DISPUTE_DEFENSE_PERIOD_ENDED')
  const idsOf = (some: Found[]) => some.map(({ id }) => id)

  t.same(await list(), [lost, near, far], 'newest first, as the payments have them')
  t.match(far, { paymentId: String, accountId: /^\d+$/, status: 'open', stage: 'notification' })
  t.same(idsOf(await list('status=open')), [near.id, far.id])
  t.same(idsOf(await list('status=lost')), [lost.id])
  t.same(idsOf(await list(`accountId=${far.accountId}`)), [far.id])
  t.same(await list('accountId=1'), [])
  const until30 = `defendBefore=${inDays(30)}`
  t.same(idsOf(await list(until30)), [near.id, lost.id, far.id], 'the nearest deadline first')
  t.same(idsOf(await list(`defendBefore=${inDays(7)}&status=open`)), [near.id])

  t.test('page by page, in both orders', async (t) => {
    for (const [query, ids] of [
      ['', [lost.id, near.id, far.id]],
      [until30, [near.id, lost.id, far.id]]
    ] as const) {
      const found: string[] = []
      for (let path = `/v1/disputes?limit=1&${query}`; path !== ''; ) {
        const { body, headers } = await call('GET', path)
        found.push(...idsOf(body.data))
        path = /<(.*)>; rel="next"/.exec(headers.get('link') ?? '')?.[1] ?? ''
        t.equal(path === '', body.nextCursor === null)
      }
      t.same(found, ids)
      const csv = await call('GET', `/v1/disputes?${query}`, { headers: { accept: 'text/csv' } })
      t.same(
        csv.text.split('\r\n').flatMap((line) => /^dsp_\w+/.exec(line)?.[0] ?? []),
        ids
      )
    }
    const { body } = await call('GET', `/v1/disputes?limit=1&${until30}`)
    for (const other of [`cursor=${body.nextCursor}`, `cursor=bm9uZQ&${until30}`]) {
      const answer = await call('GET', `/v1/disputes?${other}`)
      t.ok([200, 400].includes(answer.status), 'a cursor of the other order is no fault of ours')
    }
  })

  t.test('a third party sees its own', async (t) => {
    t.same(idsOf(await list('', reader)), [near.id])
    t.same(idsOf(await list(until30, reader)), [near.id])
    t.same(await list(`accountId=${far.accountId}`, reader), [])
    const stranger = await addClient({ scopes: ['payments:read'], thirdParty: true })
    t.same(await list('', stranger), [])
  })

  t.test('what is near is told in the feed, and can be sent', async (t) => {
    const type = 'dispute.deadlineApproaching'
    const told = async () => {
      // A feed has an event a moment after the payment has it.
      const { body } = await call('GET', '/v1/events?limit=100', { key: reader })
      return body.data.filter((event: Found) => event.type === type)
    }
    for (let tries = 0; tries < 500 && (await told()).length === 0; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const reminders = await told()
    t.match(reminders, [
      { data: { daysLeft: 7, dispute: { id: near.id, defendBy: near.defendBy } } }
    ])
    const { body } = await call('GET', `/v1/payments/${near.paymentId}/events?limit=100`)
    t.same(body.data.at(-1).data, reminders[0].data)
  })

  t.test('what is asked wrongly is said', async (t) => {
    for (const [query, pointer] of [
      ['status=won,lost', '/status'],
      ['defendBefore=soon', '/defendBefore'],
      ['accountId=x', '/accountId'],
      ['paymentId=pay_1', '/paymentId']
    ] as const) {
      const { status, body } = await call('GET', `/v1/disputes?${query}`)
      t.same([status, body.code, body.errors?.[0]?.pointer], [400, 'request_invalid', pointer])
    }
  })

  t.test('each order is that of an index', async (t) => {
    const plan = async (where: string, order: string) => {
      const { rows } = await sql<{ 'QUERY PLAN': string }>`
        explain (costs off) select dispute.id from dispute join payment on payment.id = payment_id
        where ${sql.raw(where)} order by ${sql.raw(order)} limit 21`.execute(db)
      return rows.map((row) => row['QUERY PLAN']).join('\n')
    }
    t.notMatch(await plan('true', 'dispute.id desc'), /Sort/)
    t.notMatch(await plan("dispute.status = 'won'", 'dispute.id desc'), /Sort/)
    t.notMatch(await plan('defend_by < now()', 'defend_by, dispute.id'), /Sort/)
    const open = "dispute.status = 'open' and defend_by < now()"
    t.match(await plan(open, 'defend_by, dispute.id'), /dispute_status_deadline/)
  })
})

/** Refunds by TMF676, over those of /v1. */
import { sql } from 'kysely'
import t from 'tap'
import { refundFilters } from '../../src/tmf-payments/tmf-filters.ts'
import { checkMoney } from '../invariants.ts'
import { testService } from '../test-service.ts'
import { base, characteristicOf, judgeTmf676, page, paymentPost, tmfTools } from './harness.ts'

t.test('refunds as TM Forum’s clients ask for them', async (t) => {
  const service = await testService(t, { refundApprovalAbove: 1000 })
  const { call, control, db, addClient, pay, until, url } = service
  const { get, post, addAccount } = tmfTools(service)
  const judge = await judgeTmf676()
  const accountId = await addAccount()
  const paid = async (more: Record<string, unknown> = page) => {
    const { body } = await post('/payment', paymentPost(accountId, more))
    if (more === page) {
      await pay(body.id)
      await until(body.id, ({ status }) => status === 'captured')
    }
    return body.id as string
  }
  const paymentId = await paid()
  const refundPost = (more: Record<string, unknown> = {}) => ({
    account: { id: accountId },
    payment: { id: paymentId },
    paymentMethod: { '@type': 'HostedPage' },
    totalAmount: { unit: 'GBP', value: 5 },
    ...more
  })
  const untilDone = async (id: string) => {
    for (let turn = 0; turn < 200; turn += 1) {
      const answer = await get(`/refund/${id}`)
      if (answer.body.status === 'done') return answer
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    throw new Error('not in time')
  }

  t.test('one is made, once for its correlatorId, and seen at /v1', async (t) => {
    const sent = refundPost({
      correlatorId: 'return 9',
      description: 'Paid too much',
      requestor: { id: 'agent-7', '@referredType': 'Individual', name: 'A' },
      channel: { id: 'crm' },
      note: { kept: 1.5 }
    })
    const answer = await post('/refund', sent)
    const body = judge.judge(t, 'Refund', 201, answer)
    t.match(body, { ...sent, status: 'authorized', href: `${url}${base}/refund/${body.id}` })
    t.equal(answer.headers.get('location'), body.href)
    const again = await post('/refund', sent)
    t.equal(again.body.id, body.id)
    t.equal(again.headers.get('idempotent-replayed'), 'true')
    const other = await post('/refund', { ...sent, totalAmount: { unit: 'GBP', value: 6 } })
    t.match(judge.judge(t, 'Refund', 409, other), { code: 'correlator_conflict' })
    const done = judge.judge(t, 'Refund', 200, await untilDone(body.id))
    t.match(done, sent)
    t.match((await call('GET', `/v1/refunds/${body.id}`)).body, {
      paymentId,
      amount: { currency: 'GBP', value: 500 },
      status: 'succeeded',
      reason: 'Paid too much',
      operator: { id: 'agent-7' }
    })
    t.equal(characteristicOf(await get(`/payment/${paymentId}`), 'amountRefunded'), 500)
  })

  t.test('one of /v1 is seen here', async (t) => {
    const { body } = await call('POST', `/v1/payments/${paymentId}/refunds`, {
      idempotencyKey: 'v1',
      body: { amount: { currency: 'GBP', value: 100 }, operator: { id: 'agent-8' } }
    })
    const one = judge.judge(t, 'Refund', 200, await get(`/refund/${body.id}`))
    t.match(one, { totalAmount: { unit: 'GBP', value: 1 }, requestor: { id: 'agent-8' } })
  })

  t.test('one that waits for approval says so, until it is rejected', async (t) => {
    const large = refundPost({ totalAmount: { unit: 'GBP', value: 15 } })
    const unnamed = judge.judge(t, 'Refund', 400, await post('/refund', large))
    t.match(unnamed, { errors: [{ pointer: '/requestor' }] })
    const answer = await post('/refund', { ...large, requestor: { id: 'agent-7' } })
    const { id, status } = judge.judge(t, 'Refund', 201, answer)
    t.equal(status, 'pendingAuthorization')
    t.equal(characteristicOf(answer, 'refundStatus'), 'awaitingApproval')
    await call('POST', `/v1/refunds/${id}/rejection`, {
      idempotencyKey: 'no',
      body: { operator: { id: 'supervisor-2' } }
    })
    const rejected = await get(`/refund/${id}`)
    t.equal(judge.judge(t, 'Refund', 200, rejected).status, 'denied')
    t.equal(characteristicOf(rejected, 'decidedBy'), 'supervisor-2')
  })

  t.test('of a payment that was taken elsewhere it is done already', async (t) => {
    const recorded = await paid({ authorizationCode: '77' })
    const answer = await post('/refund', refundPost({ payment: { id: recorded } }))
    t.equal(judge.judge(t, 'Refund', 201, answer).status, 'done')
  })

  t.test('all of it is listed, filtered and selected', async (t) => {
    const all = await get('/refund')
    judge.judgeList(t, 'Refund', all)
    t.equal(all.body.length, 4)
    const [newest] = all.body
    for (const query of [
      `id=${newest.id}`,
      `href=${encodeURIComponent(newest.href)}`,
      `payment.id=${newest.payment.id}`,
      'status=done&totalAmount.value=5&totalAmount.unit=GBP&account.id.ne=1',
      `refundDate=${newest.refundDate}`,
      `statusDate.gte=${newest.statusDate}`,
      `account.id=${accountId}`
    ]) {
      const { body } = await get(`/refund?${query}`)
      t.ok(
        body.some(({ id }: { id: string }) => id === newest.id),
        query
      )
    }
    const { body: own } = await get('/refund?correlatorId=return%209')
    t.equal(own.length, 1)
    t.same((await get('/refund?status=failed')).body, [])
    t.same((await get('/refund?account.id=1')).body, [])
    const { body } = await get(`/refund/${newest.id}?fields=payment`)
    t.same(Object.keys(body).sort(), ['@type', 'href', 'id', 'payment'])
    t.equal((await get('/refund?limit=1&offset=1')).body[0].id, all.body[1].id)
    t.match(judge.judge(t, 'Refund', 400, await get('/refund?paymentDate=2026-11-22')), {
      code: 'request_invalid'
    })
  })

  t.test('what its sender says of it stands, and nothing of another card or channel', async (t) => {
    const recorded = await paid({ authorizationCode: '77', channel: { id: 'till', name: 'Till' } })
    const sent = {
      authorizationCode: 'RF-1',
      channel: { id: 'crm' },
      paymentMethod: { id: 'iban-1', '@type': 'BankAccountDebit' },
      characteristic: [
        { name: 'refundStatus', value: 'failed' },
        { name: 'clerk', value: 'M' }
      ]
    }
    const posted = await post('/refund', refundPost({ payment: { id: recorded }, ...sent }))
    const body = judge.judge(t, 'Refund', 201, posted)
    t.equal(body.authorizationCode, 'RF-1')
    t.same(Object.keys(body.channel).sort(), ['@baseType', '@type', 'id'])
    t.same(body.paymentMethod, { ...sent.paymentMethod, '@baseType': 'EntityRef' })
    const ours = body.characteristic.filter(({ name }: { name: string }) => name === 'refundStatus')
    t.match(ours, [{ value: 'succeeded' }])
    t.equal(ours.length, 1)
    t.equal(characteristicOf(posted, 'clerk'), 'M')
    const plain = await post('/refund', refundPost({ payment: { id: recorded } }))
    t.equal(plain.body.authorizationCode, undefined, 'nobody said one')
  })

  t.test('a correlatorId is its sender’s: another may have the same for another one', async (t) => {
    const key = await addClient({})
    const correlatorId = 'counted-1'
    for (const options of [{ key }, {}]) {
      const recorded = refundPost({ payment: { id: await paid({ authorizationCode: '77' }) } })
      const sent = { ...recorded, correlatorId }
      const answer = await post('/refund', sent, options)
      t.match(judge.judge(t, 'Refund', 201, answer), { correlatorId, status: 'done' })
      t.equal((await post('/refund', sent, options)).body.id, answer.body.id)
    }
    t.equal((await get(`/refund?correlatorId=${correlatorId}`)).body.length, 2)
  })

  t.test(
    'one that the provider has taken on came to its status when it was asked for',
    async (t) => {
      await control('PUT', '/_simulator/faults', { webhooks: { delayMs: { ms: 1500 } } })
      const { body } = await post('/refund', refundPost({ totalAmount: { unit: 'GBP', value: 1 } }))
      const isTakenOn = async () => {
        const { rows } = await sql`select from operation
        where id = ${body.id} and provider_reference is not null`.execute(db)
        return rows.length === 1
      }
      for (let turn = 0; turn < 100 && !(await isTakenOn()); turn += 1) {
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      t.ok(await isTakenOn())
      const { refundDate } = body
      const { body: after } = await get(`/refund/${body.id}`)
      t.match(after, { status: 'authorized', statusDate: refundDate, refundDate })
      await control('PUT', '/_simulator/faults', { webhooks: { delayMs: null } })
      t.ok((await untilDone(body.id)).body.statusDate > refundDate)
    }
  )

  t.test('a filter on each value that is shown finds all that show it', async (t) => {
    const { body: shown } = await get('/refund?limit=100')
    type Member = Record<string, unknown>
    const at = (one: Member, path: string): unknown =>
      path.split('.').reduce<unknown>((node, name) => (node as Member | undefined)?.[name], one)
    const texts = 'authorizationCode channel.id paymentMethod.id paymentMethod.@type requestor.id'
    const names = new Set([...Object.keys(refundFilters.kinds), ...texts.split(' '), '@type'])
    for (const name of names) {
      const values = new Set(shown.map((one: Member) => at(one, name)))
      values.delete(undefined)
      t.equal(values.size > 0, name !== 'statusReason', 'none has failed')
      for (const value of values) {
        const having = shown.filter((one: Member) => at(one, name) === value)
        const query = `${name}=${encodeURIComponent(String(value))}`
        const { body } = await get(`/refund?limit=100&${query}`)
        const idsOf = (some: Array<{ id: string }>) => some.map(({ id }) => id)
        t.same(idsOf(body), idsOf(having), query)
      }
    }
  })

  t.test('what can’t be is TM Forum’s error, all faults at once', async (t) => {
    const unknown = refundPost({
      payment: { id: 'pay_0000000000000000' },
      totalAmount: { unit: 'GBP', value: 0.001 }
    })
    const body = judge.judge(t, 'Refund', 404, await post('/refund', unknown))
    t.same(
      body.errors.map(({ pointer }: { pointer: string }) => pointer),
      ['/payment/id', '/totalAmount/value']
    )
    const elsewhere = judge.judge(
      t,
      'Refund',
      400,
      await post('/refund', refundPost({ account: { id: '1' } }))
    )
    t.match(elsewhere, { errors: [{ pointer: '/account/id' }] })
    const more = refundPost({ totalAmount: { unit: 'GBP', value: 100 }, requestor: { id: 'a' } })
    const exceeded = judge.judge(t, 'Refund', 422, await post('/refund', more))
    t.match(exceeded, {
      code: 'refund_exceeds_captured',
      errors: [{ pointer: '/totalAmount/value' }]
    })
    const currency = refundPost({ totalAmount: { unit: 'EUR', value: 1 } })
    t.match(judge.judge(t, 'Refund', 422, await post('/refund', currency)), {
      code: 'currency_mismatch',
      errors: [{ pointer: '/totalAmount/unit' }]
    })
    const missing = judge.judge(t, 'Refund', 400, await post('/refund', {}))
    t.equal(missing.errors.length, 4)
  })

  t.test('a third party sees and makes refunds of its own payments alone', async (t) => {
    const scopes = ['payments:read', 'payments:write', 'refunds:write'] as const
    const key = await addClient({ scopes, thirdParty: true })
    t.same((await get('/refund', { key })).body, [])
    const { body: all } = await get('/refund')
    t.equal((await get(`/refund/${all[0].id}`, { key })).status, 404)
    t.equal((await post('/refund', refundPost(), { key })).status, 404)
    const own = await post('/payment', paymentPost(accountId), { key })
    t.equal(own.status, 201)
    const made = await post('/refund', refundPost({ payment: { id: own.body.id } }), { key })
    judge.judge(t, 'Refund', 201, made)
    t.equal((await get('/refund', { key })).body.length, 1)
  })

  t.test('the books are right', (t) => checkMoney(t, db))
})

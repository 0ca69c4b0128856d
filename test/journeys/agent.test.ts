import t from 'tap'
import { checkMoney } from '../invariants.ts'
import { browse, gbp, goodCard, startJourney } from './journey.ts'

const operator = { id: 'agent-7', reason: 'The caller asked to pay by card' }
const returnUrl = 'https://desk.example/done'

t.test('an agent takes payments for callers, and gives money back with approval', async (t) => {
  const service = await startJourney(t, { refundApprovalAbove: 2000 })
  const { call, control, createPayment, post, until, addClient, openAccount } = service
  const { accountId } = await openAccount({ JAN: 6000, FEB: 1500, MAR: 900 })
  const key = await addClient({
    name: 'agent-view',
    scopes: ['payments:read', 'payments:write', 'refunds:write', 'accounts:read'],
    returnOrigins: ['https://desk.example']
  })
  const create = (value: number, body: object = {}) =>
    createPayment({ accountId, channel: 'agent', amount: gbp(value), operator, ...body }, { key })
  const isPaid = ({ status }: { status: string }) => status === 'captured'

  await t.test('whoever acts for the customer is named, and says why', async (t) => {
    for (const [given, pointer] of [
      [undefined, '/operator'],
      [{ id: 'agent-7' }, '/operator/reason']
    ] as const) {
      const body = { accountId, amount: gbp(6000), channel: 'agent', returnUrl, operator: given }
      const idempotencyKey = crypto.randomUUID()
      const answer = await call('POST', '/v1/payments', { body, key, idempotencyKey })
      t.match(answer, { status: 400, body: { code: 'request_invalid', errors: [{ pointer }] } })
    }
  })

  // The front end opens Adyen's page beside its own; the agent never types a card into ours.
  const page = await create(6000, { returnUrl, reference: 'call-1042' })
  t.match(page, { channel: 'agent', operator, reference: 'call-1042' })
  t.match((await browse(page.checkout.url)).html, /60\.00/)
  const back = await browse(page.checkout.url, goodCard)
  t.equal(back.url, `${returnUrl}?paymentId=${page.id}`)
  await until(page.id, isPaid)

  // Another caller would rather pay at home: a link, which tells nobody but the payer.
  const link = await create(1500, { method: 'paymentLink', returnUrl: undefined })
  const done = await browse(link.checkout.url, goodCard)
  t.match(done.html, 'Thank you: the payment is complete')
  t.match(done.html, `/return/${link.id}`, 'nobody has said where to: our page shows the outcome')
  await until(link.id, isPaid)
  const open = await create(900, { returnUrl })
  t.match(await service.balanceOf(accountId, key), { outstanding: 900, credit: 0 })

  await t.test("the account's payments stand in one list, with who made them", async (t) => {
    const path = `/v1/payments?accountId=${accountId}`
    const all = await service.list(path, key)
    t.same(
      all.map(({ id, method, status }) => [id, method, status]),
      [
        [open.id, 'hostedPage', 'pending'],
        [link.id, 'paymentLink', 'captured'],
        [page.id, 'hostedPage', 'captured']
      ]
    )
    for (const one of all) t.same(one.operator, operator)
    const found = await service.list(`${path}&status=captured&reference=call-1042`, key)
    t.same(
      found.map(({ id }) => id),
      [page.id]
    )
    const [created] = await service.list(`/v1/payments/${page.id}/events`)
    t.same(created.data.payment.operator, operator, 'the first event says it for good')
  })

  await t.test('a small refund goes at once, a large one waits for another operator', async (t) => {
    const asker = { id: 'agent-7', reason: 'The line was down' }
    const refunds = `/v1/payments/${page.id}/refunds`
    await post(refunds, { amount: gbp(500), operator: asker }, 202, { key })
    await until(page.id, ({ amountRefunded }) => amountRefunded === 500)

    const unnamed = { amount: gbp(2500) }
    t.match(await post(refunds, unnamed, 400, { key }), { errors: [{ pointer: '/operator' }] })
    const large = await post(refunds, { amount: gbp(2500), operator: asker }, 202, { key })
    t.match(large, { status: 'awaitingApproval', operator: asker, decision: null })
    const { body: waiting } = await call('GET', `/v1/payments/${page.id}`, { key })
    t.match(waiting, { amountRefunded: 500, amountRefundable: 3000 }, 'it is reserved')
    const { body: requests } = await control('GET', '/_simulator/requests')
    const asked = requests.filter(({ path }: { path: string }) => path.endsWith('/refunds'))
    t.equal(asked.length, 1, 'Adyen has not heard of it')

    const decide = { id: ' Agent-7 ' }
    const approval = `/v1/refunds/${large.id}/approval`
    await post(approval, { operator: decide }, 403, { key })
    const own = await post(approval, { operator: decide }, 422)
    t.equal(own.code, 'approver_is_requester')
    const supervisor = { id: 'supervisor-2', reason: 'Checked with the network' }
    const approved = await post(approval, { operator: supervisor }, 200)
    t.match(approved, { status: 'requested', decision: { operator: supervisor } })
    const twice = await post(approval, { operator: { id: 'supervisor-3' } }, 409)
    t.equal(twice.code, 'refund_not_awaiting_approval')
    await until(page.id, ({ amountRefunded }) => amountRefunded === 3000)

    const other = await post(refunds, { amount: gbp(2500), operator: asker }, 202, { key })
    await post(`/v1/refunds/${other.id}/rejection`, { operator: supervisor }, 200)
    const { body: after } = await call('GET', `/v1/payments/${page.id}`, { key })
    t.match(after, { amountRefunded: 3000, amountRefundable: 3000 }, 'free again')
    t.same(
      (await service.eventsOf(page.id)).filter((type) => type.startsWith('refund.')),
      [
        ...['refund.requested', 'refund.succeeded'],
        ...['refund.awaitingApproval', 'refund.approved', 'refund.requested', 'refund.succeeded'],
        ...['refund.awaitingApproval', 'refund.rejected']
      ]
    )
  })

  await t.test(
    'the customer thinks better of the third, and the ledger tells it all',
    async (t) => {
      const cancelled = await post(
        `/v1/payments/${open.id}/cancellation`,
        { reason: 'The caller hung up' },
        202,
        { key }
      )
      t.match(cancelled, { status: 'succeeded', reason: 'The caller hung up' })
      t.match((await call('GET', `/v1/payments/${open.id}`, { key })).body, { status: 'cancelled' })
      t.same(await service.ledgerOf(accountId, key), [
        'charge 6000: customer to billing',
        'charge 1500: customer to billing',
        'charge 900: customer to billing',
        'payment 6000: provider to customer',
        'payment 1500: provider to customer',
        'refund 500: customer to provider',
        'refund 2500: customer to provider'
      ])
      t.same(await service.openAmountsOf(accountId), { JAN: 3000, FEB: 0, MAR: 900 })
      t.match(await service.balanceOf(accountId, key), { outstanding: 3900, credit: 0 })
    }
  )
  await checkMoney(t, service.db)
})

/**
 * What is personal is planted wherever a caller or the provider can put it, over real HTTP; it is
 * erased, and then stands nowhere, while books, statements and events are what they were.
 */

import { once } from 'node:events'
import { createServer } from 'node:http'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { connect } from '../../src/database/database.ts'
import { readEraseArguments, runEraseCommand } from '../../src/erasure/erasure.commands.ts'
import { envelope, item, sender, signed } from '../adyen/signed-notifications.ts'
import { checkMoney } from '../invariants.ts'
import { registerCard } from '../registered-card.ts'
import { newAccountId, testService } from '../test-service.ts'
import { paymentPost, tmfTools } from '../tmf-payments/harness.ts'
import { deskOf } from '../webhooks/receivers.ts'

/** In every text that says something of the customer. */
const mark = 'zyxplant'
const gbp = (value: number) => ({ amount: { currency: 'GBP', value } })
const customer = {
  reference: `${mark}-77`,
  email: `jo@${mark}.example`,
  phone: '+44 7700 900123'
}
const asCustomer = {
  customer,
  description: `${mark} roaming, "7" Høy St.`,
  metadata: { caller: `${mark} jo` },
  returnUrl: `https://selfcare.example/paid?who=${mark}`,
  allowDuplicate: true
}

const service = await testService(t, { refundApprovalAbove: 1500 })
const { call, control, db, createPayment, pay, until, databaseUrl } = service
const { ask } = deskOf(service)
const accountId = newAccountId()
const account = `/v1/accounts/${accountId}`
const send = sender(service)

/** A receiver that says back what it has been told. */
async function startGossip(t: Test): Promise<string> {
  const server = createServer(async (request, answer) => {
    let told = ''
    for await (const part of request) told += part
    answer.end(told.includes(mark) ? `${mark} was here` : 'nobody')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/`
}

/** As the program does; `text` is all that it prints. */
async function erase(args: string[], lines: string[] = []) {
  const own = connect(databaseUrl, { max: 1, patient: true })
  try {
    return await runEraseCommand(own, readEraseArguments(args), lines, () => {})
  } finally {
    await own.destroy()
  }
}

/** Every row of every table, as text. */
async function dump(): Promise<string[]> {
  const { rows: tables } = await sql<{ name: string }>`
    select relname as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r'`.execute(db)
  const rows = await Promise.all(
    tables.map(({ name }) =>
      sql<{ row: string }>`select ${name}::text || ' ' || t::text as row from ${sql.table(name)} t`
        .execute(db)
        .then((found) => found.rows.map(({ row }) => row))
    )
  )
  return rows.flat()
}
const isPlanted = (row: string) => row.toLowerCase().includes(mark) || row.includes('7700 900123')
const findPlanted = async () => (await dump()).filter(isPlanted).map((row) => row.slice(0, 60))

/** Everything that takes a text about the customer takes one. */
async function plant(t: Test) {
  await ask(201, 'PUT', account, { currency: 'GBP', name: `${mark} Jo` })
  await ask(201, 'POST', '/v1/webhook-endpoints', { url: await startGossip(t), events: ['*'] })
  const adjustment = { direction: 'credit', reference: 'ADJ-1', reason: `${mark} is unwell` }
  await ask(201, 'POST', `${account}/adjustments`, { ...gbp(100), ...adjustment })

  const operator = { id: 'agent-7', reason: `${mark} rang` }
  const key = crypto.randomUUID()
  const body = { ...asCustomer, accountId, channel: 'agent', operator, reference: 'basket-1' }
  const paid = await createPayment(body, { idempotencyKey: key })
  await pay(paid.id, 'NOT_ENOUGH_BALANCE')
  await pay(paid.id)
  const { provider } = await until(paid.id, ({ status }) => status === 'captured')
  const refunds = `/v1/payments/${paid.id}/refunds`
  await ask(202, 'POST', refunds, { ...gbp(500), reason: `${mark} paid twice`, operator })
  const large = await ask(202, 'POST', refunds, { ...gbp(1600), reason: mark, operator })
  await ask(200, 'POST', `/v1/refunds/${large.id}/rejection`, {
    operator: { id: 'supervisor-2', reason: `${mark} again` }
  })
  await until(paid.id, ({ amountRefunded }) => amountRefunded === 500)
  const dispute = (eventCode: string) =>
    signed(
      item({
        pspReference: 'DISPUTE000000001',
        originalReference: provider.reference,
        merchantReference: paid.id,
        eventCode,
        amount: { currency: 'GBP', value: 700 },
        reason: `${mark} says it was somebody else`,
        additionalData: { shopperEmail: customer.email, shopperIP: mark, disputeStatus: 'Lost' }
      })
    )
  await send(envelope([dispute('NOTIFICATION_OF_CHARGEBACK')]))
  await send(envelope([dispute('CHARGEBACK')]))
  await until(paid.id, ({ amountChargedBack }) => amountChargedBack === 700)

  const page = await ask(201, 'POST', `${account}/card-registrations`, {
    ...{ returnUrl: asCustomer.returnUrl, customer }
  })
  const { body: sessions } = await control('GET', '/_simulator/sessions')
  const { id } = sessions.findLast((one: { request: { reference: string } }) => {
    return one.request.reference === page.id
  })
  await control('POST', `/_simulator/sessions/${id}/pay`, { holderName: 'Jo' })
  const card = await registerCard(service, accountId)
  const byCard = { method: 'registeredCard', registeredCardId: card, returnUrl: undefined }
  const charged = await createPayment({ ...asCustomer, ...byCard, accountId, channel: 'ivr' })
  await ask(201, 'POST', '/v1/recorded-payments', {
    ...{ accountId, ...gbp(300), channel: 'ivr', outcome: 'refused' },
    ...{ processor: { name: 'ivr', reference: '417' }, takenAt: '2026-11-22T09:58:00Z' },
    failure: { code: 'card_declined', message: `${mark} hung up` },
    card: { brand: 'visa', lastFour: '4242', expiryMonth: 7, expiryYear: 2031 },
    operator
  })
  const { post } = tmfTools(service)
  const posted = await post('/payment', {
    ...paymentPost(accountId, { payer: { id: 'p', name: `${mark} Jo` }, name: `${mark} order` }),
    ...{ description: `${mark} order`, correlatorId: 'order-9' }
  })
  return { paid, key, body, charged, posted: posted.body }
}

const planted = await plant(t)
const { paid } = planted

t.test('what is under way is named, and nothing is erased', async (t) => {
  // What the endpoint says back may come a moment later.
  const countPlanted = async () =>
    (await findPlanted()).filter((row) => !row.startsWith('webhook_attempt')).length
  const before = await countPlanted()
  t.ok(before >= 30, `${before} rows hold what was planted`)
  const refused = await erase(['run', accountId, '--by', 'dpo'])
  t.notOk(refused.isDone)
  t.match(refused.text, /close it first: 1, /)
  t.match(refused.text, /open disputes: 1, dsp_/)
  const shown = await erase(['show', accountId])
  t.match(shown.text, /nothing is changed[\s\S]*payment: \d+ to be erased/)
  t.equal(await countPlanted(), before)
  await t.rejects(erase(['show', '99999998']), { message: 'There is no account 99999998.' })
})

/** What books and readers rest on, which an erasure leaves as it is. */
async function readKept() {
  const { rows } = await sql<Record<string, unknown[]>>`
    select (select jsonb_agg(t order by id) from ledger_transfer t) as transfers,
      (select jsonb_agg(f order by position) from event_feed f) as feed,
      (select jsonb_agg(jsonb_build_array(payment_id, sequence, type, created_at)
        order by payment_id, sequence) from payment_event) as events,
      (select jsonb_agg(jsonb_build_array(id, status, amount, amount_captured, amount_refunded,
        amount_charged_back, reference, authorisation_reference, settlement)
        order by id) from payment) as payments,
      (select jsonb_agg(jsonb_build_array(id, psp_reference, merchant_reference, event_code,
        currency, amount, status) order by id) from notification) as notifications`.execute(db)
  const { body: entries } = await call('GET', `${account}/entries?limit=100`)
  return { feed: [] as unknown[], ...rows[0], entries }
}

t.test('once nothing is under way all of it goes, and the books stay', async (t) => {
  const { provider } = await until(paid.id, () => true)
  const decided = {
    pspReference: 'DISPUTE000000001',
    ...{ originalReference: provider.reference, merchantReference: paid.id },
    ...{ eventCode: 'PREARBITRATION_LOST', amount: { currency: 'GBP', value: 700 } }
  }
  await send(envelope([signed(item(decided))]))
  const giveUpAt = Date.now() + 10_000
  for (let open = 1; open > 0 && Date.now() < giveUpAt; ) {
    open = (await call('GET', '/v1/disputes?status=open')).body.data.length
  }
  await ask(200, 'PUT', account, { currency: 'GBP', status: 'closed' })
  for (const { id } of (await call('GET', '/v1/discrepancies?status=open')).body.data) {
    await ask(200, 'POST', `/v1/discrepancies/${id}/resolution`, {
      ...{ resolution: 'acknowledged', reason: `${mark} knows`, operator: { id: 'agent-7' } }
    })
  }
  const before = await readKept()

  let ended = await erase(['run', accountId, '--by', 'dpo'])
  t.match(ended.text, /payment_event: \d+ erased/)
  for (; !ended.isDone && Date.now() < giveUpAt; await new Promise((go) => setTimeout(go, 100))) {
    t.match(ended.text, /1 cards wait for the provider|came meanwhile/)
    ended = await erase(['run', accountId, '--by', 'dpo'])
  }
  t.ok(ended.isDone, ended.text)
  t.same(await findPlanted(), [], 'none of it stands anywhere')
  const { rows: faces } = await sql`
    select from payment where card->>'lastFour' is not null or card->>'expiryYear' is not null
    union all select from card where last_four is not null or token <> 'erased'
    union all select from payment_event where payment->'card'->>'lastFour' is not null`.execute(db)
  t.equal(faces.length, 0, 'no card is shown')
  t.same(await control('GET', '/_simulator/storedCards').then(({ body }) => body.length), 0)
  const { feed, ...after } = await readKept()
  const { feed: feedBefore, ...kept } = before
  t.same(after, kept, 'books, events and notifications are what they were')
  t.same(feed.slice(0, feedBefore.length), feedBefore)
  await checkMoney(t, db)
})

t.test('what is read afterwards says what happened, and not to whom', async (t) => {
  const { body: payment } = await call('GET', `/v1/payments/${paid.id}`)
  t.match(payment, {
    ...{ status: 'captured', description: 'erased', metadata: null, reference: 'basket-1' },
    ...{ operator: { id: 'agent-7', reason: 'erased' }, amountRefunded: 500 },
    card: { brand: 'visa', lastFour: null, expiryMonth: null }
  })
  const { body: events } = await call('GET', `/v1/payments/${paid.id}/events?limit=100`)
  t.same(
    events.data.map((one: { sequence: number }) => one.sequence),
    events.data.map((_: unknown, at: number) => at + 1)
  )
  t.match(events.data[1].data.payment, { description: 'erased', metadata: null })
  for (const path of ['', '/receipt', '/refunds', '/disputes', '/captures']) {
    t.equal((await call('GET', `/v1/payments/${paid.id}${path}`)).status, 200, path)
  }
  const tmf = await call('GET', `/tmf-api/paymentManagement/v4/payment/${planted.posted.id}`)
  t.equal(tmf.status, 200)
  t.match((await call('GET', '/v1/notifications?limit=100')).status, 200)
  const feed = await call('GET', '/v1/events?limit=100')
  t.equal(feed.status, 200)
  t.equal((await call('GET', account)).body.name, null)
})

t.test('a repetition under an old key finds its payment, and makes no other', async (t) => {
  const { key, body } = planted
  const amount = { currency: 'GBP', value: 2500 }
  const again = { body: { amount, ...body }, idempotencyKey: key }
  const answer = await call('POST', '/v1/payments', again)
  t.equal(answer.status, 201)
  t.equal(answer.headers.get('idempotent-replayed'), 'true')
  t.match(answer.body, { id: paid.id, description: 'erased', metadata: null, status: 'pending' })
  const back = await fetch(`${service.url}/return/${paid.id}`, { redirect: 'manual' })
  t.equal(back.headers.get('location'), `https://selfcare.example/?paymentId=${paid.id}`)
})

t.test('it leaves a record, by which it is done again after a restore', async (t) => {
  const { text } = await erase(['list'])
  const lines = text.split('\n')
  const [first] = lines.map((line) => JSON.parse(line))
  t.match(first, { account: accountId, askedBy: 'dpo', finishedAt: /Z$/ })
  t.ok(first.counts.payment > 3 && first.counts.notification > 3)
  t.notMatch(text, new RegExp(mark))
  // As if from a backup, which knew of no erasure.
  await sql`update account set name = ${`${mark} Jo`} where id = ${Number(accountId)}`.execute(db)
  await sql`update payment set description = ${mark} where id = ${paid.id}`.execute(db)
  const found = await erase(['find'], [mark])
  t.notOk(found.isDone)
  t.match(found.text, /account\.name: 1 rows, such as \d+\n {2}payment\.description: 1 rows/)
  t.notMatch(found.text, new RegExp(mark), 'what was looked for is not printed')
  const unknown = JSON.stringify({ account: '99999998' })
  const again = await erase(['again', '--by', 'restore'], [unknown, ...lines])
  t.ok(again.isDone, again.text)
  t.match(again.text, /account: 1 erased\n {2}payment: 1 erased/)
  t.match(again.text, /Account 99999998 is not there/)
  await t.rejects(erase(['again', '--by', 'x'], ['{}']), { message: /^Line 1 is none that list/ })
  t.ok((await erase(['find'], [mark])).isDone)
  t.match(JSON.parse((await erase(['list'])).text.split('\n').at(-1) as string), {
    ...{ askedBy: 'restore', counts: { account: 1, payment: 1 } }
  })
})

t.test('what is only added to lets nothing through but an erasure under way', async (t) => {
  const kept = { message: 'payment_event is append-only', code: '23000' }
  const write = (payment: unknown) =>
    sql`
    update payment_event set payment = ${payment} where payment_id = ${planted.charged.id}
      and sequence = 2`.execute(db)
  await t.rejects(write(sql`without_personal(payment)`), kept, 'no erasure is under way')
  await sql`insert into erasure (account_id, asked_by) values (${Number(accountId)}, 'x')`.execute(
    db
  )
  await t.rejects(write(sql`payment || '{"status": "refused"}'`), kept)
  await t.rejects(write(sql`payment - 'description'`), kept)
  await t.rejects(sql`delete from payment_event`.execute(db), kept)
  await t.resolves(write(sql`without_personal(payment)`))
  const ledger = { message: 'ledger_transfer is append-only', code: '23000' }
  await t.rejects(sql`update ledger_transfer set fact = fact`.execute(db), ledger)
})

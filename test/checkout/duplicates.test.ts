import { sql } from 'kysely'
import t from 'tap'
import {
  findEarlierPayment,
  type IntentOptions,
  purgeLatestPayments
} from '../../src/checkout/intent.store.ts'
import { newId } from '../../src/id.ts'
import { newPayment } from '../lifecycle/aggregates.ts'
import { registerCard } from '../registered-card.ts'
import { insertClients } from '../test-database.ts'
import {
  type Answer,
  newAccountId,
  paymentBody,
  type TestService,
  testService
} from '../test-service.ts'
import { insertPayment } from './intents.ts'

async function setUp({ call }: TestService) {
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const create = (body: Record<string, unknown> = {}, options: Record<string, string> = {}) =>
    call('POST', '/v1/payments', {
      body: { ...paymentBody(accountId), ...body },
      idempotencyKey: crypto.randomUUID(),
      ...options
    })
  return { accountId, create }
}

const statuses = (answers: Answer[]) =>
  answers.map(({ status, body }) => body.code ?? status).sort()

t.test('a second payment of the same account and amount', async (t) => {
  const service = await testService(t)
  const { addClient, until, pay, db, call } = service

  t.test('409 with the earlier one, whatever channel, method or client it is', async (t) => {
    const { create, accountId } = await setUp(service)
    const card = await registerCard(service, accountId)
    const amount = { currency: 'GBP', value: 4321 }
    const other = await addClient({})
    const first = await create({ amount })
    t.equal(first.status, 201)
    for (const [body, options] of [
      [{}, {}],
      [{ channel: 'ivr', method: 'paymentLink', returnUrl: undefined }, {}],
      [{ method: 'registeredCard', registeredCardId: card }, {}],
      [{}, { key: other }]
    ] as const) {
      const again = await create({ amount, ...body }, { ...options })
      t.equal(again.status, 409)
      t.match(again.body, { code: 'duplicate_suspected', paymentId: first.body.id })
      t.equal(again.headers.get('retry-after'), null)
    }
    t.equal((await create({ amount: { currency: 'GBP', value: 4322 } })).status, 201)
  })

  t.test('201 where the caller means it, and the next is told of that one', async (t) => {
    const { create } = await setUp(service)
    await create()
    const second = await create({ allowDuplicate: true })
    t.equal(second.status, 201)
    t.match(await create(), { status: 409, body: { paymentId: second.body.id } })
    t.match(await create({ allowDuplicate: false }), { status: 409 })
  })

  t.test('a refusal is not saved: the key may be used for what is meant', async (t) => {
    const { create } = await setUp(service)
    await create()
    const idempotencyKey = crypto.randomUUID()
    t.equal((await create({}, { idempotencyKey })).status, 409)
    t.equal((await create({ allowDuplicate: true }, { idempotencyKey })).status, 201)
  })

  t.test('a repetition under the same key is answered as the first was', async (t) => {
    const { create } = await setUp(service)
    const idempotencyKey = crypto.randomUUID()
    const first = await create({}, { idempotencyKey })
    await create({ allowDuplicate: true })
    const again = await create({}, { idempotencyKey })
    t.equal(again.text, first.text)
    t.equal(again.headers.get('idempotent-replayed'), 'true')
    const reused = await create({ reference: 'x' }, { idempotencyKey })
    t.equal(reused.body.code, 'idempotency_key_reused')
  })

  t.test('what has paid blocks; what has ended unpaid does not', async (t) => {
    const { create } = await setUp(service)
    const first = await create()
    await pay(first.body.id)
    await until(first.body.id, ({ status }) => status === 'captured')
    t.match(await create(), { status: 409, body: { paymentId: first.body.id } })
    for (const status of ['refused', 'expired', 'failed', 'cancelled']) {
      await sql`update payment set status = ${status}, finished_at = now(), next_attempt_at = null,
        amount_captured = 0, failure = '{}',
        cancelled_by = case when ${status} = 'cancelled' then 'client' end
        where status <> ${status} and account_id = ${Number(first.body.accountId)}`.execute(db)
      const next = await create()
      t.equal(next.status, 201, status)
      t.equal((await create()).status, 409)
    }
  })

  t.test('an older one that still lives blocks, although a newer one has ended', async (t) => {
    const { create } = await setUp(service)
    const first = await create()
    const second = await create({ allowDuplicate: true })
    await sql`update payment set status = 'expired', failure = '{}', finished_at = now(),
      next_attempt_at = null where id = ${second.body.id}`.execute(db)
    t.match(await create(), { status: 409, body: { paymentId: first.body.id } })
  })

  t.test('after the window it is a payment like any other', async (t) => {
    const { create, accountId } = await setUp(service)
    const age = (seconds: number) =>
      db.transaction().execute(async (tx) => {
        const account = Number(accountId)
        await sql`update payment set created_at = now() - make_interval(secs => ${seconds})
          where account_id = ${account}`.execute(tx)
        await sql`update latest_payment set created_at = now() - make_interval(secs => ${seconds})
          where account_id = ${account}`.execute(tx)
      })
    await create()
    await age(590)
    t.equal((await create()).status, 409)
    await age(601)
    t.equal((await create()).status, 201)
  })

  t.test('G6: the answer says how to go on, and that works', async (t) => {
    const { create } = await setUp(service)
    const first = await create()
    const { detail, paymentId } = (await create()).body
    t.match(detail, `Get ${first.body.id} and use its checkout.url, or send allowDuplicate.`)
    const found = await call('GET', `/v1/payments/${paymentId}`)
    t.equal(found.body.checkout.url, first.body.checkout.url)
    const { text } = await call('GET', '/docs/problems', { key: null })
    const [, cure] = text.split('id="duplicate_suspected"')
    t.match(cure?.slice(0, 800), /paymentId.*checkout\.url.*allowDuplicate/s)
    t.equal((await create({ allowDuplicate: true })).status, 201)
  })

  t.test('a third party is not told whose it is', async (t) => {
    const { create } = await setUp(service)
    const third = { scopes: ['payments:read', 'payments:write'], thirdParty: true } as never
    const [key, other] = [await addClient(third), await addClient(third)]
    const own = await create({}, { key })
    t.match(await create({}, { key }), { status: 409, body: { paymentId: own.body.id } })
    const foreign = await create({}, { key: other })
    t.equal(foreign.body.code, 'duplicate_suspected')
    t.notMatch(foreign.text, own.body.id)
  })

  t.test('of many at the same moment exactly one passes, and the others name it', async (t) => {
    for (let round = 0; round < 10; round++) {
      const { create } = await setUp(service)
      const answers = await Promise.all(Array.from({ length: 8 }, () => create()))
      const made = answers.filter(({ status }) => status === 201)
      t.equal(made.length, 1)
      for (const { status, body } of answers) {
        if (status === 201) continue
        t.match(body, { code: 'duplicate_suspected', paymentId: made[0]?.body.id })
      }
    }
    const { rows } = await sql`select key from idempotency_key k
      where not exists (select from payment where id = k.resource_id)`.execute(db)
    t.same(rows, [], 'no key is taken by what was refused')
  })

  t.test('many under one key are one payment, with the guard and without', async (t) => {
    for (const allowDuplicate of [false, true]) {
      const { create } = await setUp(service)
      const idempotencyKey = crypto.randomUUID()
      const same = () => create({ allowDuplicate }, { idempotencyKey })
      const answers = await Promise.all(Array.from({ length: 8 }, same))
      const ids = answers.map(({ body }) => body.id ?? body.paymentId)
      t.equal(new Set(ids.filter((id) => id !== undefined)).size, 1)
      for (const { status, body } of answers) {
        t.ok(status === 201 || body.code === 'idempotency_key_in_flight', body.code)
      }
      t.equal((await same()).status, 201)
    }
  })

  t.test('one key for two accounts at once leaves the other free for a payment', async (t) => {
    for (let round = 0; round < 10; round++) {
      const [one, other] = [await setUp(service), await setUp(service)]
      const idempotencyKey = crypto.randomUUID()
      const allowDuplicate = round % 2 === 0
      const answers = await Promise.all(
        [one, other].map(({ create }) => create({ allowDuplicate }, { idempotencyKey }))
      )
      t.same(statuses(answers).filter((status) => status === 201).length, 1)
      const free = answers[0]?.status === 201 ? other : one
      t.equal((await free.create()).status, 201)
    }
  })
})

t.test('a record meets what is made at the same moment', async (t) => {
  const service = await testService(t)
  const { call, addClient, db } = service
  let records = 0
  const recording = (accountId: string, changes: object = {}, key = service.key) => {
    records += 1
    return call('POST', '/v1/recorded-payments', {
      key,
      body: {
        accountId,
        amount: paymentBody(accountId).amount,
        channel: 'ivr',
        outcome: 'captured',
        processor: { name: 'ivr-platform', reference: `R${records}` },
        takenAt: new Date().toISOString(),
        ...changes
      }
    })
  }
  const duplicatesOf = async (accountId: string) => {
    const { rows } = await sql<{ id: string; of: string }>`
      select payment_id as id, details ->> 'duplicateOf' as of
      from discrepancy d join payment p on p.id = d.payment_id
      where d.kind = 'possible_duplicate' and account_id = ${Number(accountId)}
      order by d.id`.execute(db)
    return rows
  }

  t.test('of two records at once the second looks like the first', async (t) => {
    for (let round = 0; round < 10; round++) {
      const { accountId } = await setUp(service)
      const answers = await Promise.all([recording(accountId), recording(accountId)])
      t.same(statuses(answers), [201, 201])
      const [found, ...more] = await duplicatesOf(accountId)
      t.same(more, [])
      t.same(
        [found?.id, found?.of].sort(),
        answers.map(({ body }) => body.id).sort(),
        'each of them once'
      )
    }
  })

  t.test('a create waits for a record that is not committed, and then sees it', async (t) => {
    const { accountId, create } = await setUp(service)
    const waiting = async (statement: string) => {
      for (;;) {
        const { rows } = await sql`select from pg_stat_activity where wait_event_type = 'Lock'
          and query like ${statement}`.execute(db)
        if (rows.length > 0) return
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    const [recorded, created] = await db
      .transaction()
      .execute(async (tx) => {
        // Its money can't be posted, so that the record goes no further.
        await sql`select from account where id = ${Number(accountId)} for no key update`.execute(tx)
        const record = recording(accountId)
        await waiting('%account%')
        const second = create()
        await Promise.race([waiting('%with intent as%'), second])
        return [record, second] as const
      })
      .then(([record, second]) => Promise.all([record, second]))
    t.equal(recorded.status, 201)
    t.match(created, {
      status: 409,
      body: { code: 'duplicate_suspected', paymentId: recorded.body.id }
    })
    t.same(await duplicatesOf(accountId), [])
  })

  t.test('of a record and a create at once the second looks like the first', async (t) => {
    for (let round = 0; round < 10; round++) {
      const { accountId, create } = await setUp(service)
      const [recorded, created] = await Promise.all([recording(accountId), create()])
      t.equal(recorded.status, 201)
      const ofCreated = { id: recorded.body.id, of: created.body.id }
      t.same(await duplicatesOf(accountId), created.status === 201 ? [ofCreated] : [])
      t.ok(created.status === 201 || created.body.paymentId === recorded.body.id)
    }
  })

  t.test('one that was refused is nothing to meet', async (t) => {
    const { accountId, create } = await setUp(service)
    t.equal((await recording(accountId, { outcome: 'refused' })).status, 201)
    t.equal((await create()).status, 201)
    t.equal((await recording(accountId, { outcome: 'refused' })).status, 201)
    t.same(await duplicatesOf(accountId), [])
  })

  t.test('a third party learns of no payment of another client', async (t) => {
    const { accountId, create } = await setUp(service)
    const own = (await create()).body.id
    const third = { scopes: ['payments:read', 'payments:write'], thirdParty: true } as never
    const key = await addClient(third)
    const { body } = await recording(accountId, {}, key)
    t.same(await duplicatesOf(accountId), [{ id: body.id, of: own }], 'a person does')
    for (const path of [`/v1/payments/${body.id}/events`, '/v1/events?limit=100']) {
      let text = ''
      // The feed has it once it is announced.
      for (let tries = 0; tries < 500 && !text.includes('possible_duplicate'); tries++) {
        text = (await call('GET', path, { key })).text
      }
      t.match(text, 'possible_duplicate')
      t.notMatch(text, own)
    }
  })
})

t.test('0 switches the guard off, and nothing is written for it', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { create } = await setUp(service)
  t.same(statuses(await Promise.all([create(), create(), create()])), [201, 201, 201])
  const { rows } = await sql`select from latest_payment`.execute(service.db)
  t.equal(rows.length, 0)
})

t.test('below the API', async (t) => {
  const { db, call } = await testService(t)
  await insertClients(db, 'cli_1', 'cli_2')
  const accountId = Number(newAccountId())
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const insert = (options?: Partial<IntentOptions>, value = 900) => {
    const amount = { currency: 'GBP', value }
    return insertPayment(
      db,
      newPayment({ id: newId('pay'), clientId: 'cli_1', accountId, amount }),
      options
    )
  }
  const guard = { duplicateWindowS: 600, allowDuplicate: false }
  const unguarded = { duplicateWindowS: 600, allowDuplicate: true }

  t.test('a create waits for one that is not committed, and then sees it', async (t) => {
    const first = await insert(unguarded)
    t.equal(first.outcome, 'created')
    let second: Promise<unknown> = Promise.resolve()
    await db.transaction().execute(async (tx) => {
      await sql`update latest_payment set payment_id = payment_id`.execute(tx)
      // What this statement saw of the table was before the payment below.
      await sql`update payment set created_at = now() - interval '1 hour'`.execute(db)
      second = insert(guard)
      const isWaiting = async () =>
        (
          await sql`select from pg_stat_activity where wait_event_type = 'Lock'
          and query like '%with intent as%'`.execute(db)
        ).rows.length > 0
      while (!(await isWaiting())) await new Promise((resolve) => setTimeout(resolve, 10))
      const { rows } = await sql<{ id: string }>`insert into payment
        (id, client_id, idempotency_key, account_id, currency, amount, channel, method, capture,
          save_card, return_url, expires_at, status, provider_key)
        values ('pay_zzzzzzzzzzzzzzzz', 'cli_2', 'k', ${accountId}, 'GBP', 900, 'ivr', 'hostedPage',
          'automatic', 'never', 'https://a.example', now() + interval '1 hour', 'pending', 'k')
        returning id`.execute(tx)
      await sql`update latest_payment set payment_id = ${rows[0]?.id}`.execute(tx)
    })
    t.same(await second, {
      outcome: 'duplicate',
      earlier: { id: 'pay_zzzzzzzzzzzzzzzz', clientId: 'cli_2' }
    })
  })

  t.test('looking for one leaves no trace', async (t) => {
    const sought = { id: newId('pay'), accountId, amount: { currency: 'GBP', value: 901 } }
    t.equal(await findEarlierPayment(db, sought, 600), undefined)
    const made = await insert({}, 901)
    if (made.outcome !== 'created') throw new Error(made.outcome)
    const { id, clientId } = made.payment
    t.same(await findEarlierPayment(db, sought, 600), { id, clientId })
    t.equal(await findEarlierPayment(db, { ...sought, id }, 600), undefined, 'it is not its own')
  })

  t.test('old rows go, and what is young stays', async (t) => {
    await insert(unguarded, 902)
    await insert(unguarded, 903)
    await sql`update latest_payment set created_at = now() - interval '70 minutes 1 second'
      where amount = 902`.execute(db)
    t.equal(await purgeLatestPayments(db, 600), 1)
    const { rows } = await sql<{ amount: number }>`select amount from latest_payment
      where amount > 900 order by amount`.execute(db)
    t.same(rows, [{ amount: 903 }])
  })

  t.test('its row is changed in place', async (t) => {
    await sql`vacuum latest_payment`.execute(db)
    const ctid = async () => {
      const { rows } = await sql<{ page: string }>`
        select (ctid::text::point)[0]::text as page from latest_payment where amount = 904`.execute(
        db
      )
      return rows[0]?.page
    }
    await insert(unguarded, 904)
    const page = await ctid()
    for (let n = 0; n < 20; n++) await insert(unguarded, 904)
    t.equal(await ctid(), page)
  })
})

import t from 'tap'
import { type Call, newAccountId, testService } from '../test-service.ts'

t.test('accounts', async (t) => {
  const { call, createPayment, db } = await testService(t)
  const put = (id: string, body: unknown) => call('PUT', `/v1/accounts/${id}`, { body })
  const charge = (id: string, body: Record<string, unknown>, options: Call = {}) =>
    call('POST', `/v1/accounts/${id}/charges`, {
      body: {
        amount: { currency: 'GBP', value: 4200 },
        reference: 'INV-1',
        dueAt: '2026-01-31T00:00:00Z',
        ...body
      },
      ...options
    })

  t.test('201 where it is new, 200 where it is known; the row is the answer', async (t) => {
    const id = newAccountId()
    const none = { currency: 'GBP', value: 0 }
    const made = await put(id, { currency: 'GBP', name: 'A. Customer' })
    t.equal(made.status, 201)
    t.same(made.body, {
      id,
      currency: 'GBP',
      name: 'A. Customer',
      status: 'open',
      balance: { outstanding: none, overdue: none, inQuery: none, credit: none }
    })
    const again = await put(id, { currency: 'GBP' })
    t.equal(again.status, 200)
    t.same(again.body, made.body, 'what is left out stays')
    const changed = await put(id, { currency: 'GBP', name: '', status: 'closed' })
    t.match(changed.body, { name: '', status: 'closed' })
    t.match((await put(id, { currency: 'GBP' })).body, { status: 'closed' })
    t.match((await put(id, { currency: 'GBP', status: 'open' })).body, { status: 'open' })
    t.match(await db.selectFrom('account').selectAll().where('id', '=', Number(id)).execute(), [
      { currency: 'GBP', name: '', status: 'open' }
    ])
    t.same(
      (await call('GET', `/v1/accounts/${id}`)).body,
      (await put(id, { currency: 'GBP' })).body
    )
  })

  t.test('many at once make one', async (t) => {
    const id = newAccountId()
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => put(id, { currency: 'GBP' }))
    )
    t.same(answers.map(({ status }) => status).sort(), [...Array(9).fill(200), 201])
  })

  t.test('409 for another currency', async (t) => {
    const id = newAccountId()
    await put(id, { currency: 'GBP' })
    const answer = await put(id, { currency: 'EUR', name: 'Changed' })
    t.equal(answer.status, 409)
    t.equal(answer.body.code, 'account_currency_fixed')
    t.match((await call('GET', `/v1/accounts/${id}`)).body, { currency: 'GBP', name: null })
  })

  t.test('400 for a currency or a status that there is not', async (t) => {
    for (const [body, pointer] of [
      [{ currency: 'gbp' }, '/currency'],
      [{ currency: 'XXX' }, '/currency'],
      [{ currency: 'GBP', status: 'gone' }, '/status'],
      [{ currency: 'GBP', name: 'x'.repeat(121) }, '/name'],
      [{}, '/currency']
    ] as const) {
      const answer = await put(newAccountId(), body)
      t.equal(answer.status, 400)
      t.equal(answer.body.errors[0].pointer, pointer)
    }
  })

  t.test('404 for a number that no account can have, and for one that none has', async (t) => {
    for (const id of ['0', '007', '123456789', '-1', '1.0', '1e3', 'abc', '%31%30x', '99999999']) {
      for (const path of ['', '/charges', '/entries']) {
        const answer = await call('GET', `/v1/accounts/${id}${path}`)
        t.equal(answer.status, 404, `${id}${path}`)
        t.equal(answer.body.code, 'account_not_known')
      }
      if (id === '99999999') continue
      t.equal((await put(id, { currency: 'GBP' })).status, 404, id)
      t.equal((await charge(id, {})).status, 404, id)
    }
    t.equal((await charge('99999999', {})).body.code, 'account_not_known')
    for (const id of ['1', '99999998']) t.equal((await put(id, { currency: 'GBP' })).status, 201)
  })

  t.test('a charge: 201, the same again 200, other content 409', async (t) => {
    const id = newAccountId()
    await put(id, { currency: 'GBP' })
    const made = await charge(id, {})
    t.equal(made.status, 201)
    t.match(made.body, {
      id: /^chg_[0-9a-hjkmnp-tv-z]{16}$/,
      amount: { currency: 'GBP', value: 4200 },
      openAmount: 4200,
      inQuery: false,
      reference: 'INV-1',
      dueAt: '2026-01-31T00:00:00.000Z',
      status: 'open'
    })
    const same = await charge(id, { dueAt: '2026-01-31T01:00:00+01:00' })
    t.equal(same.status, 200, 'the same moment, spelt otherwise')
    t.same(same.body, made.body)
    for (const other of [
      { amount: { currency: 'GBP', value: 4201 } },
      { amount: { currency: 'EUR', value: 4200 } },
      { dueAt: '2026-01-31T00:00:01Z' }
    ]) {
      const answer = await charge(id, other)
      t.equal(answer.status, 409)
      t.equal(answer.body.code, 'charge_conflict')
    }
    const { body: account } = await call('GET', `/v1/accounts/${id}`)
    t.equal(account.balance.outstanding.value, 4200, 'pushed once')
    const elsewhere = newAccountId()
    await put(elsewhere, { currency: 'GBP' })
    t.equal((await charge(elsewhere, {})).status, 201, 'a reference is unique an account')
    const storm = await Promise.all(
      Array.from({ length: 10 }, () => charge(elsewhere, { reference: 'storm' }))
    )
    t.same(storm.map(({ status }) => status).sort(), [...Array(9).fill(200), 201])
    t.equal(new Set(storm.map(({ body }) => body.id)).size, 1)
  })

  t.test(
    '422 for a charge of a closed account, in another currency, or out of bounds',
    async (t) => {
      const id = newAccountId()
      await put(id, { currency: 'GBP' })
      const known = await charge(id, {})
      const cases = [
        ['currency_mismatch', { amount: { currency: 'EUR', value: 1 }, reference: 'b' }],
        ['amount_too_large', { amount: { currency: 'GBP', value: 1_000_000_000 }, reference: 'c' }],
        ['amount_not_representable', { amount: { currency: 'BHD', value: 1001 }, reference: 'd' }]
      ] as const
      for (const [code, body] of cases) {
        const answer = await charge(id, body)
        t.equal(answer.status, 422)
        t.equal(answer.body.code, code)
      }
      t.equal(
        (await charge(id, { amount: { currency: 'GBP', value: 999_999_999 }, reference: 'e' }))
          .status,
        201
      )
      await put(id, { currency: 'GBP', status: 'closed' })
      const closed = await charge(id, { reference: 'f' })
      t.equal(closed.status, 422)
      t.equal(closed.body.code, 'account_closed')
      t.same((await charge(id, {})).body, known.body, 'a repetition is answered all the same')
      const { body: list } = await call('GET', `/v1/accounts/${id}/charges`)
      t.same(
        list.data.map(({ reference }: { reference: string }) => reference),
        ['e', 'INV-1']
      )
      t.rejects(createPayment({ accountId: id }), /account_closed/)
    }
  )

  t.test('400 for a charge without what it needs', async (t) => {
    const id = newAccountId()
    await put(id, { currency: 'GBP' })
    for (const [body, pointer] of [
      [{ reference: '' }, '/reference'],
      [{ reference: 'x'.repeat(70) }, '/reference'],
      [{ dueAt: 'soon' }, '/dueAt'],
      [{ amount: 4200 }, '/amount'],
      [{ inQuery: true }, '/inQuery']
    ] as const) {
      const answer = await charge(id, body)
      t.equal(answer.status, 400)
      t.equal(answer.body.errors[0].pointer, pointer)
    }
  })
})

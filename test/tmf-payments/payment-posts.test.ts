/** What is posted to TMF676: charged, started or recorded, once for each correlatorId. */
import { sql } from 'kysely'
import t from 'tap'
import { toExactNumber } from '../../src/http/exact-json.ts'
import { checkMoney } from '../invariants.ts'
import { registerCard } from '../registered-card.ts'
import { testService } from '../test-service.ts'
import { characteristicOf, judgeTmf676, page, paymentPost, tmfTools } from './harness.ts'

t.test('payments posted to TMF676', async (t) => {
  const service = await testService(t)
  const { call, control, db, addClient, pay, until } = service
  const { get, post, addAccount } = tmfTools(service)
  const judge = await judgeTmf676()
  const accountId = await addAccount()
  const postPayment = (more: Record<string, unknown>, key?: string) =>
    post('/payment', paymentPost(accountId, more), key === undefined ? {} : { key })
  const count = async () => {
    const { headers } = await get(`/payment?account.id=${accountId}`)
    return Number(headers.get('x-total-count'))
  }

  t.test('a page starts: its address is a characteristic and in Link', async (t) => {
    const answer = await postPayment({ ...page, description: 'Invoice 7' })
    const body = judge.judge(t, 'Payment', 201, answer)
    t.equal(body.status, 'pendingAuthorization')
    t.equal(answer.headers.get('location'), body.href)
    const url = characteristicOf(answer, 'checkoutUrl')
    t.match(url, /^http/)
    t.equal(answer.headers.get('link'), `<${url}>; rel="payment"`)
    t.equal(characteristicOf(answer, 'returnUrl'), 'https://selfcare.example/paid', 'as sent')
    const { body: view } = await call('GET', `/v1/payments/${body.id}`)
    t.match(view, { method: 'hostedPage', amount: { currency: 'GBP', value: 2500 } })
    await pay(body.id)
    await until(body.id, ({ status }) => status === 'captured')
    t.match((await get(`/payment/${body.id}`)).body, {
      status: 'captured',
      description: 'Invoice 7'
    })
  })

  t.test('a link, and a registered card, which is charged at once', async (t) => {
    const link = await postPayment({ paymentMethod: { '@type': 'paymentLink' } })
    judge.judge(t, 'Payment', 201, link)
    t.match(characteristicOf(link, 'checkoutUrl'), /^http/)
    const cardId = await registerCard(service, accountId)
    const method = { '@type': 'paymentMethodRef', '@referredType': 'tokenizedCard', id: cardId }
    const body = judge.judge(t, 'Payment', 201, await postPayment({ paymentMethod: method }))
    t.match(body, { status: 'captured', paymentMethod: method }, 'as sent')
    t.match((await call('GET', `/v1/payments/${body.id}`)).body, { method: 'registeredCard' })
  })

  t.test('what the provider and we say of it no sender says', async (t) => {
    const cardId = await registerCard(service, accountId)
    const lie = { brand: 'amex', lastFourDigits: '0000', expirationDate: '2099-01' }
    const named = await postPayment({ paymentMethod: { id: cardId, name: 'Mine', ...lie } })
    const { paymentMethod } = judge.judge(t, 'Payment', 201, named)
    const { body: view } = await call('GET', `/v1/payments/${named.body.id}`)
    t.equal(paymentMethod.name, 'Mine')
    t.equal(paymentMethod.brand, view.card.brand)
    t.equal(paymentMethod.lastFourDigits, view.card.lastFour)
    t.not(paymentMethod.expirationDate, lie.expirationDate)
    const { body: other } = await postPayment({ channel: { id: 'webshop' } })
    t.match(other.channel, { id: 'webshop', name: 'webshop' }, 'no name of a channel of ours')
    const names = ['checkoutUrl', 'amountCaptured', 'returnUrl']
    const characteristic = names.map((name) => ({ name, value: 'https://selfcare.example/paid' }))
    const paid = await postPayment({ ...page, characteristic })
    const { id } = judge.judge(t, 'Payment', 201, paid)
    const shown = async (name: string) =>
      (await get(`/payment/${id}`)).body.characteristic.filter(
        (one: { name: string }) => one.name === name
      )
    t.equal((await shown('returnUrl')).length, 1)
    t.match(await shown('amountCaptured'), [{ value: 0 }])
    t.equal((await shown('checkoutUrl')).length, 1)
    t.notMatch((await shown('checkoutUrl'))[0].value, 'selfcare')
    await pay(id)
    await until(id, ({ status }) => status === 'captured')
    t.same(await shown('checkoutUrl'), [], 'nor once there is none')
    t.match(await shown('amountCaptured'), [{ value: 2500 }])
  })

  t.test('a card that is known by its registration has the address of that', async (t) => {
    const path = '/tmf-api/paymentMethod/v4/paymentMethod'
    const registration = { name: 'Mine', account: [{ id: accountId }] }
    const { body: method } = await call('POST', path, { body: registration })
    const page = characteristicOf({ body: method }, 'checkoutUrl')
    await control('POST', `/_simulator/sessions/${page.split('/').at(-1)}/pay`, {
      holderName: 'A. Customer'
    })
    const isActive = async () =>
      (await call('GET', `${path}/${method.id}`)).body.status === 'active'
    for (let turn = 0; turn < 200 && !(await isActive()); turn += 1) {
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    const { body } = await postPayment({ paymentMethod: { id: method.id } })
    t.match(body, { status: 'captured', paymentMethod: { id: method.id, href: method.href } })
  })

  t.test('whatever else it is paid with was taken elsewhere, and is recorded', async (t) => {
    const sent = {
      authorizationCode: 'AUTH/77-x',
      paymentDate: '2026-11-22T09:58:00Z',
      channel: { id: 'webshop', name: 'Shop' },
      name: 'Order 9',
      amount: { unit: 'GBP', value: 20.83 },
      taxAmount: { unit: 'GBP', value: 4.17 },
      payer: { id: 'C-1', '@referredType': 'Customer' },
      paymentItem: [{ item: { id: 'BILL-1', '@referredType': 'Bill' } }],
      seller: { till: [1, 2.5, null], open: true }
    }
    const body = judge.judge(t, 'Payment', 201, await postPayment(sent))
    const { paymentDate: _, ...rest } = sent
    t.match(body, { ...rest, paymentDate: '2026-11-22T09:58:00.000Z', status: 'captured' })
    t.match((await call('GET', `/v1/payments/${body.id}`)).body, {
      method: 'recorded',
      status: 'captured',
      channel: 'service',
      card: { brand: 'visa', lastFour: '1111' }
    })
    for (const paymentMethod of [
      { '@type': 'Voucher', code: 'XMAS' },
      { '@type': 'BankAccountTransfer', accountNumberType: 'IBAN' },
      { '@type': 'Cash' },
      { id: 'tok-1', '@referredType': 'TokenizedCard' },
      {}
    ]) {
      const one = judge.judge(t, 'Payment', 201, await postPayment({ paymentMethod }))
      t.match(one, { paymentMethod, status: 'captured' })
    }
    const { body: view } = await call('GET', `/v1/accounts/${accountId}/entries?limit=100`)
    t.ok(view.data.some(({ paymentId }: { paymentId: string }) => paymentId === body.id))
  })

  t.test('a correlatorId stands for one payment, with each way to pay', async (t) => {
    for (const [at, more] of [page, { paymentMethod: { '@type': 'Cash' } }].entries()) {
      const correlatorId = `order ${at}`
      const first = await postPayment({ ...more, correlatorId })
      const before = await count()
      const again = await postPayment({
        correlatorId,
        ...more,
        totalAmount: { value: 25, unit: 'GBP' }
      })
      t.equal(again.status, 201)
      t.equal(again.headers.get('idempotent-replayed'), 'true')
      t.same(again.body, first.body)
      const other = await postPayment({ ...more, correlatorId, description: 'another' })
      t.match(judge.judge(t, 'Payment', 409, other), { code: 'correlator_conflict' })
      t.equal(await count(), before)
      const { body } = await get(`/payment?correlatorId=${encodeURIComponent(correlatorId)}`)
      t.equal(body.length, 1)
    }
    const someoneElse = await addClient({})
    const own = await postPayment(
      { paymentMethod: { '@type': 'Cash' }, correlatorId: 'order 1' },
      someoneElse
    )
    t.equal(own.status, 201)
    t.equal(own.headers.get('idempotent-replayed'), null, 'of another client it is another one')
  })

  t.test('sent at the same moment it is one payment', async (t) => {
    const before = await count()
    const more = { correlatorId: 'at once', paymentMethod: { '@type': 'PaymentLink' } }
    const answers = await Promise.all(Array.from({ length: 5 }, () => postPayment(more)))
    for (const { status, body } of answers) {
      t.ok(status === 201 || body.code === 'idempotency_key_in_flight', `${status} ${body.code}`)
    }
    t.equal(new Set(answers.filter((one) => one.status === 201).map((one) => one.body.id)).size, 1)
    t.equal((await postPayment(more)).status, 201)
    t.equal(await count(), before + 1)
  })

  t.test('while it is being made another one makes nothing, and forgets nothing', async (t) => {
    const account = await addAccount()
    const cardId = await registerCard(service, account)
    const body = paymentPost(account, { correlatorId: 'slow', paymentMethod: { id: cardId } })
    const waiting = async () => {
      const { rows } = await sql<{ count: number }>`select count(*) from pg_locks l
        join pg_stat_activity a on a.pid = l.pid
        where not granted and datname = current_database()`.execute(db)
      return rows[0]?.count ?? 0
    }
    const setRemoved = (at: Date | null) =>
      db.updateTable('card').set({ removed_at: at }).where('id', '=', cardId).execute()
    const first = await db.transaction().execute(async (tx) => {
      await sql`select from account where id = ${Number(account)} for update`.execute(tx)
      const answer = post('/payment', body)
      while ((await waiting()) === 0) await new Promise((resolve) => setTimeout(resolve, 10))
      // What would be refused by now is the same payment all the same.
      await setRemoved(new Date())
      const meanwhile = judge.judge(t, 'Payment', 409, await post('/payment', body))
      t.equal(meanwhile.code, 'idempotency_key_in_flight')
      await setRemoved(null)
      return { answer }
    })
    const { id } = judge.judge(t, 'Payment', 201, await first.answer)
    t.equal((await post('/payment', body)).body.id, id)
  })

  t.test('what was recorded at /v1 under its name is not recorded again', async (t) => {
    const { rows } = await sql<{
      id: string
    }>`select client_id as id from payment order by id limit 1`.execute(db)
    const recorded = await call('POST', '/v1/recorded-payments', {
      body: {
        accountId,
        amount: { currency: 'GBP', value: 2500 },
        channel: 'ivr',
        outcome: 'captured',
        processor: { name: rows[0]?.id, reference: 'known' },
        takenAt: '2026-11-22T09:58:00Z'
      }
    })
    t.equal(recorded.status, 201)
    const answer = await postPayment({ correlatorId: 'known' })
    t.match(judge.judge(t, 'Payment', 409, answer), {
      code: 'recorded_payment_conflict',
      paymentId: recorded.body.id,
      errors: [{ pointer: '/correlatorId' }]
    })
  })

  t.test('without a correlatorId each is another payment', async (t) => {
    const before = await count()
    for (let turn = 0; turn < 2; turn += 1) t.equal((await postPayment(page)).status, 201)
    t.equal(await count(), before + 2)
  })

  t.test('what was refused keeps nothing of its correlatorId', async (t) => {
    const more = { ...page, correlatorId: 'twice' }
    const elsewhere = await addAccount('EUR')
    const refused = await post('/payment', paymentPost(elsewhere, more))
    t.match(judge.judge(t, 'Payment', 422, refused), { code: 'currency_mismatch' })
    t.equal((await postPayment(more)).status, 201)
  })

  t.test('a page that Adyen does not open at once is one payment all the same', async (t) => {
    await control('PUT', '/_simulator/faults', { api: { hangAfterWork: { times: 1 } } })
    const more = { ...page, correlatorId: 'patience' }
    const first = judge.judge(t, 'Payment', 503, await postPayment(more))
    t.match(first, { code: 'provider_unavailable', paymentId: /^pay_/ })
    let answer = await postPayment(more)
    for (let turn = 0; answer.status !== 201 && turn < 50; turn += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      answer = await postPayment(more)
    }
    t.equal(judge.judge(t, 'Payment', 201, answer).id, first.paymentId)
    t.match(characteristicOf(answer, 'checkoutUrl'), /^http/)
  })

  t.test('amounts are exact, or a fault', async (t) => {
    const [jpy, kwd] = [await addAccount('JPY'), await addAccount('KWD')]
    const of = (id: string, unit: string, value: string) =>
      call('POST', '/tmf-api/paymentManagement/v4/payment', {
        body: JSON.stringify(
          paymentPost(id, { totalAmount: { unit, value: toExactNumber(value) } })
        )
      })
    for (const [id, unit, value, shown] of [
      [accountId, 'GBP', '11.6', '11.6'],
      [accountId, 'GBP', '1e2', '100'],
      [accountId, 'GBP', '0.30', '0.3'],
      [accountId, 'GBP', '9999999.99', '9999999.99'],
      [kwd, 'KWD', '1.250', '1.25'],
      [jpy, 'JPY', '500', '500']
    ] as const) {
      const answer = await of(id, unit, value)
      judge.judge(t, 'Payment', 201, answer)
      t.ok(answer.text.includes(`"totalAmount":{"unit":"${unit}","value":${shown}}`), answer.text)
    }
    const note = toExactNumber('12345678901234567890.10')
    const { body, text } = await postPayment({ note })
    t.ok(text.includes('"note":12345678901234567890.10'), text)
    t.ok((await get(`/payment/${body.id}`)).text.includes('"note":12345678901234567890.10'))
    for (const [id, unit, value, code] of [
      [accountId, 'GBP', '0.30000000000000004', 'amount_not_representable'],
      [accountId, 'GBP', '1.00000000000000001', 'amount_not_representable'],
      [kwd, 'KWD', '1.251', 'amount_not_representable'],
      [kwd, 'KWD', '1.2345', 'amount_not_representable'],
      [jpy, 'JPY', '0.5', 'amount_not_representable'],
      [accountId, 'GBP', '1e300', 'amount_too_large'],
      [accountId, 'GBP', '10000000', 'amount_too_large']
    ] as const) {
      const body = judge.judge(t, 'Payment', 422, await of(id, unit, value))
      t.match(body, { code, errors: [{ pointer: '/totalAmount/value' }] }, value)
    }
  })

  t.test('all faults at once, at the members that were sent', async (t) => {
    const faulty = {
      account: { id: '99999999' },
      totalAmount: { unit: 'GBP', value: 1.005 },
      paymentMethod: { '@type': 'HostedPage' },
      channel: { id: 'agent' },
      status: 'captured'
    }
    const answer = await post('/payment', faulty)
    const body = judge.judge(t, 'Payment', 422, answer)
    const pointers = body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()
    const both = ['/characteristic', '/characteristic']
    t.same(pointers, ['/account/id', ...both, '/status', '/totalAmount/value'])
    const empty = judge.judge(
      t,
      'Payment',
      400,
      await post('/payment', { correlatorId: 'a\u200b' })
    )
    t.match(empty.errors.map(({ pointer }: { pointer: string }) => pointer).sort(), [
      '/account',
      '/correlatorId',
      '/paymentMethod',
      '/totalAmount'
    ])
    const refused = await postPayment({
      paymentMethod: { '@type': 'HostedPage' },
      characteristic: [{ name: 'returnUrl', value: 'https://elsewhere.example/' }]
    })
    t.match(judge.judge(t, 'Payment', 422, refused), {
      code: 'return_url_refused',
      errors: [{ pointer: '/characteristic' }]
    })
    const noCard = await postPayment({ paymentMethod: { id: 'crd_0000000000000000' } })
    t.match(judge.judge(t, 'Payment', 422, noCard), {
      code: 'registered_card_not_found',
      errors: [{ pointer: '/paymentMethod/id' }]
    })
  })

  t.test('a card number is refused wherever it stands, as a number as well', async (t) => {
    for (const more of [
      { note: '4111 1111 1111 1111' },
      { paymentMethod: { '@type': 'BankCard', cardNumber: 4111111111111111 } },
      { cardNumber: toExactNumber('4.111111111111111E15') },
      { deep: [{ er: { '4111111111111111': 1 } }] }
    ]) {
      const body = judge.judge(t, 'Payment', 422, await postPayment(more))
      t.equal(body.code, 'card_number_refused')
      t.notMatch(JSON.stringify(body), '4111')
    }
  })

  t.test('text is judged as it is kept, in one form of Unicode', async (t) => {
    // One character that is two when it is composed.
    const correlatorId = '\u0958'.repeat(69)
    const body = judge.judge(t, 'Payment', 400, await postPayment({ correlatorId }))
    t.match(body.errors, [{ pointer: '/correlatorId' }])
  })

  t.test('nor is a security code taken, which nobody may keep', async (t) => {
    const method = { '@type': 'BankCard', cvv: '123', details: [{ security_code: 321 }] }
    const characteristic = [
      { name: 'a', value: 1 },
      { name: 'Card CVV number', value: '123' }
    ]
    const body = judge.judge(
      t,
      'Payment',
      400,
      await postPayment({ paymentMethod: method, characteristic })
    )
    t.same(body.errors.map(({ pointer }: { pointer: string }) => pointer).sort(), [
      '/characteristic/1/value',
      '/paymentMethod/cvv',
      '/paymentMethod/details/0/security_code'
    ])
  })

  t.test('what it pays of ours is paid first', async (t) => {
    const account = await addAccount()
    const charges = []
    for (const reference of ['A', 'B']) {
      const { body } = await call('POST', `/v1/accounts/${account}/charges`, {
        body: { amount: { currency: 'GBP', value: 1000 }, reference, dueAt: '2026-12-01T00:00:00Z' }
      })
      charges.push(body.id)
    }
    const paymentItem = [
      { item: { id: 'elsewhere' } },
      { item: { id: charges[1] }, totalAmount: { unit: 'GBP', value: 10 } }
    ]
    const totalAmount = { unit: 'GBP', value: 10 }
    const answer = await post(
      '/payment',
      paymentPost(account, { ...page, paymentItem, totalAmount })
    )
    const { id } = judge.judge(t, 'Payment', 201, answer)
    await pay(id)
    await until(id, ({ status }) => status === 'captured')
    const { body } = await call('GET', `/v1/accounts/${account}/charges?status=open`)
    t.same(
      body.data.map(({ id }: { id: string }) => id),
      [charges[0]]
    )
  })

  t.test('the books are right', (t) => checkMoney(t, db))
})

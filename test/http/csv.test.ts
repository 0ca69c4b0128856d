/** Lists and reports as CSV. */
import { parse } from 'csv-parse/sync'
import { sql } from 'kysely'
import t from 'tap'
import { download, makeReport, read } from '../settlement/reports.ts'
import { adyenApiKey, newAccountId, testService } from '../test-service.ts'

const csv = { accept: 'text/csv' }

t.test('C8: lists and reports as CSV', async (t) => {
  const service = await testService(t, { duplicateWindowS: 0 })
  const { call, createPayment, pay, until, addClient, db } = service
  const accountId = newAccountId()
  await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const odd = [
    ...['=HYPERLINK("http://a.example";"x")', '+44 20 7946', '-2+3', '@SUM(1)', 'a "b", c'],
    ...['＝1+1', 'plain', "'quoted", ' plain', ' \u00a0=1+1', '\u00a0+1', '\u200b=1', '\ufeff@a']
  ]
  for (const description of odd) await createPayment({ accountId, description, reference: '-1' })
  const { id } = await createPayment({ accountId, metadata: { a: '=1' } })
  await pay(id)
  const paid = await until(id, ({ status }) => status === 'captured')

  /** The rows by the names of their columns. */
  async function rowsOf(path: string, key?: string) {
    const answer = await call('GET', path, { headers: csv, ...(key !== undefined && { key }) })
    t.equal(answer.status, 200, path)
    t.equal(answer.headers.get('content-type'), 'text/csv; charset=utf-8; header=present')
    t.match(answer.text, /^[a-zA-Z,]+\r\n/, 'a header, and lines as RFC 4180 ends them')
    const columns = answer.text.slice(0, answer.text.indexOf('\r\n'))
    const rows = parse<Record<string, string>>(answer.text, { columns: true })
    return { columns, rows, text: answer.text }
  }

  t.test('a list of any length comes in pieces, and ends where the reader does', async (t) => {
    const other = newAccountId()
    await call('PUT', `/v1/accounts/${other}`, { body: { currency: 'GBP' } })
    await sql`
      insert into payment (id, client_id, account_id, currency, amount, channel, method,
        capture, save_card, expires_at, status, amount_authorised, amount_captured, finished_at,
        processor_name, processor_reference, taken_at, reference)
      select 'pay_0' || lpad(n::text, 15, '0'), (select min(id) from client), ${other}::integer,
        'GBP', n, 'service', 'recorded', 'automatic', 'never', now(), 'captured', n, n, now(),
        'till', n, now(), 'many'
      from generate_series(1, 2500) as n`.execute(db)
    const { rows } = await rowsOf('/v1/payments?reference=many')
    t.equal(rows.length, 2_500)
    t.ok(rows.every(({ amount }, place) => amount === String(2_500 - place)))

    const response = await fetch(`${service.url}/v1/payments?reference=many`, {
      headers: { ...csv, authorization: `Bearer ${service.key}` }
    })
    t.equal(response.headers.get('content-length'), null)
    const reader = response.body?.getReader()
    const first = await reader?.read()
    t.ok((first?.value?.length ?? 0) < 1_000_000, 'the first rows come before the last are read')
    await reader?.cancel()
    t.equal((await call('GET', '/health/ready', { key: null })).status, 200)
  })

  t.test('payments, as the filters find them', async (t) => {
    const { columns, rows } = await rowsOf(`/v1/payments?accountId=${accountId}&limit=2`)
    t.equal(
      columns,
      'id,createdAt,updatedAt,finishedAt,accountId,status,failureCode,channel,method,capture,' +
        'currency,amount,amountCaptured,amountRefunded,amountChargedBack,amountRefundable,' +
        'reference,description,operatorId,operatorReason,cardBrand,cardLastFour,' +
        'registeredCardId,provider,providerReference,settledAt,settlementBatch,' +
        'settlementCurrency,settlementGross,settlementFees,settlementNet,metadata,' +
        'allocations,amountUnallocated,cardWallet,threeDSecure,liabilityShift,exemptionRequested'
    )
    const { body } = await call('GET', `/v1/payments?accountId=${accountId}&limit=100`)
    t.same(
      rows.map((row) => row.id),
      body.data.map(({ id }: { id: string }) => id),
      'all of them, newest first'
    )
    t.match(rows[0], {
      currency: 'GBP',
      amount: '2500',
      amountCaptured: '2500',
      metadata: '{"a":"=1"}'
    })
    t.match(rows[0], { status: 'captured', cardLastFour: '1111', settledAt: '' })
    t.equal(rows[0]?.providerReference, paid.provider.reference)
    const { rows: found } = await rowsOf(`/v1/payments?accountId=${accountId}&status=captured`)
    t.same(found, [rows[0]])
    const { body: page } = await call('GET', `/v1/payments?accountId=${accountId}&limit=3`)
    const rest = await rowsOf(`/v1/payments?accountId=${accountId}&cursor=${page.nextCursor}`)
    t.same(rest.rows, rows.slice(3))
    t.same((await rowsOf('/v1/payments?reference=nobody')).rows, [])
  })

  t.test('no cell is a formula to a spreadsheet', async (t) => {
    const { rows } = await rowsOf(`/v1/payments?accountId=${accountId}&reference=-1`)
    const guarded = odd.map((text) => (/^[\s\u200b]*[=+\-@＝]/.test(text) ? `'${text}` : text))
    t.same(rows.map(({ description }) => description).reverse(), guarded)
    t.ok(rows.every(({ reference }) => reference === "'-1"))
  })

  t.test('a third party has its own', async (t) => {
    const key = await addClient({ thirdParty: true, scopes: ['payments:read', 'payments:write'] })
    const own = await createPayment({ accountId }, { key })
    const { rows } = await rowsOf('/v1/payments', key)
    t.same(
      rows.map((row) => row.id),
      [own.id]
    )
  })

  t.test('entries, postings, discrepancies, the summary and the three sides', async (t) => {
    const { url } = await makeReport(service, { announce: false, faults: { strangers: 1 } })
    await read(service, await download(url, adyenApiKey))
    const entries = await rowsOf(`/v1/accounts/${accountId}/entries`)
    t.equal(
      entries.columns,
      'id,createdAt,account,direction,currency,amount,causeType,causeId,paymentId'
    )
    t.match(entries.rows, [
      { account: 'provider', direction: 'debit', currency: 'GBP', amount: '2500', paymentId: id },
      { account: 'customer', direction: 'credit', amount: '2500' }
    ])
    const placed = async () => (await call('GET', '/v1/postings')).body.data.length > 0
    for (const giveUpAt = Date.now() + 10_000; !(await placed()) && Date.now() < giveUpAt; );
    const postings = await rowsOf('/v1/postings?status=open')
    t.match(postings.rows, [{ paymentId: id, currency: 'GBP', amount: '2500', kind: 'payment' }])
    const { body } = await call('GET', '/v1/postings')
    t.same((await rowsOf(`/v1/postings?after=${body.nextCursor}`)).rows, [])
    const discrepancies = await rowsOf('/v1/discrepancies')
    t.match(discrepancies.rows, [{ kind: 'settlement_unmatched', status: 'open' }])
    t.match(JSON.parse(discrepancies.rows[0]?.details ?? ''), { theirs: { type: 'Settled' } })

    const { body: day } = await call('GET', '/v1/reconciliation/summary')
    const summary = await rowsOf('/v1/reconciliation/summary')
    t.equal(summary.columns, 'date,currency,section,item,measure,value')
    const numberOf = (...names: string[]) =>
      summary.rows.find(
        ({ section, item, measure }) => `${[section, item, measure]}` === `${names}`
      )?.value
    const [gbp] = day.currencies
    t.equal(numberOf('payout', '', 'paidOut'), String(gbp.payout.paidOut))
    t.ok(gbp.payout.paidOut < 0, 'a number below nothing stays one')
    t.equal(numberOf('movements', 'payment', 'amount'), '2500')
    t.equal(numberOf('accounts', 'customer', 'closing'), '-2500')
    t.equal(numberOf('discrepancies', 'settlement_unmatched', 'open'), '1')

    const sides = await rowsOf('/v1/reconciliation/three-way')
    t.equal(sides.columns, 'from,to,currency,side,reason,count,amount')
    t.match(sides.rows, [
      { currency: 'GBP', side: 'ledger', reason: '', amount: '2500' },
      { side: 'provider', reason: '' },
      { side: 'provider', reason: 'unmatched' },
      { side: 'billing', reason: '' },
      { side: 'billing', reason: 'notAcknowledgedYet', amount: '-2500' },
      { side: 'unexplained', amount: '0' }
    ])
  })

  t.test('what is asked for is what is answered, or 406', async (t) => {
    const typeFor = async (path: string, accept: string) => {
      const { status, headers, body } = await call('GET', path, { headers: { accept } })
      return status === 200 ? headers.get('content-type')?.split(';')[0] : [status, body.code]
    }
    const refused = [406, 'not_acceptable']
    const list = '/v1/payments?limit=1'
    for (const [path, accept, answer] of [
      [list, '*/*', 'application/json'],
      [list, 'application/*', 'application/json'],
      [list, 'text/csv;q=0.5, application/json', 'application/json'],
      [list, 'text/csv, application/json;q=0.5', 'text/csv'],
      [list, 'text/*', 'text/csv'],
      [list, 'text/html, */*;q=0.1', 'application/json'],
      [list, 'application/xml', refused],
      [list, 'text/csv;q=0', refused],
      ['/v1/reconciliation/summary', 'application/pdf', refused],
      [`/v1/payments/${id}`, 'text/csv', refused],
      [`/v1/payments/${id}/events`, 'text/csv', refused],
      [`/v1/payments/${id}`, 'text/csv, */*', 'application/json']
    ] as const) {
      t.same(await typeFor(path, accept), answer, `${path} ${accept}`)
    }
    const { status, headers } = await call('GET', '/v1/payments?cursor=x', { headers: csv })
    t.equal(status, 400)
    t.match(headers.get('content-type'), 'application/problem+json')
    t.equal((await call('HEAD', list, { headers: csv })).status, 200)
    t.equal((await call('GET', list, { headers: csv, key: null })).status, 401)
  })
})

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import t from 'tap'
import type { HostedPageRequest, OperationRequest } from '../../src/provider.ts'
import {
  merchantAccount,
  newProvider,
  newRequest,
  openPage,
  reversalOf,
  startPair,
  startStub
} from './provider-pair.ts'

const trace = {
  'x-request-id': 'req-1',
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
}

t.test('a page is opened, for cards only, under the stored key', async (t) => {
  const { provider, url, lastRequest } = await startPair(t)
  const request = newRequest()
  const { session, url: page } = await openPage(provider, request)
  t.match(session, /^CS/)
  t.ok(page.startsWith(url))
  const { body, headers, path, method } = await lastRequest()
  t.same([method, path], ['POST', '/v72/sessions'])
  t.equal(headers['idempotency-key'], request.key)
  t.same(body, {
    merchantAccount,
    amount: request.amount,
    reference: request.paymentId,
    returnUrl: request.returnUrl,
    mode: 'hosted',
    expiresAt: request.expiresAt.toISOString(),
    allowedPaymentMethods: ['scheme'],
    shopperReference: 'account-7',
    shopperInteraction: 'Ecommerce',
    storePaymentMethodMode: 'disabled',
    captureDelayHours: 0
  })
})

t.test('who asks is passed on, in this call and not in the next', async (t) => {
  const { provider, lastRequest } = await startPair(t)
  await provider.createHostedPage(newRequest(), trace)
  t.match((await lastRequest()).headers, trace)
  await provider.createHostedPage(newRequest())
  const { headers } = await lastRequest()
  t.same([headers.traceparent, headers['x-request-id']], [undefined, undefined])
})

t.test('the same key opens the same page', async (t) => {
  const { provider } = await startPair(t)
  const request = newRequest()
  t.same(await openPage(provider, request), await openPage(provider, request))
  t.not(
    (await openPage(provider, newRequest())).session,
    (await openPage(provider, request)).session
  )
})

t.test('what a payment asks for is what the page is asked for', async (t) => {
  const { provider, lastRequest } = await startPair(t)
  const sent = async (changes: Partial<HostedPageRequest>) => {
    await openPage(provider, newRequest(changes))
    return (await lastRequest()).body
  }
  const manual = await sent({ capture: 'manual' })
  t.same(manual.additionalData, { manualCapture: 'true' })
  t.notOk('captureDelayHours' in manual)
  t.match(await sent({ saveCard: 'ask' }), {
    storePaymentMethodMode: 'askForConsent',
    recurringProcessingModel: 'CardOnFile'
  })
  t.match(await sent({ saveCard: 'always' }), {
    storePaymentMethodMode: 'enabled',
    recurringProcessingModel: 'CardOnFile'
  })
  t.notOk('recurringProcessingModel' in (await sent({ saveCard: 'never' })))
  t.match(await sent({ metadata: { basket: '7' } }), { metadata: { basket: '7' } })
  const { allowedPaymentMethods } = await sent({ offers: ['scheme', 'googlepay'] })
  t.same(allowedPaymentMethods, ['scheme', 'googlepay'])
  t.match(await sent({ amount: { currency: 'CLP', value: 1500 } }), {
    amount: { currency: 'CLP', value: 150_000 }
  })
  const customer = {
    reference: 'C-1',
    email: 'a@example.com',
    phone: '+44 (0)20 7946-0958',
    locale: 'en-GB',
    countryCode: 'GB'
  }
  t.match(await sent({ customer }), {
    shopperEmail: 'a@example.com',
    telephoneNumber: '+4402079460958',
    shopperLocale: 'en-GB',
    countryCode: 'GB'
  })
})

t.test('only what Adyen’s minor units can hold can be expressed', async (t) => {
  const provider = newProvider(t, 'http://127.0.0.1:1')
  t.ok(provider.canExpress({ currency: 'GBP', value: 1 }))
  t.ok(provider.canExpress({ currency: 'IDR', value: 100 }))
  t.notOk(provider.canExpress({ currency: 'IDR', value: 101 }))
})

const sameKey = { outcome: 'unknown', retry: 'same_key' }
const newKey = { outcome: 'unknown', retry: 'new_key' }
const rejected = { outcome: 'rejected' }

/** What goes wrong at Adyen, and how the call for a page and that for a reversal are read. */
const faults: ReadonlyArray<[name: string, api: object, page: object, reversal: object]> = [
  ['an invalid request', { status4xx: 422 }, rejected, rejected],
  ['a wrong key', { revokedKey: 401 }, sameKey, sameKey],
  ['a key without the right', { revokedKey: 403 }, sameKey, sameKey],
  ['a no that is stored', { status4xx: { status: 403 } }, newKey, sameKey],
  ['a conflict', { status4xx: { status: 409 } }, sameKey, sameKey],
  ['a running call', { status4xx: { errorCode: '704' } }, sameKey, sameKey],
  ['a time-out on the way', { status4xx: { status: 408 } }, sameKey, sameKey],
  ['a call too early', { status4xx: { status: 425 } }, sameKey, sameKey],
  ['too many calls', { status4xx: { status: 429 } }, sameKey, sameKey],
  ['an error that is stored', { status5xx: 500 }, newKey, sameKey],
  ['an error that is transient', { status5xx: { transientError: true } }, sameKey, sameKey],
  ['the page of a gateway', { html500: true }, newKey, sameKey],
  ['half an answer', { truncate200: true }, sameKey, sameKey],
  ['an empty answer', { emptyBody: true }, sameKey, sameKey],
  ['a reset connection', { resetBeforeHeaders: true }, sameKey, sameKey],
  ['a reset after the work', { resetBeforeHeaders: { afterWork: true } }, sameKey, sameKey],
  ['no answer in time', { hangAfterWork: true }, sameKey, sameKey]
]

for (const [name, api, page, reversal] of faults) {
  t.test(`${name}: how a page and a reversal go on`, async (t) => {
    const { provider, control, setFaults } = await startPair(t, { timeoutMs: 1_500 })
    const { session } = await openPage(provider, newRequest())
    const { pspReference } = await control('POST', `/sessions/${session}/pay`, {})
    await setFaults(api)
    t.match(await provider.createHostedPage(newRequest()), page)
    t.match(await provider.requestOperation(reversalOf(pspReference)), reversal)
  })
}

t.test('after a lost answer the same key finds the page that was made', async (t) => {
  for (const api of [
    { truncate200: { times: 1 } },
    { emptyBody: { times: 1 } },
    { resetBeforeHeaders: { times: 1, afterWork: true } }
  ]) {
    const { provider, control, setFaults } = await startPair(t)
    await setFaults(api)
    const request = newRequest()
    t.match(await provider.createHostedPage(request), sameKey)
    t.match(await provider.createHostedPage(request), { outcome: 'done' })
    t.equal((await control('GET', '/sessions')).length, 1, 'one page was made')
  }
})

t.test('B3: a page that leads to a stranger is none', async (t) => {
  const request = newRequest()
  const answerWith = async (url: string) => {
    const answer = [201, { id: 'CS1', url, reference: request.paymentId }] as [number, object]
    return await (await startStub(t, () => answer)).createHostedPage(request)
  }
  t.match(await answerWith('https://test.adyen.link/CS1'), { outcome: 'done' })
  t.match(await answerWith('https:test.adyen.link/<CS1>'), {
    value: { url: 'https://test.adyen.link/%3CCS1%3E' }
  })
  t.match(await answerWith('https://evil.example/CS1'), {
    outcome: 'rejected',
    trouble: 'address_refused',
    said: 'https://evil.example/CS1'
  })
})

t.test('an answer without what makes a page leaves the outcome unknown', async (t) => {
  const request = newRequest()
  const whole = { id: 'CS1', url: 'https://test.adyen.link/CS1', reference: request.paymentId }
  const without = (field: string) =>
    Object.fromEntries(Object.entries(whole).filter(([name]) => name !== field))
  for (const body of [
    without('id'),
    without('url'),
    without('reference'),
    { ...whole, reference: 'pay_of_another' },
    { ...whole, id: 1 },
    { ...whole, url: null },
    { ...whole, expiresAt: 'never', amount: null },
    {},
    [],
    undefined
  ]) {
    const provider = await startStub(t, () => [201, body])
    const answer = await provider.createHostedPage(request)
    const isWhole = (body as { amount?: null } | undefined)?.amount === null
    t.match(answer, isWhole ? { outcome: 'done' } : sameKey, JSON.stringify(body))
  }
  const empty = await startStub(t, () => [204, undefined])
  t.match(await empty.createHostedPage(request), sameKey, 'without content')
})

t.test('what is asked about a payment goes to its own place, under its key', async (t) => {
  const { provider, control, lastRequest } = await startPair(t)
  const { session } = await openPage(provider, newRequest({ capture: 'manual' }))
  const { pspReference: authorisation } = await control('POST', `/sessions/${session}/pay`, {})
  const amount = { currency: 'GBP', value: 100 }
  const key = { key: 'x_1.operation.1', reference: 'x_1' }
  const paymentId = 'pay_0000000000000099'
  const asked: Array<[OperationRequest, string, object]> = [
    [
      { ...key, kind: 'capture', authorisationReference: authorisation, amount },
      'captures',
      { amount }
    ],
    [
      { ...key, kind: 'refund', authorisationReference: authorisation, amount },
      'refunds',
      { amount }
    ],
    [{ ...key, kind: 'reversal', authorisationReference: authorisation }, 'reversals', {}],
    [{ ...key, kind: 'cancellation', authorisationReference: authorisation }, 'cancels', {}],
    [
      { ...key, kind: 'cancellation', authorisationReference: null, paymentId },
      '',
      { paymentReference: paymentId }
    ]
  ]
  for (const [place, [base, name, more]] of asked.entries()) {
    const request = { ...base, key: `x_1.operation.${place}` }
    const answer = await provider.requestOperation(request)
    t.match(answer, { outcome: 'done', value: { reference: String } }, request.kind)
    const { path, body, headers } = await lastRequest()
    t.equal(path, name === '' ? '/v72/cancels' : `/v72/payments/${authorisation}/${name}`)
    t.same(body, { merchantAccount, reference: 'x_1', ...more })
    t.equal(headers['idempotency-key'], request.key)
    t.same(await provider.requestOperation(request), answer, 'the same key, the same answer')
  }
  t.match(await provider.requestOperation(reversalOf('NONE', 'rev_2.reversal.1')), rejected)
})

t.test('an amount is sent in Adyen’s minor units', async (t) => {
  const { provider, lastRequest } = await startPair(t)
  const amount = { currency: 'ISK', value: 100 }
  for (const kind of ['capture', 'refund'] as const) {
    await provider.requestOperation({
      key: kind,
      kind,
      reference: 'x',
      authorisationReference: 'NONE',
      amount
    })
    t.same((await lastRequest()).body.amount, { currency: 'ISK', value: 10_000 })
  }
})

t.test('an amount that Adyen’s minor units can not hold is never sent', async (t) => {
  const { provider, control } = await startPair(t)
  const amount = { currency: 'IDR', value: 150 }
  for (const kind of ['capture', 'refund'] as const) {
    const request = { key: kind, kind, reference: 'x', authorisationReference: 'NONE', amount }
    await t.rejects(provider.requestOperation(request), /can't express 150 IDR/)
  }
  await t.rejects(provider.createHostedPage(newRequest({ amount })), /can't express 150 IDR/)
  t.same(await control('GET', '/requests'), [])
})

t.test('a reversal without a reference in the answer is unknown', async (t) => {
  for (const [status, body] of [
    [201, {}],
    [201, { status: 'received' }],
    [201, { pspReference: 1 }],
    [204, undefined]
  ] as const) {
    const provider = await startStub(t, () => [status, body])
    t.match(await provider.requestOperation(reversalOf('PSP')), sameKey, JSON.stringify(body))
  }
})

t.test('what stands in a reference can not lead to another call', async (t) => {
  const urls: string[] = []
  const provider = await startStub(t, (_body, url) => {
    urls.push(url)
    return [201, { pspReference: 'MOD' }]
  })
  await provider.requestOperation(reversalOf('A/../B?c#d'))
  t.same(urls, ['/v72/payments/A%2F..%2FB%3Fc%23d/reversals'])
})

t.test('every call is told: its name, how it went, and its time', async (t) => {
  const calls: Array<{ operation: string; outcome: string; ms: number }> = []
  const { provider, setFaults } = await startPair(t, { onCall: (call) => calls.push(call) })
  await provider.createHostedPage(newRequest())
  await setFaults({ status4xx: { times: 1 } })
  await provider.createHostedPage(newRequest())
  await provider.requestOperation(reversalOf('NONE'))
  await provider.findPageResult('CS1', 'forged', 'pay_1', 2_000)
  t.same(
    calls.map(({ operation, outcome }) => [operation, outcome]),
    [
      ['sessions', 'done'],
      ['sessions', 'rejected'],
      ['reversals', 'rejected'],
      ['session_result', 'open']
    ]
  )
  t.ok(calls.every(({ ms }) => ms >= 0))
})

const specs = process.env.ADYEN_SPECS
const noSpecs = 'ADYEN_SPECS does not name the folder of Adyen’s OpenAPI files'

t.test(
  'every request is valid by Adyen’s own description',
  { skip: !specs && noSpecs },
  async (t) => {
    const text = await readFile(join(specs as string, 'CheckoutService-v72.json'), 'utf8')
    const ajv = addFormats.default(new Ajv2020({ strict: false, allErrors: true }))
    ajv.addSchema({ $id: 'adyen', ...JSON.parse(text) })
    const validatorOf = (name: string) => {
      const validate = ajv.getSchema(`adyen#/components/schemas/${name}`)
      if (validate === undefined) throw new Error(`no schema ${name}`)
      return validate
    }
    const session = validatorOf('CreateCheckoutSessionRequest')
    t.notOk(session({ merchantAccount }), 'the description itself refuses what lacks a field')

    const { provider, control, lastRequest } = await startPair(t)
    const customers: HostedPageRequest['customer'][] = [
      null,
      {},
      { reference: 'C-1' },
      { email: 'a@example.com' },
      { phone: '+44 20 7946 0958' },
      { locale: 'en-GB', countryCode: 'GB' },
      { reference: 'C', email: 'a@b.example', phone: '1', locale: 'nl-NL', countryCode: 'NL' }
    ]
    const metadata = [
      null,
      {},
      Object.fromEntries(
        Array.from({ length: 20 }, (_, place) => [`key-${place}`.padEnd(20, 'x'), 'y'.repeat(80)])
      )
    ]
    for (const capture of ['automatic', 'manual'] as const) {
      for (const saveCard of ['never', 'ask', 'always'] as const) {
        for (const customer of customers) {
          for (const pairs of metadata) {
            const request = newRequest({ capture, saveCard, customer, metadata: pairs })
            await openPage(provider, request)
            const { body } = await lastRequest()
            if (session(body)) continue
            t.fail(`${ajv.errorsText(session.errors)}: ${JSON.stringify(body)}`)
          }
        }
      }
    }
    t.pass('sessions, in all variations')

    const [{ id }] = await control('GET', '/sessions')
    const { pspReference } = await control('POST', `/sessions/${id}/pay`, {})
    const about = { key: 'k', reference: 'x_1', authorisationReference: pspReference } as const
    const amount = { currency: 'GBP', value: 100 }
    const modifications: Array<[string, OperationRequest]> = [
      ['PaymentReversalRequest', { ...about, kind: 'reversal' }],
      ['PaymentCaptureRequest', { ...about, kind: 'capture', amount }],
      ['PaymentRefundRequest', { ...about, kind: 'refund', amount }],
      ['PaymentCancelRequest', { ...about, kind: 'cancellation' }],
      [
        'StandalonePaymentCancelRequest',
        { ...about, kind: 'cancellation', authorisationReference: null, paymentId: 'pay_1' }
      ]
    ]
    for (const [name, request] of modifications) {
      t.match(await provider.requestOperation({ ...request, key: name }), { outcome: 'done' })
      const isValid = validatorOf(name)
      const { body } = await lastRequest()
      t.ok(isValid(body), `${name}: ${ajv.errorsText(isValid.errors)}`)
    }
  }
)

/** What is read of a page whose customer has come back. */
import t from 'tap'
import { type Json, newRequest, openPage, startPair, startStub } from './provider-pair.ts'

t.test('the result of a page', async (t) => {
  /** Ends a page and answers what its return would bring. */
  async function endedPage(
    { provider, control }: Awaited<ReturnType<typeof startPair>>,
    how: (session: string) => Promise<unknown>
  ) {
    const request = newRequest()
    const { session } = await openPage(provider, request)
    await how(session)
    const sessions = await control('GET', '/sessions')
    const { result, attempts } = sessions.find((one: Json) => one.id === session)
    return { session, request, attempts, result: result.sessionResult as string }
  }

  t.test('of a paid one is the money, by its reference', async (t) => {
    const pair = await startPair(t)
    const { session, request, result, attempts } = await endedPage(pair, (session) =>
      pair.control('POST', `/sessions/${session}/pay`, {})
    )
    const { paymentId, amount } = request
    t.match(await pair.provider.findPageResult(session, result, paymentId, 2_000), {
      outcome: 'paid',
      authorisationReference: attempts[0].pspReference,
      amount
    })
    const { path } = await pair.lastRequest()
    t.equal(path, `/v72/sessions/${session}?sessionResult=${result}`, 'sent as it is')
    t.match(
      await pair.provider.findPageResult(session, result, 'pay_of_another', 2_000),
      { outcome: 'open' },
      'for another payment it says nothing'
    )
    t.match(await pair.provider.findPageResult('CS-other', result, paymentId, 2_000), {
      outcome: 'open'
    })
    t.match(await pair.provider.findPageResult(session, 'forged', paymentId, 2_000), {
      outcome: 'open'
    })
  })

  t.test('of one that was refused too often is refused', async (t) => {
    const pair = await startPair(t)
    const { session, request, result } = await endedPage(pair, async (session) => {
      for (let attempt = 0; attempt < 5; attempt++) {
        await pair.control('POST', `/sessions/${session}/pay`, { holderName: 'DECLINED' })
      }
    })
    t.match(await pair.provider.findPageResult(session, result, request.paymentId, 2_000), {
      outcome: 'refused'
    })
  })

  t.test('of one that expired is open: its time ends it', async (t) => {
    const pair = await startPair(t)
    const { session, request, result } = await endedPage(pair, (session) =>
      pair.control('POST', `/sessions/${session}/expire`)
    )
    t.match(await pair.provider.findPageResult(session, result, request.paymentId, 2_000), {
      outcome: 'open'
    })
  })

  t.test('where Adyen fails is unknown, but for a definite no', async (t) => {
    const pair = await startPair(t, { timeoutMs: 400 })
    const { session, request, result } = await endedPage(pair, (session) =>
      pair.control('POST', `/sessions/${session}/pay`, {})
    )
    for (const api of [
      { status5xx: { times: 1 } },
      { status4xx: { times: 1 } },
      { html500: { times: 1 } },
      { truncate200: { times: 1 } },
      { emptyBody: { times: 1 } },
      // A kept connection that is reset is tried once more.
      { resetBeforeHeaders: { times: 2 } },
      { hangAfterWork: { times: 1 } }
    ]) {
      await pair.setFaults(api)
      t.match(
        await pair.provider.findPageResult(session, result, request.paymentId, 2_000),
        { outcome: 'status4xx' in api ? 'open' : 'unknown' },
        JSON.stringify(api)
      )
    }
    t.match(await pair.provider.findPageResult(session, result, request.paymentId, 2_000), {
      outcome: 'paid'
    })
  })

  const answerOf = (changes: object) => ({
    id: 'CS1',
    status: 'completed',
    reference: 'pay_1',
    payments: [
      { pspReference: 'PSP', resultCode: 'Authorised', amount: { currency: 'GBP', value: 2500 } }
    ],
    ...changes
  })
  const payment = answerOf({}).payments[0]
  const money = {
    outcome: 'paid',
    authorisationReference: 'PSP',
    amount: { currency: 'GBP', value: 2500 }
  }
  const by = (paymentMethod: unknown, more = {}) => ({
    payments: [{ ...payment, paymentMethod }],
    ...more
  })
  const typed = { ...money, card: null }
  const threeDOffered = { additionalData: { threeDOffered: 'true' } }
  const readings: ReadonlyArray<[name: string, changes: object, result: object]> = [
    ['completed', {}, { ...money, card: null, authentication: null }],
    ['by a card, of which the notification says more', by({ type: 'scheme', brand: 'mc' }), typed],
    [
      'by the card in a wallet',
      by({ type: 'applepay', brand: 'visa_applepay' }, threeDOffered),
      {
        ...money,
        card: { brand: 'visa', wallet: 'applepay', lastFour: null },
        authentication: { threeDSecure: 'attempted' }
      }
    ],
    [
      'by a wallet whose card has a brand of its own',
      by({ type: 'googlepay', brand: 'mc' }),
      { ...money, card: { brand: 'mc', wallet: 'googlepay' } }
    ],
    [
      'by a wallet that does not tell its card',
      by({ type: 'paywithgoogle' }),
      { ...money, card: { brand: null, wallet: 'googlepay' } }
    ],
    ['by what can’t be read', by('visa'), { ...money, card: null }],
    ['canceled', { status: 'canceled', payments: [] }, { outcome: 'cancelled' }],
    ['refused', { status: 'refused', payments: undefined }, { outcome: 'refused' }],
    ['expired', { status: 'expired', payments: [] }, { outcome: 'open' }],
    ['active', { status: 'active' }, { outcome: 'open' }],
    ['still pending', { status: 'paymentPending' }, { outcome: 'unknown' }],
    ['of a status unknown', { status: 'other' }, { outcome: 'open' }],
    ['of another session', { id: 'CS2' }, { outcome: 'open' }],
    ['without id', { id: undefined }, { outcome: 'open' }],
    ['of another payment', { reference: 'pay_2' }, { outcome: 'open' }],
    ['without reference', { reference: undefined }, { outcome: 'open' }],
    ['of another payment, cancelled', { reference: 'p', status: 'canceled' }, { outcome: 'open' }],
    ['without payments', { payments: undefined }, { outcome: 'unknown' }],
    ['with none', { payments: [] }, { outcome: 'unknown' }],
    [
      'received only',
      { payments: [{ ...payment, resultCode: 'Received' }] },
      { outcome: 'unknown' }
    ],
    ['without amount', { payments: [{ ...payment, amount: undefined }] }, { outcome: 'unknown' }],
    ['without psp', { payments: [{ ...payment, pspReference: '' }] }, { outcome: 'unknown' }],
    [
      'with an amount that is none of ours',
      { payments: [{ ...payment, amount: { currency: 'ISK', value: 101 } }] },
      { outcome: 'unknown' }
    ],
    [
      'with the second authorised',
      { payments: [{ ...payment, pspReference: 'X', resultCode: 'Pending' }, payment] },
      money
    ],
    [
      'in Adyen’s own minor units',
      { payments: [{ ...payment, amount: { currency: 'CLP', value: 150_000 } }] },
      { ...money, amount: { currency: 'CLP', value: 1500 } }
    ]
  ]
  for (const [name, changes, expected] of readings) {
    t.test(`${name}: ${Object.values(expected)[0]}`, async (t) => {
      const provider = await startStub(t, () => [200, answerOf(changes)])
      t.match(await provider.findPageResult('CS1', 'result', 'pay_1', 2_000), expected)
    })
  }

  t.test('a text that Adyen never writes is not sent on', async (t) => {
    let calls = 0
    const provider = await startStub(t, () => {
      calls += 1
      return [200, answerOf({})]
    })
    for (const text of [
      '',
      'a b',
      'a&status=completed',
      'a%2Fb',
      'a#b',
      'a\r\nx: y',
      'ü',
      'a'.repeat(8193)
    ]) {
      t.match(await provider.findPageResult('CS1', text, 'pay_1', 2_000), { outcome: 'open' })
    }
    t.equal(calls, 0)
    t.match(await provider.findPageResult('CS1', 'Ab0+/=!_.~-', 'pay_1', 2_000), money)
  })
})

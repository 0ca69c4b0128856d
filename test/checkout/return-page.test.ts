/** The page on which a customer ends whose payment has no returnUrl. */
import t from 'tap'
import { type PaymentStatus, statuses } from '../../src/payments/payment.ts'
import {
  chooseLocale,
  formatAmount,
  type Outcome,
  toOutcomePage,
  toReturnPage,
  words
} from '../../src/payments/return-page.ts'
import { testService } from '../test-service.ts'

const languages = Object.keys(words) as Array<keyof typeof words>
const thanks = /thank|dank|merci|gracias|diolch/i
const amount = { currency: 'GBP', value: 2500 }
const pageOf = (status: PaymentStatus, language: keyof typeof words, name: string | null = null) =>
  toReturnPage({ status, amount, amountCaptured: amount.value }, name, { language, tag: language })

t.test('G2: every status has words of its own in every language', async (t) => {
  const outcomes: Outcome[] = [...statuses, 'unknown', 'unavailable']
  for (const language of languages) {
    const { outcomes: known } = words[language]
    t.same(Object.keys(known).sort(), outcomes.toSorted(), language)
    const headings = outcomes.map((outcome) => known[outcome][0])
    t.equal(new Set(headings).size, outcomes.length, `${language}: no heading stands for two`)
    for (const status of statuses) {
      const page = pageOf(status, language)
      t.match(page, `<html lang="${language}">`)
      t.match(page, `<h1>${known[status][0]}</h1>`)
      t.equal(page.match(/<h1>/g)?.length, 1)
      t.match(page, formatAmount(amount, language))
      t.notMatch(page, /<script|<form|<img|undefined|null/)
    }
  }
  t.same(languages, ['en', 'de', 'fr', 'es', 'cy'])
})

t.test('G2: nobody is thanked but who has paid', async (t) => {
  for (const language of languages) {
    for (const status of statuses) {
      t.equal(thanks.test(pageOf(status, language)), status === 'captured', `${language} ${status}`)
    }
    for (const outcome of ['unknown', 'unavailable'] as const) {
      t.notMatch(toOutcomePage(outcome, { language, tag: language }), thanks)
    }
  }
})

t.test('G2: the name of the merchant is text', async (t) => {
  const page = pageOf('captured', 'en', `<b>"A" & 'B'</b>`)
  t.match(page, '<dd>&lt;b&gt;&quot;A&quot; &amp; &#39;B&#39;&lt;/b&gt;</dd>')
  t.notMatch(page, '<b>')
  t.notMatch(pageOf('captured', 'en'), 'Merchant')
})

t.test('G2: of a payment that was captured in part it is that part', async (t) => {
  const locale = { language: 'en', tag: 'en' } as const
  const payment = { status: 'captured', amount, amountCaptured: 1200 } as const
  const page = toReturnPage(payment, null, locale)
  t.match(page, '<dd>£12.00</dd>')
  t.notMatch(page, '25.00')
})

t.test('G2: the language is the one told of the customer, else the browser’s', async (t) => {
  const rows: Array<[told: string | undefined, accepted: string | undefined, tag: string]> = [
    ['de-AT', 'fr', 'de-AT'],
    ['cy', 'en-GB', 'cy'],
    ['pl-PL', 'fr-CH, fr;q=0.9, en;q=0.8', 'fr-CH'],
    [undefined, 'en;q=0.5, es-MX;q=0.9, *;q=0.1', 'es-MX'],
    [undefined, 'de;q=0, es', 'es'],
    [undefined, 'pl, it', 'en'],
    [undefined, 'constructor, __proto__, x;q=', 'en'],
    [undefined, undefined, 'en']
  ]
  for (const [told, accepted, tag] of rows) {
    t.same(chooseLocale(told, accepted), { language: tag.slice(0, 2), tag }, `${told}, ${accepted}`)
  }
})

t.test('G2: amounts are written as the country does, with the decimals of ISO 4217', async (t) => {
  const text = (currency: string, value: number, tag: string) =>
    formatAmount({ currency, value }, tag).replace(/\s/g, ' ')
  t.equal(text('GBP', 123_456, 'en-GB'), '£1,234.56')
  t.equal(text('EUR', 123_456, 'de'), '1.234,56 €')
  t.equal(text('CHF', 123_450, 'de-CH'), "CHF 1'234.50")
  t.equal(text('JPY', 1_234, 'en'), '¥1,234')
  t.equal(text('KWD', 1_234, 'en'), 'KWD 1.234')
  t.equal(text('ALL', 1_250, 'en'), 'ALL 12.50', 'where Intl writes none')
})

t.test('a browser that comes back', async (t) => {
  const service = await testService(t, { merchantName: 'Example Telecom', duplicateWindowS: 0 })
  const { call, control, createPayment, until, url } = service
  const html = { accept: 'text/html,*/*;q=0.8' }
  const open = async (path: string, headers = {}) =>
    await call('GET', path, { key: null, headers: { ...html, ...headers } })
  const link = { method: 'paymentLink', channel: 'ivr', returnUrl: undefined }

  await t.test('G2: from a link sees what came of it, as soon as that is known', async (t) => {
    const { id } = await createPayment({ ...link, customer: { locale: 'de-DE' } })
    const { body: links } = await control('GET', '/_simulator/links')
    const { request, id: linkId } = links.at(-1)
    t.equal(request.returnUrl, `${url}/return/${id}`, 'the button of the page of the link')
    await control('PUT', '/_simulator/faults', { webhooks: { delayMs: { ms: 300, times: 1 } } })
    await control('POST', `/_simulator/links/${linkId}/pay`)
    const page = await open(`/return/${id}`, { 'accept-language': 'fr' })
    t.equal(page.status, 200)
    t.match(page.text, `<h1>${words.de.outcomes.captured[0]}</h1>`)
    t.match(page.text, /25,00\s€|25,00\s£/)
    t.match(page.text, 'Example Telecom')
    t.match(page.headers.get('content-type'), 'text/html')
    t.equal(page.headers.get('cache-control'), 'no-store')
    t.equal(page.headers.get('x-robots-tag'), 'noindex')
    const policy = String(page.headers.get('content-security-policy'))
    t.match(policy, /^default-src 'none'; style-src 'sha256-[\w+/=]+'; base-uri 'none'; /)
    t.notMatch(policy, /unsafe|script/)
    for (const secret of [id, linkId, 'pay_', '1111']) t.notMatch(page.text, secret)
  })

  await t.test('G2: is told nothing final while nothing is known', async (t) => {
    const { id } = await createPayment(link)
    const page = await open(`/return/${id}`)
    t.match(page.text, `<h1>${words.en.outcomes.pending[0]}</h1>`)
    t.match(page.text, '<a href="?">')
    await call('POST', `/v1/payments/${id}/cancellation`, { idempotencyKey: id, body: {} })
    await until(id, ({ status }) => status === 'cancelled')
    const { text } = await open(`/return/${id}`, { 'accept-language': 'cy' })
    t.match(text, `<h1>${words.cy.outcomes.cancelled[0]}</h1>`)
  })

  await t.test('G2: to another id, or one that has no page, is shown nothing', async (t) => {
    const { id } = await createPayment(link)
    const accountId = '10009999'
    await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
    const recorded = await call('POST', '/v1/recorded-payments', {
      body: {
        ...{ accountId, amount, channel: 'ivr', outcome: 'captured' },
        ...{ processor: { name: 'other', reference: '1' }, takenAt: new Date().toISOString() }
      }
    })
    t.equal(recorded.status, 201)
    const other = `${id.slice(0, -1)}${id.endsWith('0') ? '1' : '0'}`
    for (const unknown of [other, recorded.body.id, 'reg_0', 'x', '%3Cb%3E']) {
      const page = await open(`/return/${unknown}`, { 'accept-language': 'es' })
      t.equal(page.status, 404, unknown)
      t.match(page.text, `<h1>${words.es.outcomes.unknown[0]}</h1>`)
      t.notMatch(page.text, /<dl>|25[.,]00|Telecom/)
      const { body } = await call('GET', `/return/${unknown}`, { key: null })
      t.match(body.code, /_not_found$/, 'a program gets a problem')
    }
  })

  await t.test('G2: reads neutral words where the service can say nothing now', async (t) => {
    const limited = await testService(t, { rateLimit: 1 })
    const statusOf = async () =>
      await limited.call('GET', '/return/x', { headers: html, key: null })
    await statusOf()
    const page = await statusOf()
    t.equal(page.status, 429)
    t.match(page.text, `<h1>${words.en.outcomes.unavailable[0]}</h1>`)
  })
})

/** The customer's page over HTTP: it needs no script. */
import t from 'tap'
import { createClient } from '../../clients/typescript/src/index.ts'
import { startSelfcare } from '../../examples/selfcare/selfcare.ts'
import { gbp, startJourney } from '../journeys/journey.ts'
import { hidden, untilShown, visitor } from './visitor.ts'

t.test('a customer pays, comes back, and pays with the saved card', async (t) => {
  const service = await startJourney(t)
  const { key, control } = service
  const api = createClient({ baseUrl: service.url, key })
  const { accountId } = await service.openAccount({ JAN: 2_500, FEB: 1_700 })
  const page = await startSelfcare({ port: 0, api, accountId })
  t.teardown(page.close)
  const seen: string[] = []
  const customer = visitor(page.url, seen)
  const leadsTo = ({ html }: { html: string }) => /content="0;url=([^"]+)"/.exec(html)?.[1] ?? ''

  t.match((await customer.go('/')).html, `value="${accountId}"`)
  const home = await customer.go('/sign-in', { account: accountId })
  t.match(home.html, '<dt>You owe</dt><dd>£42.00</dd>')
  const form = { key: hidden(home, 'key'), card: 'new' }
  const wrong = await customer.go('/pay', { ...form, amount: 'other', other: '-3' })
  t.match(wrong, { status: 422, html: '<a href="#other">' })
  t.match(wrong.html, 'value="-3"')
  t.equal((await customer.go('/pay', { ...form, amount: 'other', other: '12,50' })).status, 422)

  const sent = await customer.go('/pay', { ...form, amount: 'other', other: '20' })
  t.match(sent, { status: 200, path: /\?go$/ }, 'a form leads to no other site by itself')
  t.match(leadsTo(sent), service.simulatorUrl)
  const session = leadsTo(sent).split('/').at(-1)
  await control('POST', `/_simulator/sessions/${session}/pay`, { holderName: 'DECLINED' })
  const id = sent.path.split(/[/?]/)[2]
  const back = await customer.go(`/back?paymentId=${id}`)
  t.match(back.html, 'Back to the card page')
  t.match(leadsTo(back), `/payments/${id}?wait=2`, 'asks again while nothing is known')
  const waiting = customer.go(leadsTo(back))
  await control('POST', `/_simulator/sessions/${session}/pay`, { consents: true })
  const paid = await waiting
  t.match(paid.html, 'Thank you. Your payment is complete.')
  t.equal(leadsTo(paid), '', 'and no more')
  t.match(paid.html, '£20.00')

  await service.untilCards(accountId, ({ length }) => length === 1)
  const next = await customer.go('/')
  t.match(next.html, '<dt>You owe</dt><dd>£22.00</dd>')
  const [, card = ''] = /value="(crd_\w+)"/.exec(next.html) ?? []
  const again = { key: hidden(next, 'key'), card, amount: '22.00' }
  const { path } = await customer.go('/pay', again)
  t.match((await untilShown(() => customer.go(path), /Paid/)).html, 'Visa ending 1111')
  t.equal((await customer.go('/pay', again)).path, path, 'sent twice, paid once')
  const twice = await customer.go('/pay', { ...again, key: crypto.randomUUID() })
  t.match(twice, { status: 422, html: 'See that payment' })

  const refund = { amount: gbp(2_000), reason: 'goodwill' }
  await service.post(`/v1/payments/${id}/refunds`, refund, 202)
  const refunded = await untilShown(() => customer.go(`/payments/${id}`), /went back to your card/)
  t.match(refunded.html, /<dt>Went back<\/dt><dd>£20.00/)
  t.notMatch(refunded.html, 'Thank you')

  t.match(leadsTo(await customer.go('/cards', {})), service.simulatorUrl)
  t.match((await customer.go(`/cards/${card}/removal`, {})).html, 'You have saved no card.')

  const stranger = visitor(page.url, seen)
  const { accountId: other } = await service.openAccount()
  await stranger.go('/sign-in', { account: other })
  t.equal((await stranger.go(`/payments/${id}`)).status, 404, 'a payment of somebody else')
  t.equal((await stranger.go('/pay', again, { 'sec-fetch-site': 'cross-site' })).status, 403)
  t.notOk(seen.some((text) => text.includes(key)))
})

t.test('what Adyen has refused is asked for anew when the form is sent again', async (t) => {
  const service = await startJourney(t)
  const api = createClient({ baseUrl: service.url, key: service.key })
  const { accountId } = await service.openAccount({ JAN: 2_500 })
  const page = await startSelfcare({ port: 0, api, accountId })
  t.teardown(page.close)
  const customer = visitor(page.url)
  const home = await customer.go('/sign-in', { account: accountId })
  await service.control('PUT', '/_simulator/faults', { api: { status4xx: { times: 1 } } })
  const form = { card: 'new', amount: '25.00' }
  const refused = await customer.go('/pay', { ...form, key: hidden(home, 'key') })
  t.match(refused, { status: 422, html: 'See that payment' })
  const again = await customer.go('/pay', { ...form, key: hidden(refused, 'key') })
  t.match(again, { status: 200, path: /\?go$/ })
})

/** The desk over HTTP, as people without script see it. */
import t from 'tap'
import { createClient } from '../../clients/typescript/src/index.ts'
import { startDesk } from '../../examples/desk/desk.ts'
import { gbp, startJourney } from '../journeys/journey.ts'
import { hidden, untilShown, visitor } from './visitor.ts'

t.test('the desk', async (t) => {
  const service = await startJourney(t, { refundApprovalAbove: 2_000, duplicateWindowS: 600 })
  const { key, control, createPayment, pay, until } = service
  const desk = await startDesk({ port: 0, api: createClient({ baseUrl: service.url, key }) })
  t.teardown(desk.close)
  const seen: string[] = []
  const signIn = async (name: string) => {
    const person = visitor(desk.url, seen)
    await person.go('/sign-in', { name, to: '/' })
    return person
  }
  const agent = await signIn('agent-7')
  const supervisor = await signIn('supervisor-2')

  t.test('asks who is there, and takes no form of another site', async (t) => {
    const stranger = visitor(desk.url, seen)
    const asked = await stranger.go('/accounts/10000001?cursor=x')
    t.equal(asked.path, '/sign-in?to=%2Faccounts%2F10000001%3Fcursor%3Dx')
    t.match(asked.html, 'An example: the name is believed.')
    t.equal((await stranger.go('/sign-in', { name: ' ' })).status, 422)
    for (const to of [
      '//evil.example',
      '/\t/evil.example',
      '/\\evil.example',
      'https:evil.example'
    ]) {
      t.equal((await stranger.go('/sign-in', { name: 'x', to })).path, '/', to)
    }
    const odd = await stranger.go('/sign-in', { name: 'x', to: '/.//evil.example' })
    t.equal(odd.path, '/evil.example')
    t.equal((await stranger.go('/sign-in', { name: 'x', to: '/?q=a' })).path, '/?q=a')
    const form = { name: 'x' }
    const evil = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
    t.equal((await agent.go('/sign-out', form, evil)).status, 403)
    t.equal((await agent.go('/')).path, '/', 'still signed in')
    const head = await fetch(`${desk.url}/`, { redirect: 'manual' })
    t.match(head.headers.get('content-security-policy'), /^default-src 'none'.*form-action 'self'/)
    t.match(agent.cookie(), /^desk=/)
    t.equal((await agent.go('/nowhere')).status, 404)
  })

  t.test('finds by account, payment, reference, last four and PSP reference', async (t) => {
    const { id, accountId } = await createPayment({ reference: 'basket-<b>' })
    await pay(id)
    const paid = await until(id, ({ card }) => card !== null)
    t.equal((await agent.go(`/?q=${accountId}`)).path, `/accounts/${accountId}`)
    t.equal((await agent.go(`/?q=${id}`)).path, `/payments/${id}`)
    for (const asked of ['basket-%3Cb%3E', '1111', paid.provider.reference]) {
      const { html } = await agent.go(`/?q=${asked}`)
      t.match(html, `<a href="/payments/${id}">basket-&lt;b&gt;</a>`)
      t.notMatch(html, '<b>basket')
    }
    t.match((await agent.go('/?q=nothing-has-it')).html, 'No payment has that.')
    t.match((await agent.go('/?status=refused')).html, 'There is none yet.')
    t.equal((await agent.go('/payments/pay_unknown')).status, 404)
  })

  t.test('takes a payment by link; says what is missing, and warns of a second one', async (t) => {
    const { accountId, charges } = await service.openAccount({ JAN: 2_500 })
    const wizard = `/accounts/${accountId}/pay`
    t.match((await agent.go(wizard)).html, /value="25.00"[^>]* checked/)
    const wrong = await agent.go(`${wizard}?step=2&amount=other&other=2,5,0.505`)
    t.match(wrong, { status: 422, html: '<a href="#other">' })
    t.match(wrong.html, /aria-invalid="true"\s+aria-describedby="other-fault"/)
    t.match((await agent.go(`${wizard}?step=3&amount=25.00`)).html, '<a href="#card">')
    const last = await agent.go(`${wizard}?step=3&amount=25.00&card=link`)
    const chosen = { amount: '25.00', card: 'link', key: hidden(last, 'key') }
    t.match((await agent.go(wizard, chosen)).html, '<a href="#reason">')
    const made = await agent.go(wizard, { ...chosen, reason: 'caller' })
    t.match(made.html, 'Send this link to the caller by text')
    const again = await agent.go(wizard, { ...chosen, reason: 'caller' })
    t.equal(again.path, made.path, 'sent twice, made once')
    const warned = await agent.go(wizard, { ...chosen, reason: 'caller', key: crypto.randomUUID() })
    t.match(warned, { status: 422, html: `<a href="${made.path}">See that payment</a>` })
    t.not(hidden(warned, 'key'), chosen.key)
    t.match(warned.html, 'name="again"')

    await control('POST', '/_simulator/links/last/pay')
    const paid = await untilShown(() => agent.go(made.path), /Captured/)
    t.match(paid.html, /Paid. Tell the caller/)
    t.match(paid.html, /agent-7<br><small>caller/)
    t.match(paid.html, /<b>Payment captured<\/b>[\s\S]*<b>Payment created<\/b>/)
    const account = await agent.go(`/accounts/${accountId}`)
    t.match(account.html, '<dt>Owes</dt><dd>£0.00</dd>')
    t.match(account.html, 'JAN')
    t.ok(charges.JAN)
  })

  t.test('charges a registered card', async (t) => {
    const { accountId } = await service.openAccount({ JAN: 1_700 })
    const { id } = await createPayment({ accountId, amount: gbp(100), saveCard: 'always' })
    await pay(id)
    const [card] = await service.untilCards(accountId, ({ length }) => length === 1)
    const wizard = `/accounts/${accountId}/pay`
    const last = await agent.go(`${wizard}?step=3&amount=16.00&card=${card.id}`)
    t.match(last.html, 'Charge £16.00 now')
    const chosen = { amount: '16.00', card: card.id, key: hidden(last, 'key'), reason: 'caller' }
    const made = await agent.go(wizard, chosen)
    t.match((await untilShown(() => agent.go(made.path), /Captured/)).html, 'Visa ending 1111')
  })

  t.test('refunds with a second person', async (t) => {
    const payment = await createPayment({ amount: gbp(3_000) })
    await pay(payment.id)
    const path = `/payments/${payment.id}`
    const shown = await untilShown(() => agent.go(path), /Ask for the refund/)
    const form = { key: hidden(shown, 'key'), refundable: '3000', 'refund-reason': 'paid twice' }
    const wrong = await agent.go(`${path}/refund`, { ...form, 'refund-amount': 'all' })
    t.match(wrong, { status: 422, html: '<details open>' })
    t.match(wrong.html, '<a href="#refund-amount">')
    t.match(wrong.html, /value="all"[\s\S]*value="paid twice"/, 'what was typed stands')
    const more = await agent.go(`${path}/refund`, { ...form, 'refund-amount': '31' })
    t.equal(more.status, 422)
    const next = { ...form, key: crypto.randomUUID(), 'refund-amount': '30.00' }
    const asked = await agent.go(`${path}/refund`, next)
    t.match(asked.html, 'Somebody else must approve it')
    const list = await untilShown(() => supervisor.go('/approvals'), new RegExp(payment.id))
    const [, refundId] = /action="\/refunds\/(\w+)\/approval"/.exec(list.html) ?? []
    const approve = { payment: payment.id, key: hidden(list, 'key') }
    const own = await agent.go(`/refunds/${refundId}/approval`, approve)
    t.match(own, { status: 422, html: 'role="alert"' }, 'the service refuses it as well')
    await supervisor.go(`/refunds/${refundId}/approval`, approve)
    const twice = await supervisor.go(`/refunds/${refundId}/approval`, approve)
    t.equal(twice.status, 200, 'sent twice, approved once')
    t.match((await untilShown(() => agent.go(path), /Succeeded/)).html, 'supervisor-2')
    await untilShown(() => supervisor.go('/approvals'), /No refund waits/)
  })

  t.test('refunds once where the answer was lost, and the form is sent again', async (t) => {
    let isLost = true
    const send = async (request: Request) => {
      const answer = await fetch(request)
      if (!isLost || request.method !== 'POST') return answer
      await answer.body?.cancel()
      throw new Error('lost')
    }
    const api = createClient({ baseUrl: service.url, key, fetch: send, retries: 0 })
    const other = await startDesk({ port: 0, api })
    t.teardown(other.close)
    const person = visitor(other.url, seen)
    await person.go('/sign-in', { name: 'agent-7', to: '/' })
    const { id } = await createPayment({ amount: gbp(3_000) })
    await pay(id)
    const action = `/payments/${id}/refund`
    const shown = await untilShown(() => person.go(`/payments/${id}`), /Ask for the refund/)
    const formOf = (page: typeof shown) => {
      const [key, refundable] = [hidden(page, 'key'), hidden(page, 'refundable')]
      return { key, refundable, 'refund-amount': '5', 'refund-reason': 'paid too much' }
    }
    const lost = await person.go(action, formOf(shown))
    t.match(lost, { status: 422, html: 'No answer came' })
    t.same(formOf(lost), formOf(shown), 'the form is the same request')
    isLost = false
    t.equal((await person.go(action, formOf(lost))).status, 200)
    const { data } = await api.get('/v1/payments/{id}/refunds', { path: { id } })
    t.equal(data.length, 1)
    const wrong = await person.go(action, { ...formOf(lost), 'refund-amount': '6' })
    t.match(wrong, { status: 422, html: 'The first request with this key was another one' })
    t.not(hidden(wrong, 'key'), hidden(lost, 'key'))
    t.equal(hidden(wrong, 'refundable'), '2500')
  })

  t.test('captures a part, and cancels', async (t) => {
    const { id } = await createPayment({ amount: gbp(2_000), capture: 'manual' })
    await pay(id)
    const shown = await untilShown(() => agent.go(`/payments/${id}`), /Authorised/)
    const key = hidden(shown, 'key')
    await agent.go(`/payments/${id}/capture`, { key, 'capture-amount': '12.50' })
    await untilShown(() => agent.go(`/payments/${id}`), /<dt>Captured<\/dt><dd>£12.50/)
    const other = await createPayment()
    const open = await agent.go(`/payments/${other.id}`)
    t.match(open.html, `<noscript><meta http-equiv="refresh"`)
    const reason = { key: hidden(open, 'key'), 'cancel-reason': 'hung up' }
    await agent.go(`/payments/${other.id}/cancel`, reason)
    const ended = await untilShown(() => agent.go(`/payments/${other.id}?wait`), /Cancelled/)
    t.match(ended.html, 'hung up (agent-7)')

    const longest = await signIn('n'.repeat(80))
    const last = await createPayment()
    const form = { key: crypto.randomUUID(), 'cancel-reason': 'r'.repeat(200) }
    const taken = await longest.go(`/payments/${last.id}/cancel`, form)
    t.equal(taken.status, 200, 'whatever a name and a reason may be, both have room')
  })

  t.test('shows disputes, and resolves a discrepancy', async (t) => {
    const { id } = await createPayment()
    await pay(id)
    await until(id, ({ status }) => status === 'captured')
    const letter = { eventCode: 'NOTIFICATION_OF_CHARGEBACK' }
    await control('POST', '/_simulator/payments/last/dispute', letter)
    const open = await untilShown(() => agent.go(`/payments/${id}`), /Nothing is refunded while/)
    t.notMatch(open.html, 'Ask for the refund')
    await control('POST', '/_simulator/payments/last/dispute', { eventCode: 'CHARGEBACK' })
    const fraud = { eventCode: 'NOTIFICATION_OF_FRAUD' }
    await control('POST', '/_simulator/payments/last/dispute', fraud)
    const shown = await untilShown(
      () => agent.go(`/payments/${id}`),
      /^(?=[\s\S]*href="\/discrepancies\/\w)[\s\S]*charged back[\s\S]*Fraud reported/
    )
    t.match(shown.html, 'The account shows what is owed now.')
    t.notMatch(shown.html, 'no second payment is needed')
    const [, path = ''] = /href="(\/discrepancies\/\w+)"/.exec(shown.html) ?? []
    t.match((await agent.go('/discrepancies')).html, path)
    t.match((await agent.go('/disputes')).html, `<a href="/payments/${id}">`)
    t.match((await agent.go(`/payments/${id}/receipt`)).html, '£25.00')
    t.match((await agent.go(path, { reason: 'seen' })).html, '<a href="#resolution">')
    const done = await agent.go(path, { resolution: 'acknowledged', reason: 'seen', key: 'a' })
    t.match(done, { status: 200, html: 'Resolved' })
  })

  t.test('puts a charge in query; shows what was not delivered, and sends it again', async (t) => {
    const { accountId, charges } = await service.openAccount({ JAN: 900 })
    const action = `/accounts/${accountId}/charges/${charges.JAN}`
    t.match((await agent.go(action, { inQuery: 'true' })).html, 'End the query')
    const body = { url: 'http://127.0.0.1:9/hook', events: ['*'] }
    await service.post('/v1/webhook-endpoints', body, 201)
    await createPayment()
    const list = await untilShown(() => agent.go('/webhooks'), /Send it again/)
    const [, retry = ''] = /action="(\/deliveries\/\w+\/retry)"/.exec(list.html) ?? []
    t.match(await agent.go(retry, {}), { status: 200, path: '/webhooks' })
  })

  t.test('tells a browser at once what happens to what it shows', async (t) => {
    const stop = new AbortController()
    /** What a page about this has been told so far. */
    const listen = async (about: string) => {
      const { body } = await fetch(`${desk.url}/live?about=${about}`, {
        headers: { cookie: agent.cookie() },
        signal: stop.signal
      })
      let told = ''
      const keep = async () => {
        for await (const text of body?.pipeThrough(new TextDecoderStream()) ?? []) told += text
      }
      keep().catch(() => {})
      return async (changes: number) => {
        const giveUpAt = Date.now() + 10_000
        while (told.split('changed\n\n').length <= changes && Date.now() < giveUpAt) {
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
        return told
      }
    }
    const { accountId } = await service.openAccount()
    const ofAccount = await listen(accountId)
    const { id } = await createPayment({ accountId })
    // Once its account was told, the desk has read that it was created.
    await ofAccount(1)
    const ofPayment = await listen(id)
    const ofAccountAfter = await listen(accountId)
    for (let other = 0; other < 3; other++) {
      const { accountId: its } = await service.openAccount()
      const ofOther = await listen(its)
      await createPayment({ accountId: its })
      await ofOther(1)
    }
    await pay(id)
    const whole = ': here\n\ndata: changed\n\n'
    t.equal(await ofAccountAfter(1), whole)
    t.equal(await ofPayment(1), whole)
    stop.abort()
  })

  t.test('its key is on no page', async (t) => {
    t.ok(seen.length > 50)
    t.notOk(seen.some((text) => text.includes(key)))
  })
})

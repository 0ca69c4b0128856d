/** The IVR of examples/ivr, as a process, with a caller at its keys. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { startJourney } from '../journeys/journey.ts'
import { registerCard } from '../registered-card.ts'
import { losingAnswers } from './losing-answers.ts'

const program = 'examples/ivr/ivr.ts'

/** Calls; `press` is typed as the call goes on, the arguments at once. */
function call(t: Test, env: Record<string, string>, ...keys: string[]) {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', program, ...keys],
    {
      env: { ...env, PATH: process.env.PATH },
      stdio: ['pipe', 'pipe', 'inherit']
    }
  )
  t.teardown(() => child.kill('SIGKILL'))
  let heard = ''
  child.stdout.setEncoding('utf8').on('data', (text) => (heard += text))
  const ended = once(child, 'exit')
  return {
    press: (key: string) => child.stdin.write(`${key}\n`),
    hangUp: () => child.stdin.end(),
    /** What was heard up to and with these words. */
    async hear(words: RegExp | string): Promise<string> {
      for (const giveUpAt = Date.now() + 15_000; Date.now() < giveUpAt; ) {
        const found = typeof words === 'string' ? heard.includes(words) : words.test(heard)
        if (found) return heard
        await Promise.race([
          once(child.stdout, 'data'),
          new Promise((done) => setTimeout(done, 50))
        ])
      }
      throw new Error(`${words} was not said:\n${heard}`)
    },
    async end() {
      const [code] = await ended
      return { code, heard }
    }
  }
}

t.test('callers of the IVR', async (t) => {
  const service = await startJourney(t, { adyenTimeoutMs: 400 })
  const { url: API_URL, key: API_KEY, openAccount, control, balanceOf, list } = service
  const env = { API_URL, API_KEY }
  const payLink = (body = {}) => control('POST', '/_simulator/links/last/pay', body)
  const answer = (password: string) =>
    control('POST', '/_simulator/challenges/last/answer', { password })
  const accountWithCard = async (changes = {}) => {
    // What the card was registered with pays the first.
    const { accountId } = await openAccount({ JAN: 2500, FEB: 3100 })
    await registerCard(service, accountId, changes)
    return accountId
  }

  t.test('by a link: what is refused is read out, and then it is paid', async (t) => {
    const { accountId } = await openAccount({ JAN: 2500 })
    const caller = call(t, env, '999', accountId)
    await caller.hear('We have no account of that number.')
    await caller.hear('You owe £25.00, of which £25.00 is overdue.')
    caller.press('1')
    await caller.hear(/SMS {3}Pay £25\.00 here: http:\S+\/link\/\S+/)
    await payLink({ holderName: 'NOT_ENOUGH_BALANCE' })
    await caller.hear('The card does not have enough funds. Please try another card. The link')
    await payLink()
    const { code, heard } = await caller.end()
    t.match(heard, 'Thank you: £25.00 is paid. You owe nothing.')
    t.equal(code, 0)
    t.match(await balanceOf(accountId), { outstanding: 0 })
  })

  t.test('who hangs up and calls again is texted the same link', async (t) => {
    const { accountId } = await openAccount({ JAN: 2600 })
    const linkOf = (heard: string) => /SMS.*(http\S+)/.exec(heard)?.[1]
    const first = call(t, env, accountId, '1')
    const link = linkOf(await first.hear('SMS'))
    first.hangUp()
    t.match(await first.end(), { code: 0, heard: /hung up/ })
    const second = call(t, { ...env, HOLD_MS: '1' }, accountId, '1')
    const { heard } = await second.end()
    t.equal(linkOf(heard), link)
    t.match(heard, 'We do not know yet. Please do not pay again')
    t.equal((await list(`/v1/payments?accountId=${accountId}`)).length, 1)
  })

  t.test('by the card on file', async (t) => {
    const accountId = await accountWithCard()
    const { heard } = await call(t, env, accountId, '2').end()
    t.match(heard, 'Press 2 to pay with your visa ending in 1 1 1 1.')
    t.match(heard, 'Thank you: £31.00 is paid. You owe nothing.')
  })

  t.test('refused, another way is offered', async (t) => {
    const accountId = await accountWithCard({ holderName: 'NOT_ENOUGH_BALANCE' })
    const caller = call(t, env, accountId, '2')
    const menu = 'Press 1 for a link by text message.\n'
    t.match(await caller.hear(menu), 'The card does not have enough funds.')
    caller.press('1')
    await caller.hear('SMS')
    await payLink()
    t.match((await caller.end()).heard, 'Thank you: £31.00 is paid.')
  })

  t.test('3-D Secure is done on the phone while the caller holds', async (t) => {
    const accountId = await accountWithCard({ challenge: true })
    const caller = call(t, env, accountId, '2')
    await caller.hear('Your bank asks you to confirm this payment.')
    await caller.hear(/SMS.*\/challenge\//)
    const { redirect } = (await answer('password')).body
    await fetch(redirect)
    t.match((await caller.end()).heard, 'Thank you: £31.00 is paid.')
  })

  t.test('who hangs up before 3-D Secure has it cancelled', async (t) => {
    const accountId = await accountWithCard({ challenge: true })
    const caller = call(t, env, accountId, '2')
    await caller.hear('SMS')
    caller.hangUp()
    t.match(await caller.end(), { code: 0, heard: /is cancelled/ })
    const [payment] = await list(`/v1/payments?accountId=${accountId}`)
    await service.until(payment.id, ({ status }) => status === 'cancelled')
  })

  t.test('whose card may have been charged is not asked to call again', async (t) => {
    const accountId = await accountWithCard()
    const lost = { ...env, API_URL: await losingAnswers(t, API_URL, '/v1/payments') }
    const { heard, code } = await call(t, lost, accountId, '2').end()
    t.match(heard, 'We do not know yet. Please do not pay again: we will tell you by text message.')
    t.notMatch(heard, 'call again')
    t.equal(code, 1)
    await service.until(
      (await list(`/v1/payments?accountId=${accountId}`))[0].id,
      ({ status }) => status === 'captured'
    )
    const { accountId: other } = await openAccount({ JAN: 2700 })
    const link = await call(t, lost, other, '1').end()
    t.match(link.heard, 'We cannot take your payment at the moment.', 'nobody has the link')
  })

  t.test('while the bank does not answer, nobody is asked to pay twice', async (t) => {
    const accountId = await accountWithCard()
    await control('PUT', '/_simulator/faults', {
      api: { hangAfterWork: { ms: 2_000, path: 'POST /v72/payments$', times: 1 } },
      webhooks: { delayMs: 600_000 }
    })
    const { heard } = await call(t, { ...env, HOLD_MS: '300' }, accountId, '2').end()
    t.match(heard, 'We do not know yet. Please do not pay again: we will tell you by text message.')
    const [payment] = await list(`/v1/payments?accountId=${accountId}`)
    t.equal(payment.status, 'pending')
  })
})

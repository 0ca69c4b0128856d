/** The desk and the selfcare page in Chromium: by keyboard alone, and as axe sees them. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import t from 'tap'
import { createClient } from '../../clients/typescript/src/index.ts'
import { startDesk } from '../../examples/desk/desk.ts'
import { startSelfcare } from '../../examples/selfcare/selfcare.ts'
import { look, openBrowser, skip } from '../journeys/browser.ts'
import { startJourney } from '../journeys/journey.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
type Violation = { id: string; impact: string; nodes: { html: string }[] }

/** What axe finds serious or critical, in words. */
async function faultsOn(page: Page): Promise<string[]> {
  const { violations }: { violations: Violation[] } = await page.evaluate(
    `${axe}; axe.run({ resultTypes: ['violations'] })`
  )
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)
}

/** Presses Tab until what has the focus is called so. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press('Tab')
    const here: string = await page.evaluate(`(() => {
      const { innerText, labels, id } = document.activeElement
      return [innerText, labels?.[0]?.innerText, id].join(' ')
    })()`)
    if (here.includes(name)) return
  }
  throw new Error(`No way to ${name} by keyboard on ${page.url()}`)
}

t.test('in a browser: the desk and the selfcare page', { skip }, async (t) => {
  const service = await startJourney(t, { refundApprovalAbove: 1_000, duplicateWindowS: 0 })
  const { key, control, createPayment, pay, until } = service
  const api = createClient({ baseUrl: service.url, key })
  const { accountId } = await service.openAccount({ JAN: 2_500, FEB: 1_700 })
  const desk = await startDesk({ port: 0, api })
  t.teardown(desk.close)
  const selfcare = await startSelfcare({ port: 0, api, accountId })
  t.teardown(selfcare.close)
  const browser = await openBrowser(t)
  const faults: string[] = []

  async function open(options: object): Promise<Page> {
    const page = await (await browser.newContext({ ...options, bypassCSP: true })).newPage()
    page.on('pageerror', (error) => faults.push(error.message))
    return page
  }

  await t.test('takes a payment by keyboard alone, and sees it paid without asking', async (t) => {
    const page = await open({ viewport: { width: 1280, height: 900 } })
    const { keyboard } = page
    await page.goto(desk.url)
    await tabTo(page, 'Your name')
    await keyboard.type('agent-7')
    await keyboard.press('Enter')
    await page.waitForURL(`${desk.url}/`)
    await keyboard.press('Tab')
    await keyboard.press('Enter')
    await tabTo(page, 'Search')
    await keyboard.type(accountId)
    await keyboard.press('Enter')
    await page.waitForURL(`**/accounts/${accountId}`)
    await tabTo(page, 'Take a payment')
    await keyboard.press('Enter')
    await page.waitForURL('**/pay')
    await tabTo(page, 'All that is owed')
    await keyboard.press('ArrowUp')
    await tabTo(page, 'Another amount, in GBP')
    await keyboard.type('12.34')
    await keyboard.press('Enter')
    await page.waitForURL('**/pay?*step=2*')
    await tabTo(page, 'A link, sent by text')
    await keyboard.press('Space')
    await keyboard.press('Enter')
    await page.waitForURL('**/pay?*step=3*')
    await tabTo(page, 'Why you act')
    await keyboard.type('caller')
    await keyboard.press('Enter')
    await page.waitForURL('**/payments/pay_*')
    t.match(await page.textContent('[role=status]'), 'Nothing is final yet.')
    await control('POST', '/_simulator/links/last/pay')
    await page.getByRole('status').getByText('Paid.').waitFor({ timeout: 10_000 })
    await tabTo(page, 'Refund')
    await keyboard.press('Enter')
    await tabTo(page, 'Reason')
    await keyboard.type('paid too much')
    await keyboard.press('Enter')
    await page.getByText('Somebody else must approve it').waitFor()
    t.match(await page.textContent('h1'), '£12.34')
  })

  const { id } = await createPayment({ accountId, saveCard: 'always' })
  await pay(id)
  await until(id, ({ status }) => status === 'captured')
  const fraud = { eventCode: 'NOTIFICATION_OF_FRAUD' }
  await control('POST', '/_simulator/payments/last/dispute', fraud)
  await control('POST', '/_simulator/payments/last/dispute', { eventCode: 'CHARGEBACK' })
  const body = { url: 'http://127.0.0.1:9/hook', events: ['*'] }
  await service.post('/v1/webhook-endpoints', body, 201)
  await until(id, ({ amountChargedBack }) => amountChargedBack > 0)
  const [discrepancy] = await service.list('/v1/discrepancies')
  const { id: pending } = await createPayment({ accountId, method: 'paymentLink' })
  const wizard = `/accounts/${accountId}/pay`
  const pages = {
    [desk.url]: [
      ...['/', `/?q=1111`, `/accounts/${accountId}`, wizard, `${wizard}?step=2&amount=other`],
      ...[`${wizard}?step=2&amount=25.00`, `${wizard}?step=3&amount=25.00&card=link`],
      ...[`/payments/${id}`, `/payments/${pending}`, '/payments/pay_nothing', '/approvals'],
      ...['/disputes', '/discrepancies', `/discrepancies/${discrepancy.id}`, '/webhooks']
    ],
    [selfcare.url]: ['/', `/payments/${id}`, '/payments/pay_nothing']
  }
  const screens = {
    'light-1280': { viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
    'dark-360': { viewport: { width: 360, height: 740 }, colorScheme: 'dark' }
  }
  for (const [screen, options] of Object.entries(screens)) {
    await t.test(`every page is accessible and fits, ${screen}`, async (t) => {
      const page = await open(options)
      for (const [origin, paths] of Object.entries(pages)) {
        const site = origin === desk.url ? 'desk' : 'selfcare'
        await page.goto(origin)
        t.same(await faultsOn(page), [], `${site}, signing in`)
        if (origin === desk.url) await page.fill('#name', 'supervisor-2')
        await page.click('main button')
        for (const [at, path] of paths.entries()) {
          await page.goto(`${origin}${path}`)
          await page.evaluate(
            'for (const part of document.querySelectorAll("details")) part.open = true'
          )
          t.same(await faultsOn(page), [], `${site} ${path}`)
          await look(t, page, `${site}-${at}-${screen}`)
        }
      }
    })
  }
  t.same(faults, [], 'no script fails')
})

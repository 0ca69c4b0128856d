import t from 'tap'
import { smallestIdAt } from '../../src/id.ts'
import { killable, productionEnv, startProcess } from '../service-process.ts'
import { addClient, findFreePort, newAccountId, paymentBody, toolsOf } from '../test-service.ts'

const hourMs = 60 * 60_000
const after = (ms: number) => new Date(Date.now() + ms)

/** Has a process believe that it is so many ms later. */
const nodeOptions = (ms: number) => {
  const source = `const Real = Date; globalThis.Date = class extends Real {
    constructor(...of) { if (of.length > 0) super(...of); else super(Real.now() + ${ms}) }
    static now() { return Real.now() + ${ms} } }`
  return `--import=data:text/javascript,${encodeURIComponent(source)}`
}

t.test('D10: the database’s clock decides, whatever that of a process says', async (t) => {
  const setUp = await killable(t, { DUPLICATE_WINDOW_S: '600' })
  const { db, databaseUrl, simulatorUrl } = setUp
  await setUp.start()
  const key = await addClient(db, {})
  const right = toolsOf(setUp.url, simulatorUrl, db, key)

  for (const hours of [3, -3]) {
    const url = `http://127.0.0.1:${await findFreePort()}`
    await startProcess(t, url, {
      ...productionEnv(url, databaseUrl, simulatorUrl),
      DUPLICATE_WINDOW_S: '600',
      NODE_OPTIONS: nodeOptions(hours * hourMs)
    })
    const wrong = toolsOf(url, simulatorUrl, db, key)

    await t.test(`at an instance that is ${hours} hours off`, async (t) => {
      const accountId = newAccountId()
      const returnUrl = 'https://selfcare.example/paid'
      const body = { ...paymentBody(accountId), returnUrl }
      await right.call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
      const create = (tools: typeof wrong, changes: object) =>
        tools.call('POST', '/v1/payments', {
          body: { ...body, ...changes },
          idempotencyKey: crypto.randomUUID()
        })

      // When a page ends.
      const first = await create(right, {})
      const second = await create(wrong, {
        amount: { currency: 'GBP', value: 100 },
        expiresAt: after(10 * 60_000)
      })
      t.equal(second.status, 201, second.text)
      const over = await create(wrong, { expiresAt: after(-60_000), allowDuplicate: true })
      t.match(over, { status: 400, body: { errors: [{ pointer: '/expiresAt' }] } })
      const link = {
        method: 'paymentLink',
        allowDuplicate: true,
        expiresAt: after(71 * 24 * hourMs)
      }
      t.match(await create(wrong, link), { status: 400 })

      // Which payment looks like another.
      t.match(await create(wrong, {}), { status: 409, body: { paymentId: first.body.id } })
      const ofWrong = { amount: { currency: 'GBP', value: 100 } }
      t.match(await create(right, ofWrong), { status: 409, body: { paymentId: second.body.id } })

      // What has happened already.
      const record = (takenAt: Date, reference: string) =>
        wrong.call('POST', '/v1/recorded-payments', {
          body: {
            ...{ accountId, amount: { currency: 'GBP', value: 700 }, channel: 'ivr' },
            ...{ outcome: 'captured', processor: { name: 'ivr', reference }, takenAt }
          }
        })
      const third = await record(after(-60_000), `${hours}`)
      t.equal(third.status, 201, third.text)
      const future = await record(after(10 * 60_000), `${hours} later`)
      t.match(future, { status: 400, body: { errors: [{ pointer: '/takenAt' }] } })

      // What lists and reports of a period have, and in which order.
      const [from, to] = [after(-hourMs).toISOString(), after(hourMs).toISOString()]
      const made = [third, second, first].map((answer) => answer.body.id)
      for (const { call } of [right, wrong]) {
        const list = await call(
          'GET',
          `/v1/payments?accountId=${accountId}&createdFrom=${from}&createdTo=${to}`
        )
        t.same(
          list.body.data.map(({ id }: { id: string }) => id),
          made
        )
        const report = await call('GET', '/v1/reconciliation/three-way')
        t.ok(Math.abs(Date.parse(report.body.to) - Date.now()) < hourMs, report.body.to)
      }
      for (const id of made) {
        t.ok(
          smallestIdAt('pay', after(-hourMs)) < id && id < smallestIdAt('pay', after(hourMs)),
          id
        )
      }
    })
  }
})

/** The day of `npm run demo`, made through the API as the demo does. */
import t from 'tap'
import { createClient } from '../../clients/typescript/src/index.ts'
import { makeDay } from '../../examples/demo/day.ts'
import { checkMoney } from '../invariants.ts'
import { startJourney } from '../journeys/journey.ts'

t.test('a day has payments of all kinds, and is made once', async (t) => {
  const service = await startJourney(t, { refundApprovalAbove: 4_000 })
  const { control, key, url, db } = service
  const api = createClient({ baseUrl: url, key })
  const tools = {
    api,
    returnUrl: 'http://127.0.0.1:1/back',
    simulate: async (path: string, body: unknown = {}) => {
      const answer = await control('POST', `/_simulator/${path}`, body)
      if (answer.status >= 300) throw new Error(`${path}: ${answer.text}`)
      return answer.body
    }
  }
  const hook = 'http://127.0.0.1:9/billing'
  t.equal(await makeDay(tools, hook, () => {}), 69)
  t.equal(await makeDay(tools, hook, () => {}), 0)

  const statuses = new Set<string>()
  for await (const { status } of api.list('/v1/payments')) statuses.add(status)
  const all = ['authorised', 'cancelled', 'captured', 'expired', 'pending', 'refused']
  t.same([...statuses].sort(), all)
  const types = new Set<string>()
  for await (const { data } of api.feed({ waitS: 0 })) for (const { type } of data) types.add(type)
  for (const type of ['refund.awaitingApproval', 'refund.rejected', 'dispute.opened']) {
    t.ok(types.has(type), type)
  }
  t.equal((await service.list('/v1/webhook-endpoints')).length, 2)
  await checkMoney(t, db)
})

/** All that the operations on registered cards may answer. */
import t from 'tap'
import type { ProblemCode } from '../../src/problems/problems.ts'
import { newAccountId } from '../test-service.ts'
import { eventually, judgedService, meetInFlight } from './judged.ts'

t.test('every answer about cards is what the document says', async (t) => {
  const service = await judgedService(t)
  const { meet, meetUnchanged, control, call, pay } = service
  const id = newAccountId()
  await call('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP' } })
  const returnUrl = 'http://127.0.0.1:1/cards'
  const register = (
    expected: number | ProblemCode,
    { body = { returnUrl }, of = id, key = crypto.randomUUID() }: Partial<Registration> = {}
  ) => meet(expected, 'registerCard', [of], { body, idempotencyKey: key })
  const faults = (api: object) => control('PUT', '/_simulator/faults', { api })

  await faults({ resetBeforeHeaders: true })
  await register('provider_unavailable', { key: 'one' })
  await faults({ resetBeforeHeaders: false })
  const { body: registration } = await register(201, { key: 'one' })
  const again = await register(201, { key: 'one' })
  t.equal(again.headers.get('idempotent-replayed'), 'true')
  const other = { returnUrl, customer: { reference: 'c' } }
  await register('idempotency_key_reused', { key: 'one', body: other })
  await faults({ status4xx: { times: 1 } })
  await register('provider_rejected', { key: 'two' })
  await register('provider_rejected', { key: 'two' })
  await register('return_url_refused', { body: { returnUrl: 'https://elsewhere.example' } })
  await register('account_not_known', { of: '7' })
  await faults({ delayMs: { ms: 500, times: 1 } })
  await meetInFlight(service, 'registerCard', `/v1/accounts/${id}/card-registrations`, {
    returnUrl
  })

  await pay(registration.id)
  const cards = () => call('GET', `/v1/accounts/${id}/cards`)
  const { body } = await eventually(cards, ({ body }) => body.data.length > 0)
  await meetUnchanged('getCardRegistration', [id, registration.id])
  await meet('registration_not_found', 'getCardRegistration', [id, 'reg_1'])
  await meet('account_not_known', 'getCardRegistration', ['0', registration.id])
  await meet(200, 'listCards', [id])
  await meet('account_not_known', 'listCards', ['7'])
  await meet(204, 'deleteCard', [id, body.data[0].id])
  await meet('card_not_found', 'deleteCard', [id, body.data[0].id])
  await meet('account_not_known', 'deleteCard', ['0', body.data[0].id])
  t.same((await meet(200, 'listCards', [id])).body.data, [])

  await call('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP', status: 'closed' } })
  await register('account_closed')
  t.same(service.findUnmet('Cards'), [])
})

type Registration = { body: object; of: string; key: string }

import t from 'tap'
import { findEventFaults } from '../events.ts'
import { adyenApiKey, merchantAccount } from '../test-service.ts'
import { cardService, until } from './harness.ts'

t.test('everybody but third parties is told once of cards that come and go', async (t) => {
  const service = await cardService(t)
  const { addAccount, addCard, atAdyen, call, addClient, simulatorUrl, db } = service
  const accountId = await addAccount()
  // biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
  const eventsOf = async (options: { key?: string } = {}): Promise<any[]> =>
    (await call('GET', '/v1/events', options)).body.data.filter(({ type }: { type: string }) =>
      type.startsWith('card.')
    )
  const told = (count: number) => until(eventsOf, ({ length }) => length === count)

  const first = await addCard(accountId)
  const second = await addCard(accountId, { number: '5555 4444 3333 1111' })
  const [, storedSecond] = await atAdyen(accountId)
  await call('DELETE', `/v1/accounts/${accountId}/cards/${first.id}`)
  await told(3)
  await fetch(
    `${simulatorUrl}/v72/storedPaymentMethods/${storedSecond.id}` +
      `?shopperReference=account-${accountId}&merchantAccount=${merchantAccount}`,
    { method: 'DELETE', headers: { 'x-api-key': adyenApiKey } }
  )
  const events = await told(4)

  t.same(
    events.map(({ type, data }) => [type, data.card]),
    [
      ['card.registered', first],
      ['card.registered', second],
      ['card.removed', first],
      ['card.removed', second]
    ]
  )
  for (const one of events) {
    t.match(one, { id: /^evt_/, accountId, paymentId: null, sequence: null })
    t.same(findEventFaults(one), [])
  }
  t.equal(new Set(events.map(({ id }) => id)).size, 4)
  await call('DELETE', `/v1/accounts/${accountId}/cards/${first.id}`)
  t.same(await db.selectFrom('event_outbox').selectAll().execute(), [], 'and no more')

  const scopes = ['payments:read', 'cards:read'] as const
  const key = await addClient({ thirdParty: true, scopes: [...scopes] })
  t.same(await eventsOf({ key }), [])
})

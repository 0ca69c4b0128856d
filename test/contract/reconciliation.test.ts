/** All that the operations on what the payment provider told us may answer. */
import t from 'tap'
import { merchantAccount } from '../test-service.ts'
import { eventually, judgedService } from './judged.ts'

t.test('every answer about notifications is what the document says', async (t) => {
  const service = await judgedService(t)
  const { meet, call, control, createPayment, pay, until } = service
  const { id } = await createPayment()
  await pay(id, 'NOT_ENOUGH_BALANCE')
  await pay(id)
  await until(id, ({ status }) => status === 'captured')
  await control('POST', '/_simulator/webhooks', {
    items: [
      {
        eventCode: 'AUTHORISATION',
        success: 'true',
        pspReference: 'PSP-OF-NOBODY',
        merchantReference: 'pay_nobodys',
        merchantAccountCode: merchantAccount,
        amount: { currency: 'GBP', value: 1 }
      }
    ]
  })
  const find = async (status: string) =>
    (await call('GET', `/v1/notifications?status=${status}`)).body.data
  const [waiting] = await eventually(
    () => find('waiting'),
    (found) => found.length > 0
  )
  const [applied] = await eventually(
    () => find('applied'),
    (found) => found.length > 0
  )

  await meet(200, 'listNotifications')
  const { body } = await meet(200, 'listNotifications', [], { query: '?limit=1' })
  await meet(200, 'listNotifications', [], { query: `?limit=1&cursor=${body.nextCursor}` })

  const retry = { idempotencyKey: 'retry' }
  await meet(202, 'retryNotification', [waiting.id], retry)
  const again = await meet(202, 'retryNotification', [waiting.id], retry)
  t.equal(again.headers.get('idempotent-replayed'), 'true')
  await meet('idempotency_key_reused', 'retryNotification', [applied.id], retry)
  await meet('notification_not_found', 'retryNotification', ['none'])
  await meet('notification_not_retryable', 'retryNotification', [applied.id])
  await eventually(
    () => find('waiting'),
    (found) => found.length > 0
  )
  const dismissal = {
    idempotencyKey: 'dismissal',
    body: { reason: 'Of another shop', operator: { id: 'night-2' } }
  }
  await meet(200, 'dismissNotification', [waiting.id], dismissal)
  await meet(200, 'dismissNotification', [waiting.id], dismissal)
  const anew = { ...dismissal, idempotencyKey: 'dismissal-2' }
  await meet('idempotency_key_reused', 'dismissNotification', [applied.id], dismissal)
  await meet('notification_not_found', 'dismissNotification', ['none'], anew)
  await meet('notification_not_dismissable', 'dismissNotification', [applied.id], anew)
  t.same(service.findUnmet('Reconciliation'), [])
})

/** A service that is called as TM Forum's clients do, with payments of every kind. */
import type { Test } from 'tap'
import { notificationTypes } from '../../src/tmf-payments/hub.ts'
import { registerCard } from '../registered-card.ts'
import { type Answer, type Call, newAccountId, type TestService } from '../test-service.ts'
import { createTmfJudge, type Essentials } from '../tmf/swagger.ts'

export const base = '/tmf-api/paymentManagement/v4'

const shared: Essentials = {
  id: 'string',
  href: 'string',
  status: 'string',
  statusDate: 'string',
  account: 'object',
  'account.id': 'string',
  paymentMethod: 'object',
  'paymentMethod.@type': 'string',
  totalAmount: 'object',
  'totalAmount.unit': 'string',
  'totalAmount.value': 'number',
  'channel.id': 'string'
}

const envelope: Essentials = {
  eventId: 'string',
  eventTime: 'string',
  eventType: 'string',
  title: 'string',
  description: 'string',
  event: 'object'
}

export const judgeTmf676 = () =>
  createTmfJudge('TMF676-Payment-v4.0.0.swagger.json', {
    Payment: { ...shared, paymentDate: 'string' },
    Refund: { ...shared, refundDate: 'string', 'payment.id': 'string' },
    ...Object.fromEntries(notificationTypes.map((type) => [type, envelope]))
  })

export function tmfTools(service: TestService) {
  const { call } = service
  const get = (path: string, options: Call = {}) => call('GET', `${base}${path}`, options)
  const post = (path: string, body: unknown, options: Call = {}) =>
    call('POST', `${base}${path}`, { ...options, body })

  async function addAccount(currency = 'GBP'): Promise<string> {
    const id = newAccountId()
    await call('PUT', `/v1/accounts/${id}`, { body: { currency } })
    return id
  }

  return { get, post, addAccount }
}

/** The body of a post: 25.00 GBP, recorded unless told otherwise. */
export const paymentPost = (accountId: string, more: Record<string, unknown> = {}) => ({
  account: { id: accountId },
  paymentMethod: { '@type': 'TokenizedCard', brand: 'visa', lastFourDigits: '1111' },
  totalAmount: { unit: 'GBP', value: 25 },
  ...more
})

export const page = {
  paymentMethod: { '@type': 'HostedPage' },
  characteristic: [{ name: 'returnUrl', value: 'https://selfcare.example/paid' }]
}

/** The value of a characteristic. */
export const characteristicOf = ({ body }: Pick<Answer, 'body'>, name: string) =>
  body.characteristic.findLast((one: { name: string }) => one.name === name)?.value

/** A payment of every kind and status that can be had in a moment, by names for people. */
export async function makeEveryKind(
  t: Test,
  service: TestService,
  accountId: string
): Promise<Record<string, string>> {
  const { call, createPayment, pay, until, control } = service
  const { post } = tmfTools(service)
  const registeredCardId = await registerCard(service, accountId)
  const made: Record<string, string> = {}
  const v1 = async (name: string, body: Record<string, unknown>) => {
    made[name] = (await createPayment({ accountId, allowDuplicate: true, ...body })).id
    return made[name] as string
  }
  await v1('pending page', {})
  await v1('pending link', { method: 'paymentLink', returnUrl: undefined, channel: 'ivr' })
  const paid = await v1('captured page', { reference: 'basket-77', description: 'Invoice' })
  await pay(paid)
  const reserved = await v1('authorised', { capture: 'manual' })
  await pay(reserved)
  const cancelled = await v1('cancelled', {})
  await call('POST', `/v1/payments/${cancelled}/cancellation`, {
    idempotencyKey: crypto.randomUUID(),
    body: {}
  })
  await v1('registered card', { method: 'registeredCard', registeredCardId, returnUrl: undefined })
  await until(paid, ({ status }) => status === 'captured')
  await until(reserved, ({ status }) => status === 'authorised')
  await control('PUT', '/_simulator/faults', {
    api: { status422: { path: '/sessions$', times: 1 } }
  })
  const failed = await call('POST', '/v1/payments', {
    idempotencyKey: crypto.randomUUID(),
    body: {
      accountId,
      amount: { currency: 'GBP', value: 1 },
      channel: 'selfcare',
      returnUrl: 'https://selfcare.example/'
    }
  })
  if (failed.status === 502) made.failed = failed.body.paymentId
  for (const outcome of ['captured', 'refused']) {
    const { body } = await call('POST', '/v1/recorded-payments', {
      body: {
        accountId,
        amount: { currency: 'GBP', value: 700 },
        channel: 'ivr',
        outcome,
        processor: { name: 'ivr-platform', reference: `${accountId}-${outcome}` },
        authorisationCode: '064913',
        takenAt: '2026-11-22T09:58:00Z'
      }
    })
    made[`recorded ${outcome}`] = body.id
  }
  const posted = {
    'posted page': page,
    'posted link': { paymentMethod: { '@type': 'PaymentLink' } },
    'posted card': { paymentMethod: { id: registeredCardId, '@type': 'PaymentMethodRef' } },
    'posted record': {
      ...{ authorizationCode: '77', correlatorId: `c-${accountId}` },
      ...{ name: 'Order 9', description: 'On the phone' }
    },
    'posted voucher': { paymentMethod: { '@type': 'Voucher', id: 'V-1', code: 'XMAS' } },
    'posted refusal': { status: 'denied' }
  }
  for (const [name, more] of Object.entries(posted)) {
    const answer = await post('/payment', paymentPost(accountId, more))
    t.equal(answer.status, 201, `${name}: ${answer.text}`)
    made[name] = answer.body.id
  }
  return made
}

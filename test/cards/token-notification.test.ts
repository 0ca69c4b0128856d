import { createHmac } from 'node:crypto'
import t from 'tap'
import { isSignature } from '../../src/adyen/notification.ts'
import {
  type CardNotification,
  readTokenNotification,
  toCardNews
} from '../../src/adyen/token-notification.ts'

const key = Buffer.alloc(32, 7)
const otherKey = Buffer.alloc(32, 8)
const body = '{ "type": "recurring.token.created",\n  "eventId": "PSP1" }'
const sign = (text: string, by = key) => createHmac('sha256', by).update(text).digest('base64')

t.test('a body is genuine when a current key signed it, to the byte', async (t) => {
  t.ok(isSignature(sign(body), body, [key]))
  t.ok(isSignature(sign(body), body, [otherKey, key]), 'the older key of two')
  t.notOk(isSignature(sign(body), body, []), 'without a key nothing is genuine')
  t.notOk(isSignature(sign(body), body, [otherKey]))
  t.notOk(isSignature(sign(body), JSON.stringify(JSON.parse(body)), [key]), 'other spacing')
  t.notOk(isSignature(sign(body), `${body} `, [key]))
})

t.test('a signature is one canonical text, and nothing else is an error', async (t) => {
  const good = sign(body)
  const last = good.at(-2) as string
  // The last digit of 32 bytes has two bits that decode to nothing.
  const same = String.fromCharCode(last.charCodeAt(0) + 1)
  const lenient = `${good.slice(0, -2)}${same}=`
  const bad = [
    undefined,
    null,
    '',
    42,
    [good],
    good.slice(0, -1),
    `${good}=`,
    ` ${good}`,
    `${good}, ${good}`,
    good.replaceAll('=', ''),
    'A'.repeat(44),
    lenient
  ]
  for (const signature of bad) t.notOk(isSignature(signature, body, [key]), String(signature))
})

t.test('what is read of a body', async (t) => {
  const data = { merchantAccount: 'M', shopperReference: 'account-7', storedPaymentMethodId: 'T' }
  const full = { type: 'recurring.token.created', eventId: 'E', environment: 'LIVE', data }
  t.same(readTokenNotification(full), {
    type: 'recurring.token.created',
    eventId: 'E',
    isLive: true,
    merchantAccount: 'M',
    shopperReference: 'account-7',
    item: full
  })
  const empty = { eventId: '', isLive: false, merchantAccount: '', shopperReference: '' }
  for (const lean of [
    { type: 'x' },
    { type: 'x', data: null, eventId: 7, environment: [] },
    { type: 'x', data: 'text' }
  ]) {
    t.match(readTokenNotification(lean), empty)
  }
  for (const other of [undefined, null, 'text', 7, []]) {
    t.equal(readTokenNotification(other), undefined)
  }
  for (const odd of [{}, { type: 7 }, { type: null }]) {
    t.match(readTokenNotification(odd), { ...empty, type: '' }, 'it may be signed all the same')
  }
  const both = { type: 'x', notificationItems: [{}] }
  t.equal(readTokenNotification(both), undefined, 'the standard envelope comes first')
})

const notification = (changes: Partial<CardNotification>): CardNotification => ({
  eventCode: 'AUTHORISATION',
  success: true,
  pspReference: 'PSP',
  originalReference: null,
  merchantReference: 'pay_1',
  amount: { currency: 'GBP', value: 2500 },
  item: {} as CardNotification['item'],
  accountId: 7,
  registrationId: null,
  mayKeepCard: false,
  ...changes
})
const withData = (additionalData: Record<string, unknown>) =>
  ({ item: { additionalData } }) as unknown as Partial<CardNotification>
const token = (eventCode: string, merchantReference: string) => ({
  eventCode,
  merchantReference,
  accountId: null
})
const ofRegistration = (changes: Partial<CardNotification>) => ({
  merchantReference: 'reg_1',
  registrationId: 'reg_1',
  amount: { currency: 'GBP', value: 0 },
  ...changes
})

const nothing = { accountId: null, registration: null, settled: null }
const hint = { ...nothing, accountId: 7 }
const settledHint = { ...hint, settled: 'applied' }
const ignored = { ...nothing, settled: 'ignored' }
const news: ReadonlyArray<[name: string, changes: Partial<CardNotification>, news: object]> = [
  ['a payment that keeps no card', {}, nothing],
  ['a payment that may keep one', { mayKeepCard: true }, hint],
  ['a refused attempt', { mayKeepCard: true, success: false }, nothing],
  ['its capture', { mayKeepCard: true, eventCode: 'CAPTURE' }, nothing],
  ['a token by the way', withData({ 'tokenization.storedPaymentMethodId': 'T' }), hint],
  ['one by its older name', withData({ 'recurring.recurringDetailReference': 'T' }), hint],
  ['other data', withData({ cardSummary: '1111', recurringProcessingModel: 'X' }), nothing],
  ['a payment that is not known', { accountId: null, mayKeepCard: true }, nothing],
  ['a contract', { eventCode: 'RECURRING_CONTRACT' }, settledHint],
  ['one of nobody', { eventCode: 'RECURRING_CONTRACT', accountId: null }, nothing],
  ['a token created', token('recurring.token.created', 'account-7'), settledHint],
  ['updated', token('recurring.token.updated', 'account-7'), settledHint],
  ['existing', token('recurring.token.alreadyExisting', 'account-7'), settledHint],
  ['disabled', token('recurring.token.disabled', 'account-7'), settledHint],
  ['of a type that is not known', token('recurring.token.renamed', 'account-7'), nothing],
  ['of a shopper that is not ours', token('recurring.token.created', 'shopper-7'), ignored],
  ['of account-0', token('recurring.token.created', 'account-0'), ignored],
  ['of account-007', token('recurring.token.created', 'account-007'), ignored],
  ['of account-123456789', token('recurring.token.created', 'account-123456789'), ignored],
  ['of account-NaN', token('recurring.token.created', 'account-NaN'), ignored],
  ['of nobody at all', token('recurring.token.created', ''), ignored],
  [
    'a registration that went well',
    ofRegistration({}),
    { ...settledHint, registration: { id: 'reg_1', completed: true, token: null } }
  ],
  [
    'and names its card',
    ofRegistration(withData({ 'tokenization.storedPaymentMethodId': 'T' })),
    { ...settledHint, registration: { id: 'reg_1', completed: true, token: 'T' } }
  ],
  [
    'a registration that was refused',
    ofRegistration({ success: false }),
    { ...nothing, registration: { id: 'reg_1', completed: false, token: null }, settled: 'applied' }
  ],
  ['the end of its page', ofRegistration({ eventCode: 'OFFER_CLOSED' }), ignored],
  ['its contract', ofRegistration({ eventCode: 'RECURRING_CONTRACT' }), settledHint],
  ['money on it', ofRegistration({ amount: { currency: 'GBP', value: 1 } }), nothing]
]
for (const [name, changes, expected] of news) {
  t.test(`news of cards: ${name}`, async (t) => {
    t.same(toCardNews(notification(changes)), expected)
  })
}

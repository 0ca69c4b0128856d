import { createHmac } from 'node:crypto'
import hmacValidator from '@adyen/api-library/lib/src/utils/hmacValidator.js'
import fc from 'fast-check'
import t from 'tap'
import {
  fingerprintOfItem,
  isNotBookable,
  isSigned,
  type NotificationItem,
  type StoredNotification,
  signedText,
  toProviderEvent
} from '../../src/adyen/notification.ts'

const hexKey = '44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056'
const otherHexKey = '0123456789abcdef'.repeat(4)
const key = Buffer.from(hexKey, 'hex')
const otherKey = Buffer.from(otherHexKey, 'hex')
const validator = new hmacValidator.default()

function newItem(changes: Partial<NotificationItem> = {}): NotificationItem {
  return {
    pspReference: 'PSP0000000000001',
    merchantAccountCode: 'TestMerchant',
    merchantReference: 'pay_0123456789abcdef',
    amount: { currency: 'GBP', value: 2500 },
    eventCode: 'AUTHORISATION',
    success: 'true',
    eventDate: '2026-03-02T10:15:00+01:00',
    ...changes
  }
}

function sign(item: NotificationItem, hex = hexKey): string {
  return validator.calculateHmac(item as never, hex)
}

/** The item with the signature that Adyen's library makes, or with another one. */
function signed(item: NotificationItem, hmacSignature: unknown = sign(item)): NotificationItem {
  return { ...item, additionalData: { ...item.additionalData, hmacSignature } }
}

t.test('the items that Adyen publishes as test cases are signed', async (t) => {
  // github.com/Adyen/adyen-node-api-library, src/__tests__/hmacValidator.spec.ts
  const published = newItem({
    pspReference: '7914073381342284',
    merchantAccountCode: 'TestMerchant',
    merchantReference: 'TestPayment-1407325143704',
    amount: { currency: 'EUR', value: 1130 }
  })
  t.equal(
    signedText(published),
    '7914073381342284::TestMerchant:TestPayment-1407325143704:1130:EUR:AUTHORISATION:true'
  )
  t.ok(isSigned(signed(published, 'coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0='), [key]))
})

const text = fc.string({ unit: 'binary', maxLength: 12 })
const items: fc.Arbitrary<NotificationItem> = fc
  .record({
    pspReference: fc.oneof(text, fc.constantFrom('A:B', 'a\\b', ' a', 'a/b', '日本')),
    originalReference: fc.option(text, { nil: null }),
    merchantAccountCode: text,
    merchantReference: text,
    amount: fc.record({
      currency: fc.constantFrom('GBP', 'JPY', 'XXX'),
      value: fc.oneof(fc.integer({ min: 0, max: 2 ** 40 }), fc.constantFrom(0, '1130', '0'))
    }),
    eventCode: fc.constantFrom('AUTHORISATION', 'CAPTURE', 'REPORT_AVAILABLE', 'EXPIRE'),
    success: fc.constantFrom<string | boolean>('true', 'false', true, false)
  })
  .map((fields) => newItem(fields))

t.test('what Adyen’s own library calls signed is signed, and in the same words', async (t) => {
  fc.assert(
    fc.property(items, (item) => {
      const whole = signed(item)
      return (
        validator.validateHMAC(whole as never, hexKey) &&
        isSigned(whole, [key]) &&
        signedText(item) === validator.getDataToSign(item as never)
      )
    }),
    { numRuns: 500 }
  )
  t.pass('500 items')
})

t.test('any other value of a signed field is not what was signed', async (t) => {
  const item = newItem({ originalReference: 'PSP0000000000002' })
  const others: Partial<NotificationItem>[] = [
    { pspReference: 'PSP0000000000009' },
    { originalReference: 'PSP0000000000009' },
    { originalReference: null },
    { merchantAccountCode: 'Other' },
    { merchantReference: 'pay_0123456789abcdeg' },
    { merchantReference: ' pay_0123456789abcdef' },
    { amount: { currency: 'GBP', value: 2501 } },
    { amount: { currency: 'EUR', value: 2500 } },
    { eventCode: 'CAPTURE' },
    { success: 'false' }
  ]
  for (const change of others) {
    t.notOk(isSigned(signed({ ...item, ...change }, sign(item)), [key]), JSON.stringify(change))
  }
})

t.test('an amount of 0, amounts and success as text: signed all the same', async (t) => {
  const zero = newItem({ amount: { currency: 'EUR', value: 0 } })
  t.match(signedText(zero), ':0:EUR:')
  t.ok(isSigned(signed(zero), [key]))
  const asText = newItem({ amount: { currency: 'GBP', value: '2500' }, success: true })
  t.equal(sign(asText), sign(newItem()))
  t.ok(isSigned(signed(asText, sign(newItem())), [key]))
})

t.test('a signature of any current key will do, and of no other', async (t) => {
  const item = newItem()
  const old = signed(item, sign(item, otherHexKey))
  t.ok(isSigned(old, [key, otherKey]))
  t.ok(isSigned(old, [otherKey, key]))
  t.ok(isSigned(signed(item), [key, otherKey]))
  t.notOk(isSigned(old, [key]))
  t.notOk(isSigned(old, []))
})

t.test('what is no signature is false, never thrown', async (t) => {
  const item = newItem()
  const good = sign(item)
  const bytes = Buffer.from(good, 'base64')
  const none: Record<string, unknown> = {
    empty: '',
    null: null,
    'a number': 1,
    'an object': {},
    'a boolean': true,
    'a list of it': [good],
    'its bytes': [...bytes],
    '44 characters of 33 bytes': Buffer.alloc(33).toString('base64'),
    'too short': good.slice(4),
    'too long': `${good}AAAA`,
    'a space before': ` ${good}`,
    'a line after': `${good}\n`,
    'a space within': `${good.slice(0, 10)} ${good.slice(10)}`,
    'junk within': `${good.slice(0, 10)}*${good.slice(10)}`,
    'without padding': good.slice(0, -1),
    'more padding': `${good}=`,
    'in hex': bytes.toString('hex'),
    'another one': Buffer.alloc(32).toString('base64')
  }
  for (const [name, signature] of Object.entries(none)) {
    t.equal(isSigned(signed(item, signature), [key]), false, name)
  }
  t.equal(isSigned(item, [key]), false, 'no additionalData')
  t.equal(isSigned({ ...item, additionalData: {} }, [key]), false, 'missing')
  t.equal(isSigned({ ...item, additionalData: null }, [key]), false, 'null')
  t.equal(isSigned({ ...item, additionalData: 'text' as never }, [key]), false, 'text')
})

t.test('base64 of the URL kind is not the signature', async (t) => {
  const item = Array.from({ length: 50 }, (_, place) =>
    newItem({ pspReference: `P${place}` })
  ).find((one) => /[+/]/.test(sign(one))) as NotificationItem
  const url = Buffer.from(sign(item), 'base64').toString('base64url')
  t.notOk(isSigned(signed(item, `${url}=`), [key]))
})

t.test('one signature has one text: unused bits of the last character are zero', async (t) => {
  const item = newItem()
  const good = sign(item)
  const bytes = Buffer.from(good, 'base64')
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  const same = [...alphabet].filter((last) =>
    Buffer.from(`${good.slice(0, 42)}${last}=`, 'base64').equals(bytes)
  )
  t.equal(same.length, 4, 'of the four texts that decode to it')
  t.same(
    same.filter((last) => isSigned(signed(item, `${good.slice(0, 42)}${last}=`), [key])),
    [good[42]],
    'one is accepted'
  )
})

t.test('an item under an empty key is signed for nobody', async (t) => {
  const item = newItem()
  const forged = createHmac('sha256', Buffer.alloc(0)).update(signedText(item)).digest('base64')
  t.notOk(isSigned(signed(item, forged), [key]))
})

t.test('unsigned fields do not break a signature', async (t) => {
  const item = signed(newItem())
  const changed = {
    ...item,
    eventDate: '2031-01-01T00:00:00Z',
    reason: 'other',
    additionalData: { ...item.additionalData, cardSummary: '9999' }
  }
  t.ok(isSigned(changed, [key]))
})

t.test('what is the same fact', async (t) => {
  const capture = newItem({ eventCode: 'CAPTURE', originalReference: 'PSP0000000000002' })
  const same = (changes: Partial<NotificationItem>) =>
    fingerprintOfItem({ ...capture, ...changes }).equals(fingerprintOfItem(capture))

  t.test('a redelivery is, whatever else is added to it', async (t) => {
    t.equal(fingerprintOfItem(capture).length, 32)
    t.ok(same({}))
    t.ok(same({ success: true, amount: { currency: 'GBP', value: '2500' } }))
    t.ok(same({ additionalData: { hmacSignature: 'signed with another key' } }))
    t.ok(same({ reason: null }))
    t.ok(same({ reason: '' }))
  })

  t.test('a capture that is taken again is another', async (t) => {
    t.notOk(same({ eventDate: '2026-03-05T10:15:00+01:00' }))
    t.notOk(same({ reason: 'Transaction Recaptured' }))
  })

  t.test('the other outcome under the same reference is another', async (t) => {
    t.notOk(same({ success: 'false' }))
  })
})

function stored(changes: Partial<StoredNotification> & Partial<NotificationItem>) {
  const item = newItem(changes as Partial<NotificationItem>)
  return {
    eventCode: item.eventCode,
    success: true,
    pspReference: item.pspReference,
    originalReference: null,
    amount: { currency: 'GBP', value: 2500 },
    item,
    ...changes
  } as StoredNotification
}

const modification = { pspReference: 'MOD', originalReference: 'PAY' }
const failed = { ...modification, success: false, reason: 'Not possible' }
const by = { providerReference: 'MOD', reference: 'pay_0123456789abcdef' }
const paidBack = { type: 'givenBack', authorisation: 'PAY', by }
const notBack = { type: 'reversalRefused', authorisation: 'PAY', by, reason: 'Not possible' }
const backAgain = { type: 'reversalFellThrough', authorisation: 'PAY', by, reason: 'Not possible' }
const ourRequest = { ...modification, merchantReference: 'rev_0123456789abcdef' }

/** What each event code means, for what it says of `success`. */
const meanings: ReadonlyArray<[string, Parameters<typeof stored>[0], object | undefined]> = [
  [
    'AUTHORISATION',
    { pspReference: 'PAY' },
    { type: 'authorised', authorisation: 'PAY', amount: { currency: 'GBP', value: 2500 } }
  ],
  [
    'AUTHORISATION',
    { pspReference: 'PAY', success: false, reason: 'Expired Card' },
    {
      type: 'attemptRefused',
      authorisation: 'PAY',
      amount: { currency: 'GBP', value: 2500 },
      failure: { code: 'card_expired', message: 'Expired Card', retryable: false }
    }
  ],
  ['OFFER_CLOSED', {}, { type: 'pageClosed', by: 'time' }],
  ['EXPIRE', { pspReference: 'PAY' }, { type: 'authorisationExpired', authorisation: 'PAY' }],
  ['EXPIRE', modification, { type: 'authorisationExpired', authorisation: 'PAY' }],
  ['CANCELLATION', modification, paidBack],
  ['CANCELLATION', failed, notBack],
  ['TECHNICAL_CANCEL', modification, paidBack],
  ['TECHNICAL_CANCEL', failed, notBack],
  ['CANCEL_OR_REFUND', modification, paidBack],
  ['CANCEL_OR_REFUND', failed, notBack],
  [
    'CANCEL_OR_REFUND',
    ourRequest,
    { ...paidBack, by: { providerReference: 'MOD', reference: 'rev_0123456789abcdef' } }
  ],
  ['REFUND_FAILED', { ...failed, success: true }, backAgain],
  ['REFUND_FAILED', failed, backAgain],
  ['REFUNDED_REVERSED', { ...failed, success: true }, backAgain],
  ['REFUNDED_REVERSED', failed, backAgain],
  [
    'CAPTURE',
    modification,
    { type: 'captured', authorisation: 'PAY', amount: { currency: 'GBP', value: 2500 } }
  ],
  ['CAPTURE', failed, undefined],
  ...[
    'CAPTURE_FAILED',
    'REFUND',
    'CHARGEBACK',
    'SECOND_CHARGEBACK',
    'CHARGEBACK_REVERSED',
    'AUTHORISATION_ADJUSTMENT',
    'AUTHENTICATION',
    'AUTORESCUE',
    'CANCEL_AUTORESCUE',
    'DISPUTE_DEFENSE_PERIOD_ENDED',
    'HANDLED_EXTERNALLY',
    'INFORMATION_SUPPLIED',
    'ISSUER_COMMENTS',
    'ISSUER_RESPONSE_TIMEFRAME_EXPIRED',
    'MANUAL_REVIEW_ACCEPT',
    'MANUAL_REVIEW_REJECT',
    'NOTIFICATION_OF_FRAUD',
    'ORDER_CLOSED',
    'ORDER_OPENED',
    'PAIDOUT_REVERSED',
    'PAYOUT_THIRDPARTY',
    'PENDING',
    'POSTPONED_REFUND',
    'PREARBITRATION_OPEN',
    'REPORT_AVAILABLE',
    'REQUEST_FOR_INFORMATION',
    'SCHEME_ARBITRATION',
    'A_CODE_OF_NEXT_YEAR',
    'authorisation',
    'constructor',
    ''
  ].map((code): [string, Parameters<typeof stored>[0], undefined] => [
    code,
    modification,
    undefined
  ])
]

for (const [eventCode, changes, meaning] of meanings) {
  const success = changes.success ?? true
  const name = (meaning as { type?: string } | undefined)?.type ?? 'nothing for a payment'
  t.test(`${eventCode || 'no event code'}, success ${success}: ${name}`, async (t) => {
    const event = toProviderEvent(stored({ ...changes, eventCode }))
    if (meaning === undefined) t.equal(event, undefined)
    else t.match(event, meaning)
  })
}

t.test('what was captured may be a part, and is in our minor units', async (t) => {
  const capturedOf = (changes: Parameters<typeof stored>[0]) =>
    toProviderEvent(stored({ ...modification, eventCode: 'CAPTURE', ...changes }))
  const event = { type: 'captured', authorisation: 'PAY' }
  t.same(capturedOf({ amount: { currency: 'GBP', value: 1000 } }), {
    ...event,
    amount: { currency: 'GBP', value: 1000 }
  })
  t.same(capturedOf({ amount: { currency: 'CLP', value: 150_000 } }), {
    ...event,
    amount: { currency: 'CLP', value: 1500 }
  })
  t.throws(() => capturedOf({ amount: { currency: 'CLP', value: 150_050 } }), { message: /CLP/ })
  const odd = { success: false, amount: { currency: 'CLP', value: 150_050 } }
  t.equal(capturedOf(odd), undefined, 'what was not captured is no money')
})

t.test('what moved money that nothing books is for a person, where it went well', async (t) => {
  const codes = ['CAPTURE_FAILED', 'REFUND', 'CHARGEBACK', 'SECOND_CHARGEBACK']
  for (const eventCode of codes) {
    t.equal(isNotBookable(stored({ ...modification, eventCode })), true, eventCode)
    t.equal(isNotBookable(stored({ ...failed, eventCode })), false, `${eventCode} failed`)
  }
  for (const [eventCode, changes] of meanings) {
    if (codes.includes(eventCode)) continue
    t.equal(isNotBookable(stored({ ...changes, eventCode })), false, eventCode)
  }
})

t.test('the text null and the empty text are no reason', async (t) => {
  for (const reason of ['null', '', null, undefined]) {
    const given = { ...(reason !== undefined && { reason }), success: false }
    t.match(
      toProviderEvent(stored({ ...given, eventCode: 'AUTHORISATION' })),
      { failure: { code: 'card_declined', message: 'Refused' } },
      JSON.stringify(reason)
    )
    t.match(
      toProviderEvent(stored({ ...modification, ...given, eventCode: 'CANCEL_OR_REFUND' })),
      { reason: 'CANCEL_OR_REFUND' },
      JSON.stringify(reason)
    )
  }
})

t.test('a reason that is no text is none', async (t) => {
  for (const reason of [1, {}, ['Expired Card'], true]) {
    const event = toProviderEvent(
      stored({ eventCode: 'AUTHORISATION', success: false, reason: reason as never })
    )
    t.match(event, { failure: { code: 'card_declined', message: 'Refused' } })
  }
})

t.test('amounts are in our minor units', async (t) => {
  const amountOf = (currency: string, value: number, success = true) => {
    const event = toProviderEvent(
      stored({ eventCode: 'AUTHORISATION', success, amount: { currency, value } })
    )
    return (event as { amount: { value: number } }).amount.value
  }
  t.equal(amountOf('CLP', 150_000), 1500)
  t.equal(amountOf('IDR', 1500), 150_000)
  t.equal(amountOf('BHD', 1500), 1500)
  t.equal(amountOf('CLP', 150_000, false), 1500)
  t.throws(() => amountOf('CLP', 150_050), { message: /CLP/ }, 'money must not be rounded')
  t.equal(amountOf('CLP', 150_050, false), 150_050, 'a refusal is no money')
})

t.test('the face of the card is shown as far as it is known', async (t) => {
  const faceOf = (paymentMethod: unknown, additionalData?: unknown) => {
    const item = { ...newItem(), paymentMethod, additionalData } as NotificationItem
    const event = toProviderEvent(stored({ eventCode: 'AUTHORISATION', item }))
    return (event as { card: unknown }).card
  }
  const data = { cardSummary: '1111', expiryDate: '3/2030', fundingSource: 'CREDIT' }
  t.same(faceOf('visa', data), {
    brand: 'visa',
    lastFour: '1111',
    expiryMonth: 3,
    expiryYear: 2030,
    funding: 'credit',
    registeredCardId: null
  })
  t.match(faceOf('mc'), { brand: 'mc', lastFour: null, expiryMonth: null, funding: null })
  t.match(faceOf(undefined, data), { brand: null, lastFour: '1111' })
  t.match(faceOf('visa', { ...data, expiryDate: '03/2030' }), { expiryMonth: 3 })
  t.equal(faceOf(undefined, {}), null)
  t.equal(faceOf('', null), null)
  t.equal(faceOf('null', 'text'), null)
  for (const cardSummary of ['4111111111111111', '111', 'abcd', 1111, '11 11', '1111\n']) {
    t.match(faceOf('visa', { cardSummary }), { lastFour: null }, JSON.stringify(cardSummary))
  }
  for (const expiryDate of ['2030-03', '03/30', 'x3/2030', 3, {}]) {
    t.match(faceOf('visa', { expiryDate }), { expiryMonth: null, expiryYear: null })
  }
})

t.test('what is not signed decides nothing', async (t) => {
  const unsigned = fc.record(
    {
      eventDate: fc.string(),
      reason: fc.oneof(fc.string(), fc.constant('Refused'), fc.constant(null)),
      paymentMethod: fc.anything(),
      operations: fc.anything(),
      success: fc.constantFrom('true', 'false', 'maybe'),
      eventCode: fc.constantFrom('AUTHORISATION', 'CAPTURE'),
      pspReference: fc.string(),
      amount: fc.record({ currency: fc.constant('EUR'), value: fc.nat() }),
      additionalData: fc.dictionary(
        fc.constantFrom('cardSummary', 'expiryDate', 'modification.action', 'fundingSource'),
        fc.anything()
      )
    },
    { requiredKeys: [] }
  )
  fc.assert(
    fc.property(fc.constantFrom(...meanings), unsigned, ([eventCode, changes], more) => {
      const notification = stored({ ...changes, eventCode })
      const item = { ...notification.item, ...more } as NotificationItem
      const decides = (event: object | undefined) => {
        const {
          card: _,
          failure: __,
          reason: ___,
          ...rest
        } = (event ?? {}) as Record<string, unknown>
        return JSON.stringify(rest)
      }
      return (
        decides(toProviderEvent(notification)) ===
        decides(toProviderEvent({ ...notification, item }))
      )
    }),
    { numRuns: 1_000 }
  )
  t.pass('1,000 times')
})

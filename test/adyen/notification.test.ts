import { createHmac } from 'node:crypto'
import hmacValidator from '@adyen/api-library/lib/src/utils/hmacValidator.js'
import fc from 'fast-check'
import t from 'tap'
import {
  fingerprintOfItem,
  isSigned,
  type NotificationItem,
  type SignedFields,
  signedFields,
  signedText
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

const fieldsOf = (item: NotificationItem) => signedFields(item) as SignedFields
const textOf = (item: NotificationItem) => signedText(fieldsOf(item))
const fingerprintOf = (item: NotificationItem) => fingerprintOfItem(fieldsOf(item), item)

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
    textOf(published),
    '7914073381342284::TestMerchant:TestPayment-1407325143704:1130:EUR:AUTHORISATION:true'
  )
  t.ok(isSigned(signed(published, 'coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0='), [key]))
})

const text = fc.string({ unit: 'binary', maxLength: 12 })
const missing = <T>(value: fc.Arbitrary<T>) => fc.oneof(value, fc.constantFrom(null, undefined))
const items: fc.Arbitrary<NotificationItem> = fc
  .record({
    pspReference: missing(fc.oneof(text, fc.constantFrom('A:B', 'a\\b', ' a', 'a/b', '日本'))),
    originalReference: missing(text),
    merchantAccountCode: missing(text),
    merchantReference: missing(text),
    amount: fc.record({
      currency: missing(fc.constantFrom('GBP', 'JPY', 'XXX')),
      value: missing(
        fc.oneof(fc.integer({ min: 0, max: 2 ** 40 }), fc.constantFrom(0, '1130', '0'))
      )
    }),
    eventCode: missing(fc.constantFrom('AUTHORISATION', 'CAPTURE', 'REPORT_AVAILABLE', 'EXPIRE')),
    success: missing(fc.constantFrom<string | boolean>('true', 'false', true, false))
  })
  .map((fields) => newItem(fields))

t.test('B1: what Adyen’s own library calls signed is signed, and in the same words', async (t) => {
  fc.assert(
    fc.property(items, (item) => {
      const whole = signed(item)
      return (
        validator.validateHMAC(whole as never, hexKey) &&
        isSigned(whole, [key]) &&
        textOf(item) === validator.getDataToSign(item as never)
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
  t.match(textOf(zero), ':0:EUR:')
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
  const forged = createHmac('sha256', Buffer.alloc(0)).update(textOf(item)).digest('base64')
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
    fingerprintOf({ ...capture, ...changes }).equals(fingerprintOf(capture))

  t.test('a redelivery is, whatever else is added to it', async (t) => {
    t.equal(fingerprintOf(capture).length, 32)
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

import t from 'tap'
import { passesLuhn, readCard } from '../../sandbox/simulator/cards.ts'
import { decimalsOf } from '../../sandbox/simulator/money.ts'
import { outcomeFor, TEST_CARDS } from '../../sandbox/simulator/test-data.ts'
import { startPair, until } from './harness.ts'

const NOW = new Date('2026-11-22T12:00:00Z')
const entry = { number: '4111111111111111', expiry: '03/30', cvc: '737', holderName: '' }
const faultsOf = (changes: Partial<typeof entry>) =>
  readCard({ ...entry, ...changes }, NOW).faults?.map(({ field }) => field) ?? []

t.test('all listed test cards are good', async (t) => {
  for (const { number, cvc = '737' } of TEST_CARDS) {
    const code = cvc === 'none' ? '' : cvc
    t.same(faultsOf({ number, cvc: code }), [], number)
  }
})

t.test('a card number needs its check digit, a known scheme and its length', async (t) => {
  t.ok(passesLuhn('79927398713'))
  t.notOk(passesLuhn('79927398710'))
  for (const number of [
    '',
    'abc',
    '4111 1111 1111 1112',
    '4111 1111 1111',
    '1234 5678 9012 3452'
  ]) {
    t.same(faultsOf({ number }), ['number'], number)
  }
  t.same(faultsOf({ number: '4111-1111-1111-1111' }), [])
  const brands: [string, string, string][] = [
    ['5555555555554444', '737', 'mc'],
    ['2222400070000005', '737', 'mc'],
    ['370000000000002', '7373', 'amex'],
    ['6011111111111117', '737', 'discover'],
    ['3530111333300000', '737', 'jcb'],
    ['30569309025904', '737', 'diners']
  ]
  for (const [number, cvc, brand] of brands) {
    t.equal(readCard({ ...entry, number, cvc }, NOW).card?.brand, brand, number)
  }
})

t.test('a card is good until the end of its month', async (t) => {
  for (const expiry of ['11/26', '1126', '11/2026', '11-26', '3/30']) {
    t.same(faultsOf({ expiry }), [], expiry)
  }
  for (const expiry of ['10/26', '13/30', '00/30', '', '2030-03', '03/99']) {
    t.same(faultsOf({ expiry }), ['expiry'], expiry)
  }
})

t.test('the security code has three digits, four with American Express', async (t) => {
  t.same(faultsOf({ cvc: '7373' }), ['cvc'])
  t.same(faultsOf({ cvc: '' }), ['cvc'])
  t.same(faultsOf({ number: '370000000000002', cvc: '737' }), ['cvc'])
  t.same(faultsOf({ number: '370000000000002', cvc: '7373' }), [])
})

t.test('a card number typed as the name is refused', async (t) => {
  t.same(faultsOf({ holderName: '4111 1111 1111 1111' }), ['holderName'])
})

t.test('decimals follow Adyen where it deviates from ISO 4217', async (t) => {
  const decimals = { CLP: 2, ISK: 2, CVE: 0, IDR: 0, UGX: 0, JPY: 0, KWD: 3, GBP: 2 }
  for (const [currency, expected] of Object.entries(decimals)) {
    t.equal(decimalsOf(currency), expected, currency)
  }
})

t.test('the card-holder name decides the outcome', async (t) => {
  t.match(outcomeFor('J. Smith'), { resultCode: 'Authorised', reason: '' })
  t.match(outcomeFor(''), { resultCode: 'Authorised' })
  t.match(outcomeFor('DECLINED'), { resultCode: 'Refused', reason: 'Refused' })
  t.match(outcomeFor('DECLINED : 06 : ERROR'), {
    reason: 'Refused',
    refusalReasonRaw: '06 : ERROR'
  })
  t.match(outcomeFor('CARD_EXPIRED'), { reason: 'Expired Card' })
  t.match(outcomeFor('BLOCK_CARD'), { reason: 'Blocked Card' })
  t.match(outcomeFor('FRAUD'), { reason: 'FRAUD' })
  t.match(outcomeFor('ERROR'), { resultCode: 'Error', reason: 'Acquirer Error' })
  t.match(outcomeFor('FRAUD_CANCELLED'), { resultCode: 'Cancelled' })
})

t.test('a refusal is notified with its text, an approval with code, card and expiry', async (t) => {
  const { createSession, pay, endpoint } = await startPair(t)
  const refused = await pay((await createSession()).id, { holderName: 'CARD_EXPIRED' })
  t.equal(refused.outcome, 'refused')
  await until(() => endpoint.received.length === 1)
  t.match(endpoint.received[0]?.item, { success: 'false', reason: 'Expired Card' })

  await pay((await createSession()).id, { number: '3700 0000 0000 002', cvc: '7373' })
  await until(() => endpoint.received.length === 2)
  const item = endpoint.received[1]?.item
  t.match(item, { success: 'true', paymentMethod: 'amex', additionalData: { cardSummary: '0002' } })
  t.match(item.reason, /^[A-Z0-9]{6}:0002:03\/2030$/)
})

t.test('PENDING leaves the outcome to the webhook', async (t) => {
  const { createSession, pay, resultOf, endpoint } = await startPair(t)
  const { status, redirect } = await pay((await createSession()).id, { holderName: 'PENDING' })
  t.equal(status, 'paymentPending')
  const { body } = await resultOf(redirect)
  t.match(body, { status: 'paymentPending', payments: [{ resultCode: 'Received' }] })
  await until(() => endpoint.received.length === 1)
  t.match(endpoint.received[0]?.item, { success: 'true' })
})

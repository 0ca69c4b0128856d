import fc from 'fast-check'
import t from 'tap'
import { fromAdyenAmount, toAdyenAmount } from '../../src/adyen/amount.ts'
import { currencies } from '../../src/money.ts'

const money = (value: number, currency: string) => ({ currency, value })
/** Their decimals at Adyen are not those of ISO 4217. */
const exceptions = ['BIF', 'CLP', 'ISK', 'CVE', 'IDR']

t.test('A16: francs of Burundi, pesos of Chile and krónur have two decimals there', async (t) => {
  for (const currency of ['BIF', 'CLP', 'ISK']) {
    t.same(toAdyenAmount(money(1500, currency)), money(150_000, currency))
    t.same(fromAdyenAmount(money(150_000, currency)), money(1500, currency))
    t.equal(fromAdyenAmount(money(150_050, currency)), undefined, 'a fraction has no minor unit')
  }
})

t.test('escudos of Cabo Verde and rupiah have no decimals at Adyen', async (t) => {
  for (const currency of ['CVE', 'IDR']) {
    t.same(toAdyenAmount(money(150_000, currency)), money(1500, currency))
    t.same(fromAdyenAmount(money(1500, currency)), money(150_000, currency))
    t.equal(toAdyenAmount(money(150_050, currency)), undefined, 'a fraction is not representable')
  }
})

t.test('all other currencies are the same at Adyen', async (t) => {
  for (const currency of currencies.filter((one) => !exceptions.includes(one))) {
    const amount = money(12_345, currency)
    t.same(toAdyenAmount(amount), amount)
    t.same(fromAdyenAmount(amount), amount)
  }
})

t.test('a currency that is none of ours is left as it is', async (t) => {
  t.same(fromAdyenAmount(money(5, 'XYZ')), money(5, 'XYZ'))
})

t.test('an amount too large to be exact is not representable', async (t) => {
  t.equal(toAdyenAmount(money(Number.MAX_SAFE_INTEGER, 'CLP')), undefined)
  t.equal(fromAdyenAmount(money(Number.MAX_SAFE_INTEGER, 'IDR')), undefined)
  t.equal(fromAdyenAmount(money(1.5, 'GBP')), undefined)
  t.equal(fromAdyenAmount(money(Number.NaN, 'GBP')), undefined)
})

t.test('what Adyen can express comes back as it went out', async (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom(...currencies),
      fc.integer({ min: 0, max: 999_999_999_999 }),
      (currency, value) => {
        const there = toAdyenAmount({ currency, value })
        const back = there && fromAdyenAmount(there)
        return there === undefined
          ? exceptions.includes(currency) && value % 100 !== 0
          : back?.value === value && back.currency === currency
      }
    ),
    { numRuns: 1_000 }
  )
  t.pass('1,000 times')
})

import fc from 'fast-check'
import t from 'tap'
import { currencies, decimalsOf, fitsCmpDecimals, fitsCmpSize } from '../src/money.ts'

t.test('each currency has the decimals of ISO 4217', async (t) => {
  const expected: Record<string, number> = {
    ...{ JPY: 0, KRW: 0, CLP: 0, ISK: 0, UGX: 0, VND: 0, XAF: 0, XOF: 0, XPF: 0, PYG: 0, RWF: 0 },
    ...{ GBP: 2, EUR: 2, USD: 2, CVE: 2, IDR: 2, INR: 2, CHF: 2, SEK: 2, HUF: 2, MGA: 2 },
    ...{ BHD: 3, IQD: 3, JOD: 3, KWD: 3, LYD: 3, OMR: 3, TND: 3 }
  }
  for (const [currency, decimals] of Object.entries(expected)) {
    t.equal(decimalsOf(currency), decimals, currency)
  }
})

t.test('the list of currencies is sorted, without doubles, of three capitals each', async (t) => {
  t.same(currencies, [...new Set(currencies)].sort())
  t.same(
    currencies.filter((code) => !/^[A-Z]{3}$/.test(code)),
    []
  )
})

t.test('A16: what is no money in use has no decimals, funds codes among it', async (t) => {
  const funds = ['BOV', 'CHE', 'CHW', 'CLF', 'COU', 'MXV', 'USN', 'UYI', 'UYW']
  const units = ['XAD', 'XAG', 'XBA', 'XDR', 'XPD', 'XPT', 'XSU', 'XUA']
  const gone = ['ANG', 'BGN', 'CUC', 'HRK', 'SLL', 'ZWL']
  for (const code of [...funds, ...units, ...gone]) t.equal(decimalsOf(code), undefined, code)
  for (const code of ['XXX', 'XAU', 'XTS', 'DEM', 'gbp', 'GB', 'GBPX', '', 'constructor']) {
    t.equal(decimalsOf(code), undefined, JSON.stringify(code))
  }
})

t.test('the billing system holds 9,999,999.99 and not one minor unit more', async (t) => {
  const largest = { JPY: 9_999_999, GBP: 999_999_999, BHD: 9_999_999_990 }
  for (const [currency, value] of Object.entries(largest)) {
    t.ok(fitsCmpSize({ currency, value }), `${value} ${currency}`)
    t.notOk(fitsCmpSize({ currency, value: value + 1 }), `${value + 1} ${currency}`)
  }
})

t.test('only a third decimal that is not 0 is too fine for the billing system', async (t) => {
  t.ok(fitsCmpDecimals({ currency: 'GBP', value: 1 }))
  t.ok(fitsCmpDecimals({ currency: 'JPY', value: 1 }))
  t.ok(fitsCmpDecimals({ currency: 'BHD', value: 10 }))
  t.notOk(fitsCmpDecimals({ currency: 'BHD', value: 1 }))
  fc.assert(
    fc.property(
      fc.constantFrom(...currencies),
      fc.integer({ min: 1, max: 2 ** 40 }),
      (currency, value) =>
        fitsCmpDecimals({ currency, value }) ===
        (decimalsOf(currency) !== 3 || String(value).endsWith('0'))
    )
  )
})

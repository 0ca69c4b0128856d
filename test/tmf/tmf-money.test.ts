import fc from 'fast-check'
import t from 'tap'
import { parseExact, toExactNumber } from '../../src/http/exact-json.ts'
import { currencies, decimalsOf } from '../../src/money.ts'
import {
  canonicalNumber,
  readTmfMoney,
  type TmfMoney,
  toTmfMoney
} from '../../src/tmf/tmf-money.ts'

const read = (json: string) => readTmfMoney(parseExact(json) as TmfMoney)

t.test('decimals are read by their digits, whatever a double would make of them', async (t) => {
  const exact: ReadonlyArray<readonly [string, string, number]> = [
    ['GBP', '11.6', 1160],
    ['GBP', '11.60000', 1160],
    ['GBP', '1e2', 10_000],
    ['GBP', '1.16E+1', 1160],
    ['GBP', '0.3', 30],
    ['GBP', '1.005e1', 1005],
    ['GBP', '90071992547409.91', 9_007_199_254_740_991],
    ['KWD', '1.234', 1234],
    ['JPY', '500', 500],
    ['JPY', '500.0', 500]
  ]
  for (const [unit, value, minor] of exact) {
    t.same(read(`{"unit":"${unit}","value":${value}}`), { currency: unit, value: minor }, value)
  }
})

t.test('what no amount is gets a fault of its own', async (t) => {
  const faults: ReadonlyArray<readonly [string, string, string]> = [
    ['GBP', '0.30000000000000004', 'amount_not_representable'],
    ['GBP', '11.605', 'amount_not_representable'],
    ['JPY', '0.5', 'amount_not_representable'],
    ['KWD', '1.2345', 'amount_not_representable'],
    ['GBP', '1e-400', 'amount_not_representable'],
    ['GBP', '1e400', 'amount_too_large'],
    ['GBP', '1e999999999999', 'amount_too_large'],
    ['GBP', '90071992547409.92', 'amount_too_large'],
    ['GBP', '0', 'request_invalid'],
    ['GBP', '-0.0', 'request_invalid'],
    ['GBP', '-1', 'request_invalid'],
    ['XAU', '1', 'request_invalid']
  ]
  for (const [unit, value, code] of faults) {
    t.match(read(`{"unit":"${unit}","value":${value}}`), { code }, `${unit} ${value}`)
  }
})

t.test('every amount of every currency comes back as it was', async () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...currencies),
      fc.integer({ min: 1, max: 999_999_999_999 }),
      (currency, value) => {
        const json = JSON.stringify(toTmfMoney({ currency, value }))
        const back = read(json)
        const [, decimals = ''] = /\.(\d+)/.exec(json) ?? []
        return (
          'currency' in back &&
          back.value === value &&
          decimals.length <= (decimalsOf(currency) ?? 0) &&
          !/\.\d*0\b/.test(json)
        )
      }
    )
  )
})

t.test('money is written as a JSON number', async (t) => {
  const write = (currency: string, value: number) => JSON.stringify(toTmfMoney({ currency, value }))
  t.equal(write('GBP', 1160), '{"unit":"GBP","value":11.6}')
  t.equal(write('GBP', 5), '{"unit":"GBP","value":0.05}')
  t.equal(write('JPY', 500), '{"unit":"JPY","value":500}')
  t.equal(write('KWD', 10), '{"unit":"KWD","value":0.01}')
  t.equal(write('GBP', 0), '{"unit":"GBP","value":0}')
})

t.test('numbers that are equal are one text, and others are not', async (t) => {
  const one = (text: string) => canonicalNumber(toExactNumber(text))
  t.equal(one('11.60'), one('1.16e1'))
  t.equal(one('0'), one('-0.00'))
  t.equal(one('100'), one('1e2'))
  t.not(one('0.1'), one('0.10000000000000001'))
  t.not(one('1'), one('-1'))
})

/** Amounts as the pages of the examples show and read them: minor units, as the API counts them. */
import t from 'tap'
import { money, plainMoney, readMoney } from '../../examples/html.ts'
import { currencies, decimalsOf } from '../../src/money.ts'

t.test('every currency has the decimals that the API gives it', async (t) => {
  for (const currency of currencies) {
    const decimals = decimalsOf(currency) ?? 0
    const one = { currency, value: 10 ** decimals }
    const text = (1).toFixed(decimals)
    t.equal(plainMoney(one), text, currency)
    t.match(money(one).replace(/[^\d.]+/g, ' '), new RegExp(`(^| )${text}$`), currency)
    t.same(readMoney(text, currency), one, currency)
  }
})

t.test('a comma parts thousands, and nothing else', async (t) => {
  const read = (text: string) => readMoney(text, 'GBP')?.value
  t.equal(read(' £1,234.50 '), 123_450)
  t.equal(read('12,345,678'), 1_234_567_800)
  t.equal(read('25'), 2_500)
  t.equal(read('25.5'), 2_550)
  for (const text of ['12,50', '1,2345', ',123', '1,234,5', '25.505', '0', '-3', '', '1e3']) {
    t.equal(read(text), undefined, text)
  }
})

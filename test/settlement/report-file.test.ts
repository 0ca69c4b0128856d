import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { toReportAddress } from '../../src/adyen/report-address.ts'
import { readReportFile } from '../../src/adyen/report-file.reader.ts'
import { readTime, toMinorUnits } from '../../src/adyen/settlement-report.ts'
import type { SettlementLine } from '../../src/settlement/settlement.ts'
import { type Cells, csvOf, generate, payoutOf } from './generated.ts'

async function linesOf(...parts: string[]): Promise<SettlementLine[]> {
  const content = async function* () {
    for (const part of parts) yield Buffer.from(part)
  }
  const lines: SettlementLine[] = []
  for await (const piece of readReportFile(content())) lines.push(...piece.lines)
  return lines
}

t.test('columns are found by their names, in any order, after blank lines', async (t) => {
  const csv = csvOf([{}, payoutOf('24.78')])
  const [line, payout] = await linesOf(csv)
  t.match(line, {
    line: 1,
    meaning: 'settled',
    batch: '41',
    merchantAccount: 'TestMerchant',
    pspReference: 'AB12CD34EF56GH78',
    modificationReference: 'ZX98YV76WU54TS32',
    modificationMerchantReference: null,
    bookedAs: '2026-01-15 10:15:00',
    zone: 'CET',
    bookedAt: '2026-01-15T09:15:00.000Z',
    gross: { currency: 'GBP', value: 2500 },
    net: { currency: 'GBP', value: 2478 },
    fees: 22
  })
  t.match(payout, { meaning: 'payout', pspReference: null, net: { value: -2478 }, fees: 0 })
  const names = (csv.split('\n')[0] as string).split(',')
  const others = [...names.toReversed(), 'Metadata', 'Batch Number', 'Shopper Country']
  const turned = csvOf([{ Metadata: '{"a":"b, ""c"""}' }, payoutOf('24.78')], others)
  t.same(await linesOf(`\uFEFF\r\n\n\n${turned.replaceAll('\n', '\r\n')}`), [line, payout])
  t.same(await linesOf(...csv), [line, payout], 'a character at a time')
})

t.test('an unknown type is kept, and those of a batch have a meaning of their own', async (t) => {
  const meaningOf = async (own: Cells) => (await linesOf(csvOf([own])))[0]?.meaning
  const meanings = {
    ...{ Settled: 'settled', Refunded: 'refunded', RefundedReversed: 'refundReversed' },
    ...{ Chargeback: 'chargedBack', SecondChargeback: 'chargedBackAgain' },
    ...{ ChargebackReversed: 'chargebackReversed', Fee: 'costs', Balancetransfer: 'carried' },
    ...{ MiscCosts: 'costs', MerchantPayout: 'payout', SettledBulk: 'unknown' },
    ...{ constructor: 'unknown' }
  }
  for (const [Type, meaning] of Object.entries(meanings)) {
    t.equal(await meaningOf({ Type }), meaning, Type)
  }
})

t.test('what can’t be read is a fault that names its line', async (t) => {
  const faults: ReadonlyArray<readonly [string, RegExp]> = [
    [csvOf([{}]).slice(0, -30), /length/i],
    [csvOf([{ 'Gross Credit (GC)': '25,00' }]), /Line 1: "25,00" is not an amount/],
    [csvOf([{ 'Gross Credit (GC)': '25.001' }]), /GBP has 2 decimals/],
    [csvOf([{}, { 'Batch Number': '' }]), /Line 2: "Batch Number" is empty/],
    [csvOf([{ 'Gross Currency': 'gbp' }]), /not a currency/],
    [csvOf([{ 'Net Credit (NC)': '99999999999999999' }]), /too many/],
    [`${csvOf([{}])}"${'x'.repeat(300_000)}`, /size|Quote/i],
    ['', /empty/],
    ['a,b\n1,2\n', /not the header/],
    [csvOf([], ['Psp Reference', 'Type']), /lacks "Merchant Account", "Merchant Reference"/]
  ]
  for (const [csv, fault] of faults) {
    await t.rejects(linesOf(csv), { message: fault }, String(fault))
  }
})

t.test('a card number is hidden wherever it stands', async (t) => {
  const [line] = await linesOf(csvOf([{ 'Merchant Reference': 'card 4111 1111 1111 1111' }]))
  t.equal(line?.merchantReference, 'card [card number]')
  const broken = `${csvOf([{}])}4111 1111 1111 1111"x"`
  await t.rejects(linesOf(broken), { message: /card number/ }, 'also where the file is no CSV')
})

t.test('F4: a sum and a reference of Adyen’s may look like a card number', async (t) => {
  const [line] = await linesOf(
    csvOf([
      {
        'Psp Reference': '8200000000000003',
        'Gross Currency': 'IDR',
        'Gross Credit (GC)': '501800000009.00'
      }
    ])
  )
  t.equal(line?.pspReference, '8200000000000003')
  t.equal(line?.gross.value, 50_180_000_000_900)
})

t.test('amounts are exact, whatever either side counts as minor units', async (t) => {
  const amounts = [
    ['31.45', 'GBP', 3145n],
    ['31', 'GBP', 3100n],
    ['31.4', 'GBP', 3140n],
    ['0.1', 'BHD', 100n],
    ['-3.00', 'GBP', -300n],
    ['', 'GBP', 0n],
    ['500', 'JPY', 500n],
    // Adyen counts two decimals of the Icelandic króna, and none of the rupiah.
    ['500.00', 'ISK', 500n],
    ['500', 'IDR', 50_000n],
    ['9007199254740993.01', 'GBP', 900_719_925_474_099_301n]
  ] as const
  for (const [text, currency, value] of amounts) {
    t.equal(toMinorUnits(text, currency), value, `${text} ${currency}`)
  }
})

t.test('a time is in UTC only where its zone leaves no doubt', async (t) => {
  const at = (date: string, zone: string) => readTime(date, zone).bookedAt
  t.equal(at('2026-07-01 12:00:00', 'CEST'), '2026-07-01T10:00:00.000Z')
  t.equal(at('2026-07-01 12:00:00', 'CET'), null, 'it may mean the zone, which is at CEST')
  t.equal(at('2026-12-01 12:00:00', 'PST'), '2026-12-01T20:00:00.000Z')
  for (const zone of ['EST', 'BST', 'IST', 'constructor', '']) {
    t.equal(at('2026-12-01 12:00:00', zone), null, zone)
  }
  t.equal(at('2026-13-01 12:00:00', 'UTC'), null)
  t.match(readTime('1.2.2026', 'UTC'), { bookedAs: '1.2.2026', zone: 'UTC', bookedAt: null })
})

t.test('a report is fetched from Adyen, and only the file that was signed', async (t) => {
  const test = { environment: 'TEST', checkoutUrl: 'http://127.0.0.1:9999' } as const
  const file = 'settlement_detail_report_batch_41.csv'
  const path = `/reports/download/MerchantAccount/TestMerchant/${file}`
  const find = (url: string, name = file, site: Parameters<typeof toReportAddress>[2] = test) =>
    toReportAddress(url, name, site)
  for (const origin of ['https://ca-test.adyen.com', 'http://127.0.0.1:9999']) {
    t.same(find(origin + path), { address: origin + path })
  }
  const live = { environment: 'LIVE', checkoutUrl: undefined } as const
  t.match(find(`https://ca-live.adyen.com${path}`, file, live), { address: /^https/ })
  const notOfAdyen = [
    `http://ca-test.adyen.com${path}`,
    `https://ca-live.adyen.com${path}`,
    `https://ca-test.adyen.com.evil.example${path}`,
    `https://ca-test.adyen.com:8443${path}`,
    `https://169.254.169.254${path}`
  ]
  for (const url of notOfAdyen) t.match(find(url), { fault: /not one of the payment/ }, url)
  const notOfThis = [
    `https://user@ca-test.adyen.com${path}`,
    `https://ca-test.adyen.com${path}?next=https://evil.example`,
    `https://ca-test.adyen.com${path.replace('41', '42')}`,
    `https://ca-test.adyen.com/reports/download/MerchantAccount/x/../../${file}`
  ]
  for (const url of notOfThis) t.match(find(url), { fault: /not that of this report/ }, url)
  for (const url of ['not a url', '']) t.match(find(url), { fault: /names no address/ }, url)
  for (const name of ['../../etc/passwd', `${file}/x`, `a\\${file}`, 'a.csv', '']) {
    t.match(find(`https://ca-test.adyen.com${path}`, name), { fault: /has such a name/ }, name)
  }
  t.match(find(`http://127.0.0.1:9999${path}`, file, live), { fault: /not one of/ })
})

t.test('B9: a report whose name holds colons and the like is fetched', async (t) => {
  const site = { environment: 'TEST', checkoutUrl: undefined } as const
  const from = 'https://ca-test.adyen.com/reports/download/MerchantAccount/Test.Merchant/'
  for (const rest of ['2026-11-01T00:00:00_2026-12-01T00:00:00_ab12', 'a (1)', 'a+b', 'a,b~c=d']) {
    const name = `payments_accounting_report_${rest}.csv`
    for (const written of [name, encodeURIComponent(name)]) {
      const found = toReportAddress(from + written, name, site)
      t.ok('address' in found && found.address.startsWith(from), written)
    }
    t.match(toReportAddress(`${from}x${name}`, name, site), { fault: /not that of this report/ })
  }
})

t.test('memory does not grow with the length of a report', async (t) => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  /** The most that is in use after garbage was collected, looked at now and then. */
  const peakOf = async (count: number) => {
    let lines = 0
    let lookAt = 0
    let peak = 0
    for await (const piece of readReportFile(generate(count, 'TestMerchant'))) {
      lines += piece.lines.length
      if (lines < lookAt) continue
      lookAt += 2_000
      collectGarbage()
      peak = Math.max(peak, process.memoryUsage().heapUsed)
    }
    t.equal(lines, count + 1)
    return peak
  }
  await peakOf(5_000)
  const small = await peakOf(10_000)
  const large = await peakOf(50_000)
  t.ok(large - small < 8 * 1024 * 1024, `${small} and ${large} bytes`)
})

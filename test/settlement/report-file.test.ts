import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { toReportAddress } from '../../src/adyen-reports/report-address.ts'
import { readReportFile } from '../../src/adyen-reports/report-file.reader.ts'
import { readTime } from '../../src/adyen-reports/report-time.ts'
import { toMinorUnits } from '../../src/adyen-reports/settlement-report.ts'
import type { SettlementLine } from '../../src/settlement/settlement.ts'
import { type Cells, columns, csvOf, generate, payoutOf } from './generated.ts'

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
  for (const end of ['\n', '\r\n', '\r']) {
    const ended = csv.replaceAll('\n', end)
    t.same(await linesOf(ended), [line, payout], `lines that end with ${JSON.stringify(end)}`)
    t.same(await linesOf(...ended), [line, payout], 'a character at a time')
  }
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

/** Local times, each with its zone: the time in UTC where that is sure, else not before what. */
const times: ReadonlyArray<
  readonly [local: string, zones: string, at: string | null, from: string]
> = [
  ['2026-07-01 12:00:00', 'BST +01:00 UTC+1 Europe/London', '2026-07-01T11', '2026-07-01T11'],
  ['2026-07-01 12:00:00', 'CEST MEST +0200 Europe/Amsterdam', '2026-07-01T10', '2026-07-01T10'],
  ['2026-07-01 12:00:00', 'GMT UTC utc Z -00:00', '2026-07-01T12', '2026-07-01T12'],
  ['2026-07-01 12:00:00', 'EDT -4 America/New_York', '2026-07-01T16', '2026-07-01T16'],
  ['2026-12-01 12:00:00', 'EST GMT-5 COT PET', '2026-12-01T17', '2026-12-01T17'],
  ['2026-12-01 12:00:00', 'MST America/Denver', '2026-12-01T19', '2026-12-01T19'],
  ['2026-12-01 12:00:00', 'PST', '2026-12-01T20', '2026-12-01T20'],
  ['2026-07-01 12:00:00', 'PDT', '2026-07-01T19', '2026-07-01T19'],
  ['2026-12-01 12:00:00', 'AKST', '2026-12-01T21', '2026-12-01T21'],
  ['2026-12-01 12:00:00', 'HST', '2026-12-01T22', '2026-12-01T22'],
  ['2026-12-01 12:00:00', 'BRT ART UYT', '2026-12-01T15', '2026-12-01T15'],
  ['2026-12-01 12:00:00', 'MXT America/Mexico_City', '2026-12-01T18', '2026-12-01T18'],
  ['2026-12-01 12:00:00', 'SGT HKT AWST MYT', '2026-12-01T04', '2026-12-01T04'],
  ['2026-12-01 12:00:00', 'JST KST', '2026-12-01T03', '2026-12-01T03'],
  ['2026-12-01 12:00:00', 'AEDT Australia/Sydney', '2026-12-01T01', '2026-12-01T01'],
  ['2026-12-01 12:00:00', 'NZDT', '2026-11-30T23', '2026-11-30T23'],
  ['2026-07-01 12:00:00', 'AEST', '2026-07-01T02', '2026-07-01T02'],
  ['2026-07-01 12:00:00', 'NZST', '2026-07-01T00', '2026-07-01T00'],
  ['2026-12-01 13:30:00', 'ACDT', '2026-12-01T03', '2026-12-01T03'],
  ['2026-07-01 12:30:00', 'ACST', '2026-07-01T03', '2026-07-01T03'],
  // A name that the clock of its place cannot show may mean the place.
  ['2026-07-01 12:00:00', 'CET', null, '2026-07-01T10'],
  ['2026-12-01 12:00:00', 'CEST', null, '2026-12-01T10'],
  ['2026-12-01 12:00:00', 'BST', null, '2026-12-01T11'],
  ['2026-07-01 12:00:00', 'EST', null, '2026-07-01T16'],
  ['2026-12-01 12:00:00', 'AEST', null, '2026-12-01T01'],
  // In the weeks in which one continent has changed its clocks and the other has not.
  ['2026-03-20 12:00:00', 'EDT', '2026-03-20T16', '2026-03-20T16'],
  ['2026-03-20 12:00:00', 'EST', null, '2026-03-20T16'],
  ['2026-03-20 12:00:00', 'CET', '2026-03-20T11', '2026-03-20T11'],
  ['2026-10-28 12:00:00', 'GMT', '2026-10-28T12', '2026-10-28T12'],
  ['2026-10-28 12:00:00', 'BST', null, '2026-10-28T11'],
  // An hour that comes twice, and one that never comes.
  ['2026-10-25 01:30:00', 'BST', '2026-10-25T00', '2026-10-25T00'],
  ['2026-10-25 01:30:00', 'Europe/London', null, '2026-10-25T00'],
  ['2026-03-29 01:30:00', 'Europe/London', null, '2026-03-29T00'],
  // What names several zones of the world.
  ['2026-12-01 12:00:00', 'IST', null, '2026-12-01T06'],
  ['2026-12-01 12:00:00', 'CST', null, '2026-12-01T04'],
  ['2026-12-01 12:00:00', 'AST', null, '2026-12-01T09'],
  ['2026-12-01', 'UTC', null, '2026-12-01T00'],
  ['2026-12-01 12:00:00+03:00', 'anything', '2026-12-01T09', '2026-12-01T09']
]

t.test('C1: a time is in UTC where its zone leaves no doubt, else not before one', async (t) => {
  for (const [local, zones, at, from] of times) {
    for (const zone of zones.split(' ')) {
      const read = readTime(local, zone)
      t.equal(read.bookedAt?.slice(0, 13) ?? null, at, `${local} ${zone}`)
      t.equal(read.bookedFrom?.slice(0, 13), from, `${local} ${zone}, not before`)
      t.equal(read.unknownZone, null, `${zone} is known`)
      t.match(read, { bookedAs: local, zone })
    }
  }
})

t.test('C1: a zone that nobody knows is named, and bounded by the furthest clock', async (t) => {
  for (const zone of ['XYZT', 'constructor', 'Mars/Base', '+25:00', 'CET/CEST', '']) {
    const read = readTime('2026-12-01 12:00:00', zone)
    t.match(read, { bookedAt: null, unknownZone: zone || 'none' }, zone)
    t.equal(read.bookedFrom, '2026-11-30T22:00:00.000Z')
  }
  for (const offset of ['+15:00', '-13:00', '+23:59', '+14:30', '+01:99', '+99:00', '-1500']) {
    const unknown = { bookedAt: null, unknownZone: offset }
    t.match(readTime('2026-12-01 12:00:00', offset), unknown, offset)
    t.match(readTime(`2026-12-01 12:00:00${offset}`, 'GMT'), unknown, `${offset} of its own`)
  }
  t.match(readTime('', 'XYZT'), { bookedAt: null, bookedFrom: null, unknownZone: null })
  const notInTheYear = ['2026-02-30 10:00:00', '2026-02-29', '2026-11-31', '2026-13-01 12:00:00']
  for (const date of [...notInTheYear, '1.2.2026', '20/11/2026 10:00', 'yesterday']) {
    t.throws(() => readTime(date, 'UTC'), { message: /is not a date/ }, date)
  }
})

t.test('C3: what is settled is so when it was booked, not when it was sold', async (t) => {
  const names = [...columns, 'Booking Date', 'Booking Date TimeZone']
  const settledAt = async (own: Cells, named = names) =>
    (await linesOf(csvOf([own], named)))[0]?.settledAt
  const booked = { 'Booking Date': '2026-01-17 23:50:00', 'Booking Date TimeZone': 'CET' }
  t.equal(await settledAt(booked), '2026-01-17T22:50:00.000Z')
  t.equal(
    await settledAt({ ...booked, 'Booking Date TimeZone': 'EST' }),
    '2026-01-18T04:50:00.000Z'
  )
  t.equal(await settledAt({ 'Booking Date': booked['Booking Date'] }), '2026-01-17T22:50:00.000Z')
  t.equal(await settledAt({ ...booked, 'Booking Date TimeZone': 'XYZT' }), null)
  t.equal(await settledAt({}), null)
  t.equal(await settledAt(booked, columns), null)
  t.equal(await settledAt(payoutOf('24.78')), '2026-01-15T09:15:00.000Z', 'a payout is paid then')
  t.equal(await settledAt({ ...payoutOf('1.00'), Type: 'BankInstructionReturned' }), null)
})

t.test('C2: what net lacks of gross is in the columns of fees, or is not explained', async (t) => {
  const none = { 'Markup (NC)': '', 'Scheme Fees (NC)': '', 'Interchange (NC)': '' }
  const feesOf = async (own: Cells) => {
    const names = [...columns, 'DCC Markup (NC)', 'Payment Fees (NC)', 'Gross Fees (NC)']
    const [line] = await linesOf(csvOf([own], names))
    return [line?.fees, line?.otherFees, line?.areFeesNamed]
  }
  t.same(await feesOf({}), [22, 0, true])
  t.same(await feesOf({ ...none, 'Commission (NC)': '0.22' }), [22, 0, true])
  t.same(await feesOf({ ...none, 'Payment Fees (NC)': '0.22' }), [0, 22, true])
  t.same(await feesOf({ ...none, 'Gross Fees (NC)': '0.22' }), [0, 22, true])
  t.same(await feesOf({ 'DCC Markup (NC)': '0.10', 'Net Credit (NC)': '24.88' }), [22, -10, true])
  t.same(await feesOf({ 'Net Credit (NC)': '0.78' }), [22, 2400, false])
  t.same(await feesOf({ ...none }), [0, 22, false])
  t.same(await feesOf({ 'Payment Fees (NC)': '0.22', 'Net Credit (NC)': '24.00' }), [22, 78, false])
  // What was converted can't be compared.
  t.same(await feesOf({ 'Net Currency': 'EUR', 'Net Credit (NC)': '29.11' }), [22, 0, true])
  for (const rate of [
    '',
    '1',
    '1.0000',
    '1.1',
    '0.99',
    '0',
    '+1',
    '01',
    ' 1',
    '-1',
    '1e0',
    'abc'
  ]) {
    const own = { 'Exchange Rate': rate, 'Net Credit (NC)': '9.00' }
    t.same(await feesOf(own), [22, 1578, false], `nothing was converted at a rate of "${rate}"`)
  }
  const chargeback = { 'Gross Credit (GC)': '', 'Gross Debit (GC)': '40.00' }
  const net = { ...none, 'Net Credit (NC)': '', 'Net Debit (NC)': '47.50' }
  t.same(await feesOf({ ...chargeback, ...net, 'Commission (NC)': '7.50' }), [750, 0, true])
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

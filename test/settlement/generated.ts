/** Settlement details of any length, made as they are read: they add up. */

/** The standard columns. */
export const columns = [
  ...['Company Account', 'Merchant Account', 'Psp Reference', 'Merchant Reference'],
  ...['Payment Method', 'Creation Date', 'TimeZone', 'Type', 'Modification Reference'],
  ...['Gross Currency', 'Gross Debit (GC)', 'Gross Credit (GC)', 'Exchange Rate', 'Net Currency'],
  ...['Net Debit (NC)', 'Net Credit (NC)', 'Commission (NC)', 'Markup (NC)', 'Scheme Fees (NC)'],
  ...['Interchange (NC)', 'Payment Method Variant', 'Modification Merchant Reference'],
  ...['Batch Number', 'Reserved4', 'Reserved5', 'Reserved6', 'Reserved7', 'Reserved8', 'Reserved9'],
  'Reserved10'
]

export type Cells = Record<string, string>

/** What a line has unless told otherwise: 25.00 GBP of a payment, settled for 24.78. */
const sale: Cells = {
  'Company Account': 'ExampleCo',
  'Merchant Account': 'TestMerchant',
  'Psp Reference': 'AB12CD34EF56GH78',
  'Merchant Reference': 'pay_0000000000000001',
  'Payment Method': 'visa',
  'Creation Date': '2026-01-15 10:15:00',
  TimeZone: 'CET',
  Type: 'Settled',
  'Modification Reference': 'ZX98YV76WU54TS32',
  'Gross Currency': 'GBP',
  'Gross Credit (GC)': '25.00',
  'Exchange Rate': '1',
  'Net Currency': 'GBP',
  'Net Credit (NC)': '24.78',
  'Markup (NC)': '0.10',
  'Scheme Fees (NC)': '0.05',
  'Interchange (NC)': '0.07',
  'Payment Method Variant': 'visastandardcredit',
  'Batch Number': '41'
}

const quote = (text = '') => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

/** A CSV of these lines; each has what a sale has, but for its own cells. */
export function csvOf(lines: readonly Cells[], names: readonly string[] = columns): string {
  const rows = lines.map((own) => names.map((name) => quote({ ...sale, ...own }[name])).join(','))
  return `${[names.map(quote).join(','), ...rows].join('\n')}\n`
}

/** The line that pays out what is given in major units. */
export function payoutOf(amount: string): Cells {
  return {
    ...{ 'Psp Reference': '', 'Merchant Reference': '', 'Gross Credit (GC)': '' },
    ...{ Type: 'MerchantPayout', 'Modification Reference': 'TX1 batch 41, TestMerchant' },
    ...{ 'Net Credit (NC)': '', 'Net Debit (NC)': amount, 'Markup (NC)': '' },
    ...{ 'Scheme Fees (NC)': '', 'Interchange (NC)': '' }
  }
}

/** `count` sales and their payout, in pieces. Of `merchantAccount`, whose payments nobody knows. */
export async function* generate(
  count: number,
  merchantAccount: string
): AsyncGenerator<Uint8Array> {
  const [header, template] = csvOf([{ 'Merchant Account': merchantAccount }]).split('\n')
  yield Buffer.from(`${header}\n`)
  let text = ''
  for (let line = 0; line < count; line += 1) {
    const psp = `PSP${String(line).padStart(13, '0')}`
    text += `${template?.replace('AB12CD34EF56GH78', psp)}\n`
    if (text.length < 64 * 1024) continue
    yield Buffer.from(text)
    text = ''
  }
  const paid = BigInt(count) * 2478n
  const amount = `${paid / 100n}.${String(paid % 100n).padStart(2, '0')}`
  const payout = csvOf([{ ...payoutOf(amount), 'Merchant Account': merchantAccount }])
  yield Buffer.from(`${text}${payout.split('\n')[1]}\n`)
}

export type Amount = { currency: string; value: number }

/** https://docs.adyen.com/development-resources/currency-codes: Adyen's table, not ISO 4217. */
const WITHOUT_DECIMALS = 'CVE DJF GNF IDR JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF'.split(' ')
const WITH_THREE_DECIMALS = 'BHD IQD JOD KWD LYD OMR TND'.split(' ')

export function decimalsOf(currency: string): number {
  if (WITHOUT_DECIMALS.includes(currency)) return 0
  return WITH_THREE_DECIMALS.includes(currency) ? 3 : 2
}

/** For people to read: `{ currency: 'GBP', value: 2500 }` is £25.00. */
export function formatAmount({ currency, value }: Amount): string {
  const decimals = decimalsOf(currency)
  return new Intl.NumberFormat('en-GB', {
    style: 'currency',
    currency,
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals
  }).format(value / 10 ** decimals)
}

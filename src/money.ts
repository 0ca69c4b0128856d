/** Amounts of money: integers of minor units beside their currency (ISO 4217). */

export type Money = { currency: string; value: number }

/** The amount and nothing else, for what goes out. */
export const moneyOf = ({ currency, value }: Money): Money => ({ currency, value })

/**
 * ISO 4217, list one as of 2026-01-01: the codes of money that is in use, by the number of their
 * decimals. Without funds codes (BOV, CHE, CHW, CLF, COU, MXV, USN, UYI, UYW), metals, units of
 * account and tests (X…), in which nobody keeps an account.
 */
const codesByDecimals: Readonly<Record<number, string>> = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF',
  2:
    'AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF ' +
    'CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD ' +
    'HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA ' +
    'MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN ' +
    'QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP ' +
    'TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG',
  3: 'BHD IQD JOD KWD LYD OMR TND'
}

const decimalsByCode: ReadonlyMap<string, number> = new Map(
  Object.entries(codesByDecimals).flatMap(([decimals, codes]) =>
    codes.split(' ').map((code): [string, number] => [code, Number(decimals)])
  )
)

export const currencies: readonly string[] = [...decimalsByCode.keys()].sort()

/** CMP's Amount is Decimal(9,2): two decimals, at most 9,999,999.99. */
const cmpDecimals = 2
const cmpLargestMajor = 9_999_999.99

/** How many decimals the currency has; undefined where it is none of ours. */
export function decimalsOf(currency: string): number | undefined {
  return decimalsByCode.get(currency)
}

/** Whether the amount has at most the two decimals that CMP can hold. */
export function fitsCmpDecimals({ currency, value }: Money): boolean {
  const excess = (decimalsOf(currency) ?? 0) - cmpDecimals
  return excess <= 0 || value % 10 ** excess === 0
}

/** Whether the amount, in major units, is at most what CMP can hold. */
export function fitsCmpSize({ currency, value }: Money): boolean {
  return value <= Math.floor(cmpLargestMajor * 10 ** (decimalsOf(currency) ?? 0) + 1e-6)
}

/** Adyen's minor units, which are not ISO 4217's everywhere. */
import { decimalsOf, type Money } from '../money.ts'

/**
 * Adyen's table as of 2026-11-28 (docs.adyen.com/development-resources/currency-codes, and
 * `Util.getDecimalPlaces` of its libraries): what is not named here has two decimals, also where
 * ISO 4217 has none (BIF, CLP, ISK).
 */
const codesByDecimals: Readonly<Record<number, string>> = {
  0: 'CVE DJF GNF IDR JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF',
  3: 'BHD IQD JOD KWD LYD OMR TND'
}

const decimalsByCode: ReadonlyMap<string, number> = new Map(
  Object.entries(codesByDecimals).flatMap(([decimals, codes]) =>
    codes.split(' ').map((code): [string, number] => [code, Number(decimals)])
  )
)

/** How many digits Adyen's minor units have more than ours; none where ours are not known. */
function extraDigits(currency: string): number {
  const ours = decimalsOf(currency)
  return ours === undefined ? 0 : (decimalsByCode.get(currency) ?? 2) - ours
}

/** The amount in Adyen's minor units; undefined where they can't express it. */
export function toAdyenAmount({ currency, value }: Money): Money | undefined {
  return scale(currency, value, extraDigits(currency))
}

/** An amount of Adyen's in our minor units; undefined where they can't express it. */
export function fromAdyenAmount({ currency, value }: Money): Money | undefined {
  return scale(currency, value, -extraDigits(currency))
}

function scale(currency: string, value: number, digits: number): Money | undefined {
  const factor = 10 ** Math.abs(digits)
  const scaled = digits >= 0 ? value * factor : value / factor
  return Number.isSafeInteger(scaled) ? { currency, value: scaled } : undefined
}

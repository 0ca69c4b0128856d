/**
 * Adyen's minor units. They are ISO 4217's but for four currencies
 * (docs.adyen.com/development-resources/currency-codes).
 */
import { decimalsOf, type Money } from '../money.ts'

const decimalsAtAdyen: Readonly<Record<string, number>> = { CLP: 2, ISK: 2, CVE: 0, IDR: 0 }

/** How many digits Adyen's minor units have more than ours. */
function extraDigits(currency: string): number {
  const ours = decimalsOf(currency) ?? 2
  return (decimalsAtAdyen[currency] ?? ours) - ours
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

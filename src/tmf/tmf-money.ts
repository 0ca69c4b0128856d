/** Money as TM Forum writes it, `{ unit, value }`: a decimal number of major units. Pure. */
import { type ExactNumber, toExactNumber } from '../http/exact-json.ts'
import { decimalsOf, type Money } from '../money.ts'
import type { ProblemCode } from '../problems/problems.ts'

export type TmfMoney = { unit: string; value: ExactNumber }

/** Of a currency that is none of ours any more, two decimals. */
export function toTmfMoney({ currency, value }: Money): TmfMoney {
  return { unit: currency, value: toExactNumber(toDecimal(value, decimalsOf(currency) ?? 2)) }
}

/** `value` of `10 ** -decimals` each, without zeros at the end: 1160 and 2 are `11.6`. */
function toDecimal(value: number, decimals: number): string {
  const digits = String(Math.abs(value)).padStart(decimals + 1, '0')
  const whole = digits.slice(0, digits.length - decimals)
  const part = withoutLastZeros(digits.slice(digits.length - decimals))
  return `${value < 0 ? '-' : ''}${whole}${part === '' ? '' : `.${part}`}`
}

/** A pattern for it would take a long time for many zeros that are not the last. */
function withoutLastZeros(digits: string): string {
  let end = digits.length
  while (digits[end - 1] === '0') end -= 1
  return digits.slice(0, end)
}

type MoneyFault = { code: ProblemCode; at: '/unit' | '/value'; detail: string }

/** An amount above 0 in minor units, or what is wrong with it. */
export function readTmfMoney({ unit, value }: TmfMoney): Money | MoneyFault {
  const decimals = decimalsOf(unit)
  if (decimals === undefined) {
    return { code: 'request_invalid', at: '/unit', detail: 'is no currency of ISO 4217 in use' }
  }
  const { sign, digits, exponent } = readDecimal(value.rawJSON)
  const fault = (code: ProblemCode, detail: string) => ({ code, at: '/value', detail }) as const
  if (sign < 0 || digits === '') return fault('request_invalid', 'must be more than 0')
  // Nothing is as large as this, nor so small: such a number is not written out.
  if (digits.length + exponent > 15) return fault('amount_too_large', 'is too large')
  if (exponent < -decimals) {
    const detail = `has more than the ${decimals} decimals of ${unit}`
    return fault('amount_not_representable', detail)
  }
  const minor = Number(digits + '0'.repeat(exponent + decimals))
  if (!Number.isSafeInteger(minor)) return fault('amount_too_large', 'is too large')
  return { currency: unit, value: minor }
}

type Decimal = { sign: 1 | -1; digits: string; exponent: number }

/**
 * A number of JSON as `digits` times `10 ** exponent`, without zeros at either end: what is equal
 * reads the same. Zero has no digits.
 */
function readDecimal(text: string): Decimal {
  const [, minus, whole = '', part = '', power = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(text) ?? []
  const sign = minus === '-' ? -1 : 1
  const significant = `${whole}${part}`.replace(/^0+/, '')
  const digits = withoutLastZeros(significant)
  if (digits === '') return { sign: 1, digits, exponent: 0 }
  return {
    sign,
    digits,
    exponent: Number(power) - part.length + significant.length - digits.length
  }
}

/** The one text for all that are equal, for comparisons: `11.60` and `1.16e1` are `116e-1`. */
export function canonicalNumber({ rawJSON }: ExactNumber): string {
  const { sign, digits, exponent } = readDecimal(rawJSON)
  return digits === '' ? '0' : `${sign < 0 ? '-' : ''}${digits}e${exponent}`
}

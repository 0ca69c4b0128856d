/** Filters of decimals of major units, as ranges of minor ones. Pure. */
import type { Filter } from '../tmf/tmf-query.ts'

/**
 * Minor units, both included; of none the first is more than the last. Between two whole ones lies
 * what no amount is equal to.
 */
export function rangeOfAmounts(filters: readonly Filter[], decimals: number) {
  let from = Number.MIN_SAFE_INTEGER
  let to = Number.MAX_SAFE_INTEGER
  for (const { operator, values } of filters) {
    const { below, above } = minorAround(values[0] as string, decimals)
    const isWhole = below === above
    if (operator === 'gt') from = Math.max(from, isWhole ? above + 1 : above)
    if (operator === 'lt') to = Math.min(to, isWhole ? below - 1 : below)
    if (operator === 'gte' || operator === 'eq') from = Math.max(from, above)
    if (operator === 'lte' || operator === 'eq') to = Math.min(to, below)
  }
  return { amountFrom: from, amountTo: to }
}

/** The whole minor units at a decimal, or on both sides of it. */
function minorAround(value: string, decimals: number): { below: number; above: number } {
  const [, minus = '', whole = '', part = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(value) ?? []
  const padded = part.padEnd(decimals, '0')
  const minor = Number(`${minus}${whole}${padded.slice(0, decimals)}`)
  if (!/[1-9]/.test(padded.slice(decimals))) return { below: minor, above: minor }
  return minus === '' ? { below: minor, above: minor + 1 } : { below: minor - 1, above: minor }
}

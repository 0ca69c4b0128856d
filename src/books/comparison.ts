/** A period as whole days that were compared before, and what is left of it. Pure. */
import { dayMs, type Span, spanOf } from './closing.ts'
import type { SummedUp } from './three-way.ts'

export type Comparison = { day: string; sums: SummedUp[] }

/** Of `known` those that lie within the period and did not change; and the spans between them. */
export function splitPeriod(
  { from, to }: Span,
  known: readonly Comparison[],
  changed: ReadonlySet<string>
): { days: Comparison[]; left: Span[] } {
  const days = known
    .filter(({ day }) => isWithin(spanOf(day).span, { from, to }) && !changed.has(day))
    .sort((one, other) => (one.day < other.day ? -1 : 1))
  const left: Span[] = []
  let at = from
  for (const { day } of days) {
    const { span } = spanOf(day)
    if (at < span.from) left.push({ from: at, to: span.from })
    at = span.to
  }
  if (at < to) left.push({ from: at, to })
  return { days, left }
}

const isWithin = (part: Span, whole: Span) => part.from >= whole.from && part.to <= whole.to

/** The days (UTC) that lie within the period as a whole, the first and the last; `2026-11-28`. */
export function wholeDays({ from, to }: Span): { first: string; last: string } {
  const date = (ms: number) => new Date(ms).toISOString().slice(0, 10)
  const first = Math.ceil(from.getTime() / dayMs) * dayMs
  const last = Math.floor(to.getTime() / dayMs) * dayMs - dayMs
  return { first: date(first), last: date(last) }
}

/** What parts of a period come to together. */
export function addUpParts(parts: ReadonlyArray<readonly SummedUp[]>): SummedUp[] {
  const sums = new Map<string, SummedUp>()
  for (const one of parts.flat()) {
    const key = `${one.currency} ${one.what}`
    const { count = 0, amount = 0 } = sums.get(key) ?? {}
    sums.set(key, { ...one, count: count + one.count, amount: amount + one.amount })
  }
  return [...sums.values()]
}

/** What the books came to at the end of a day (UTC): later days go on from there. Pure. */
import type { PostingSum, SettledSum } from './summary.ts'

export const dayMs = 24 * 60 * 60_000

/** From `from` to before `to`. */
export type Span = { from: Date; to: Date }

/** Sums since the beginning, minor units. */
export type Closing = {
  day: string
  postings: Array<Omit<PostingSum, 'before' | 'during' | 'count'> & { amount: number }>
  settled: Array<{ currency: string; ours: number }>
}

/** A day is closed once it has been over for as long: every transaction of it has ended by then. */
const openForMs = dayMs

/** The day after, and its span. */
export function dayAfter(day: string): { day: string; span: Span } {
  return spanOf(toDay(startOf(day) + dayMs))
}

export function spanOf(day: string): { day: string; span: Span } {
  const from = startOf(day)
  return { day, span: { from: new Date(from), to: new Date(from + dayMs) } }
}

export function mayClose({ to }: Span, now: Date): boolean {
  return to.getTime() + openForMs <= now.getTime()
}

/** The parts of a day that are added up by themselves: no statement takes long. */
export function hoursOf({ from, to }: Span): Span[] {
  const hours = (to.getTime() - from.getTime()) / hourMs
  const at = (hour: number) => new Date(from.getTime() + hour * hourMs)
  return Array.from({ length: hours }, (_, hour) => ({ from: at(hour), to: at(hour + 1) }))
}

const hourMs = 60 * 60_000
const startOf = (day: string) => Date.parse(`${day}T00:00:00Z`)
const toDay = (ms: number) => new Date(ms).toISOString().slice(0, 10)

/** The closing of `day`: what the last one has, and what came since. */
export function closeDay(
  day: string,
  last: Closing | undefined,
  postings: readonly PostingSum[],
  settled: readonly SettledSum[]
): Closing {
  const byPosting = new Map<string, Closing['postings'][number]>()
  for (const { currency, posting, debitAccount, creditAccount, amount } of [
    ...(last?.postings ?? []),
    ...postings.map(({ before, during, ...kind }) => ({ ...kind, amount: before + during }))
  ]) {
    const key = JSON.stringify([currency, posting, debitAccount, creditAccount])
    const sum = (byPosting.get(key)?.amount ?? 0) + amount
    byPosting.set(key, { currency, posting, debitAccount, creditAccount, amount: sum })
  }
  const byCurrency = new Map<string, number>()
  for (const { currency, ours } of [
    ...(last?.settled ?? []),
    ...settled.map(({ currency, settledUntil: ours }) => ({ currency, ours }))
  ]) {
    byCurrency.set(currency, (byCurrency.get(currency) ?? 0) + ours)
  }
  return {
    day,
    postings: [...byPosting.values()],
    settled: [...byCurrency].map(([currency, ours]) => ({ currency, ours }))
  }
}

/** What was before, in the form in which a day is added up. */
export function asBefore({ postings, settled }: Closing): {
  postings: PostingSum[]
  settled: SettledSum[]
} {
  const none = { lines: 0, gross: 0, ours: 0 }
  return {
    postings: postings.map(({ amount, ...kind }) => {
      return { ...kind, before: amount, during: 0, count: 0 }
    }),
    settled: settled.map(({ currency, ours }) => ({ currency, ...none, settledUntil: ours }))
  }
}

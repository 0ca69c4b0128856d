import type { Columns } from '../http/columns.ts'
import type { toSummaryView } from './summary.ts'

type Summary = ReturnType<typeof toSummaryView>
type SummaryRow = {
  date: string
  currency: string | null
  section: string
  item: string | null
  measure: string
  value: number
}

/** One number of a summary: minor units of `currency`, or how many. */
export const summaryColumns: Columns<SummaryRow> = {
  date: ({ date }) => date,
  currency: ({ currency }) => currency,
  section: ({ section }) => section,
  item: ({ item }) => item,
  measure: ({ measure }) => measure,
  value: ({ value }) => value
}

/** Every number of the summary, in its order. */
export function toSummaryRows({ date, currencies, discrepancies }: Summary): SummaryRow[] {
  const rowsOf = (currency: string | null, section: string, item: string | null, all: object) =>
    Object.entries(all).map(([measure, value]) => {
      return { date, currency, section, item, measure, value }
    })
  const ofCurrencies = currencies.flatMap(({ currency, movements, accounts, ...rest }) => [
    ...movements.flatMap(({ posting, ...all }) => rowsOf(currency, 'movements', posting, all)),
    ...accounts.flatMap(({ account, ...all }) => rowsOf(currency, 'accounts', account, all)),
    ...rowsOf(currency, 'settlement', null, rest.settlement),
    ...rowsOf(currency, 'payout', null, rest.payout)
  ])
  const counts = discrepancies.flatMap(({ kind, ...all }) =>
    rowsOf(null, 'discrepancies', kind, all)
  )
  return [...ofCurrencies, ...counts]
}

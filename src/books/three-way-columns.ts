import type { Columns } from '../http/columns.ts'
import type { balance } from './three-way.ts'

type ThreeWay = { from: string; to: string; currencies: ReturnType<typeof balance> }
type ThreeWayRow = {
  from: string
  to: string
  currency: string
  side: string
  reason: string | null
  count: number | null
  amount: number
}

/** A side, or a reason why it is not the ledger's: `amount` in minor units of `currency`. */
export const threeWayColumns: Columns<ThreeWayRow> = {
  from: ({ from }) => from,
  to: ({ to }) => to,
  currency: ({ currency }) => currency,
  side: ({ side }) => side,
  reason: ({ reason }) => reason,
  count: ({ count }) => count,
  amount: ({ amount }) => amount
}

export function toThreeWayRows({ from, to, currencies }: ThreeWay): ThreeWayRow[] {
  return currencies.flatMap((one) => {
    const { currency, provider, ledger, billing, differences, unexplained } = one
    const about = { from, to, currency }
    return [
      { ...about, side: 'ledger', reason: null, ...ledger },
      { ...about, side: 'provider', reason: null, ...provider },
      ...differences.provider.map((why) => ({ ...about, side: 'provider', ...why })),
      { ...about, side: 'billing', reason: null, ...billing },
      ...differences.billing.map((why) => ({ ...about, side: 'billing', ...why })),
      { ...about, side: 'unexplained', reason: null, count: null, amount: unexplained }
    ]
  })
}

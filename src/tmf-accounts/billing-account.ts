/** An account as a billing account of TMF666 v4: what it owes, as balances. Pure. */
import type { Account, Balance } from '../accounts/account.ts'
import { toTmfMoney } from '../tmf/tmf-money.ts'
import { identify } from '../tmf/tmf-paths.ts'
import { filtersOf } from '../tmf-payments/tmf-filters.ts'

/** `readAt`: when its balances were these; they are minor units. */
export type BillingAccount = Account & Balance & { updatedAt: Date; readAt: Date }

export const states = { open: 'Active', closed: 'Closed' } as const

export const balanceTypes = ['outstanding', 'overdue', 'inQuery', 'credit'] as const

/** Those that TMF666 names, of what is known. */
const paymentStatusOf = ({ outstanding, overdue }: Balance) =>
  overdue > 0 ? 'in arrears' : outstanding > 0 ? 'due' : 'paid'

/** The standard demands a name and a party; what we know of the party is whose account it is. */
export function toBillingAccount(account: BillingAccount, publicUrl: string) {
  const { currency, status, updatedAt } = account
  const id = String(account.id)
  const name = account.name ?? `Account ${id}`
  const readAt = account.readAt.toISOString()
  return {
    ...identify(publicUrl, 'billingAccount', id),
    name,
    state: states[status],
    paymentStatus: paymentStatusOf(account),
    lastModified: updatedAt.toISOString(),
    accountBalance: balanceTypes.map((balanceType) => ({
      balanceType,
      amount: toTmfMoney({ currency, value: account[balanceType] }),
      validFor: { startDateTime: readAt, endDateTime: readAt },
      '@type': 'AccountBalance',
      '@baseType': 'AccountBalance'
    })),
    relatedParty: [
      {
        ...{ id, name, role: 'customer' },
        '@type': 'RelatedParty',
        '@baseType': 'EntityRef',
        '@referredType': 'Customer'
      }
    ],
    '@type': 'BillingAccount',
    '@baseType': 'PartyAccount'
  }
}

export const accountFilters = filtersOf({
  id: ['text', 'Account numbers'],
  href: ['text', 'Where it is'],
  name: ['text', 'As it is shown'],
  state: [Object.values(states), 'Whether it is open'],
  paymentStatus: ['text', 'paid, due, in arrears'],
  lastModified: ['date', 'When name or state were pushed last'],
  'accountBalance.balanceType': [balanceTypes, 'All have each'],
  '@type': ['text', 'BillingAccount'],
  '@baseType': ['text', 'PartyAccount']
})

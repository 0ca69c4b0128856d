import { Type } from 'typebox'
import { ref, Timestamp } from '../http/common.schema.ts'
import { TmfMoneySchema, TmfRelatedPartySchema } from '../tmf/tmf.schema.ts'
import { balanceTypes, states } from './billing-account.ts'

const validFor = {
  startDateTime: '2026-11-22T09:00:00.000Z',
  endDateTime: '2026-11-22T09:00:00.000Z'
}
const balanceExample = (balanceType: string, value: number) => ({
  balanceType,
  amount: { unit: 'GBP', value },
  validFor,
  '@type': 'AccountBalance',
  '@baseType': 'AccountBalance'
})

export const AccountBalanceSchema = Type.Object(
  {
    balanceType: Type.Enum([...balanceTypes], {
      description:
        'outstanding: owed and not yet paid. overdue: of that, past due and not in query. ' +
        'inQuery: of that, questioned by the customer. credit: money that no charge has taken'
    }),
    amount: ref(TmfMoneySchema),
    validFor: Type.Object(
      { startDateTime: Timestamp, endDateTime: Timestamp },
      { description: 'When it was so: the moment of the answer' }
    ),
    '@type': Type.String({ description: 'AccountBalance' }),
    '@baseType': Type.String({ description: 'AccountBalance' })
  },
  {
    $id: 'TmfAccountBalance',
    description: 'What is owed, or is there to pay it',
    examples: [balanceExample('outstanding', 42)]
  }
)

export const BillingAccountSchema = Type.Object(
  {
    id: Type.String({ description: 'The number of the account' }),
    href: Type.String({ format: 'uri', description: 'Where it is' }),
    '@type': Type.String({ description: 'BillingAccount' }),
    name: Type.String({ description: 'As it was pushed, else `Account` and its number' }),
    state: Type.Enum(Object.values(states), {
      description: 'Closed: it takes no new payments or charges'
    }),
    paymentStatus: Type.String({
      description: 'paid, due, or in arrears where some is overdue'
    }),
    lastModified: Timestamp,
    accountBalance: Type.Array(ref(AccountBalanceSchema), { description: 'One of each type' }),
    relatedParty: Type.Array(ref(TmfRelatedPartySchema), {
      description: 'The customer, who is known here by the account alone'
    }),
    '@baseType': Type.String({ description: 'PartyAccount' })
  },
  {
    $id: 'TmfBillingAccount',
    description: 'An account of a customer with its balances',
    examples: [
      {
        id: '10000001',
        href: 'https://payments.example/tmf-api/accountManagement/v4/billingAccount/10000001',
        name: 'A. Customer',
        state: 'Active',
        paymentStatus: 'in arrears',
        lastModified: '2026-11-22T09:00:00.000Z',
        accountBalance: [
          balanceExample('outstanding', 42),
          balanceExample('overdue', 25),
          balanceExample('inQuery', 0),
          balanceExample('credit', 0)
        ],
        relatedParty: [
          {
            id: '10000001',
            name: 'A. Customer',
            role: 'customer',
            '@type': 'RelatedParty',
            '@referredType': 'Customer'
          }
        ],
        '@type': 'BillingAccount',
        '@baseType': 'PartyAccount'
      }
    ]
  }
)

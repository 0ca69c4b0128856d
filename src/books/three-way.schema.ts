import { Type } from 'typebox'
import { countOf, ref, signedMinorUnits, Timestamp } from '../http/common.schema.ts'
import { billingReasons, providerReasons } from './three-way.ts'

const sum = {
  count: countOf('Movements'),
  amount: signedMinorUnits('What customers paid is positive')
}

const Movements = Type.Object(sum, { $id: 'Movements', description: 'What moved' })

const CurrencyBalance = Type.Object({
  currency: Type.String(),
  provider: ref(Movements, 'What the payment provider’s reports settled'),
  ledger: ref(Movements, 'What moved on the accounts of customers'),
  billing: ref(Movements, 'What the billing system acknowledged as posted'),
  differences: Type.Object(
    {
      provider: Type.Array(
        Type.Object({
          reason: Type.Enum([...providerReasons], {
            description:
              'takenElsewhere: by another processor. heldMoney: taken and not the customer’s. ' +
              'cameToNothing: taken and taken back before it was settled. notSettledYet: in no ' +
              'report. settledOtherwise: with another amount. settledTwice. unmatched: no record ' +
              'of ours explains it'
          }),
          ...sum
        }),
        { description: 'Between the provider and the ledger' }
      ),
      billing: Type.Array(
        Type.Object({
          reason: Type.Enum([...billingReasons], { description: 'Why they differ' }),
          ...sum
        }),
        { description: 'Between billing and the ledger' }
      )
    },
    { description: 'The ledger and these together are the other side, to the penny' }
  ),
  unexplained: countOf('Always 0; else this service has a fault')
})

export const ThreeWaySchema = Type.Object(
  {
    from: Timestamp,
    to: Timestamp,
    currencies: Type.Array(CurrencyBalance, { description: 'Each by itself' })
  },
  {
    $id: 'ThreeWay',
    examples: [
      {
        from: '2026-11-22T00:00:00.000Z',
        to: '2026-11-23T00:00:00.000Z',
        currencies: [
          {
            currency: 'GBP',
            provider: { count: 2, amount: 5000 },
            ledger: { count: 4, amount: 7500 },
            billing: { count: 3, amount: 5000 },
            differences: {
              provider: [
                { reason: 'takenElsewhere', count: 1, amount: -1500 },
                { reason: 'notSettledYet', count: 1, amount: -1000 }
              ],
              billing: [{ reason: 'notAcknowledgedYet', count: 1, amount: -2500 }]
            },
            unexplained: 0
          }
        ]
      }
    ]
  }
)

export const ThreeWayQuery = Type.Object(
  {
    from: Type.Optional(
      Type.String({ format: 'date-time', description: 'Inclusive; by default a day before `to`' })
    ),
    to: Type.Optional(
      Type.String({ format: 'date-time', description: 'Exclusive; by default now' })
    )
  },
  { additionalProperties: false }
)

import { Type } from 'typebox'
import { KindSchema } from '../discrepancies/discrepancy.schema.ts'
import { countOf, minorUnits, ref, signedMinorUnits } from '../http/common.schema.ts'
import { ledgerAccounts } from '../ledger/ledger.ts'

const signed = signedMinorUnits
const date = Type.String({ format: 'date', description: 'A day in UTC' })

const accounts = Object.entries(ledgerAccounts)
  .map(([name, meaning]) => `${name}: ${meaning}`)
  .join('; ')

export const SummarySchema = Type.Object(
  {
    date,
    currencies: Type.Array(
      Type.Object({
        currency: Type.String(),
        movements: Type.Array(
          Type.Object({
            posting: Type.String({ description: 'Why the books moved' }),
            count: countOf('How many'),
            amount: minorUnits('How much')
          }),
          { description: 'What moved on the day' }
        ),
        accounts: Type.Array(
          Type.Object({
            account: Type.String({ description: accounts }),
            opening: signed('Debits less credits before the day'),
            debits: minorUnits('What was added on the left'),
            credits: minorUnits('What was added on the right'),
            closing: signed('opening + debits - credits')
          }),
          { description: 'The accounts of the ledger, over all customers' }
        ),
        settlement: Type.Object(
          {
            lines: countOf('How many'),
            provider: signed('What they say'),
            ledger: signed('What we have of the same facts'),
            difference: signed('provider - ledger: what discrepancies explain'),
            unsettled: signed('What the provider owes us at the end of the day, in no report yet')
          },
          { description: 'Of the lines about payments, in reports that were read on the day' }
        ),
        payout: Type.Object(
          {
            payments: signed('After fees'),
            fees: signed('Which payments leave out'),
            costs: signed('What the provider charged beside payments'),
            carried: signed('From other batches, or to them'),
            other: signed('Of types that are not known here'),
            paidOut: signed('To the bank: negative'),
            left: signed('payments + costs + carried + other + paidOut')
          },
          { description: 'The same reports, in the currency in which the provider pays out' }
        )
      }),
      { description: 'Each currency by itself' }
    ),
    discrepancies: Type.Array(
      Type.Object({
        kind: ref(KindSchema),
        opened: countOf('On the day'),
        resolved: countOf('On the day'),
        open: countOf('At the end of the day')
      }),
      { description: 'Of each kind' }
    )
  },
  {
    $id: 'ReconciliationSummary',
    description: 'Amounts are minor units',
    examples: [
      {
        date: '2026-11-22',
        currencies: [
          {
            currency: 'GBP',
            movements: [{ posting: 'payment', count: 2, amount: 5000 }],
            accounts: [
              { account: 'customer', opening: 0, debits: 0, credits: 5000, closing: -5000 },
              { account: 'provider', opening: 0, debits: 5000, credits: 0, closing: 5000 }
            ],
            settlement: { lines: 1, provider: 2500, ledger: 2500, difference: 0, unsettled: 2500 },
            payout: {
              payments: 2480,
              fees: 20,
              costs: -120,
              carried: 0,
              other: 0,
              paidOut: -2360,
              left: 0
            }
          }
        ],
        discrepancies: [{ kind: 'settlement_amount', opened: 0, resolved: 1, open: 0 }]
      }
    ]
  }
)

export const SummaryQuery = Type.Object(
  { date: Type.Optional(date) },
  { additionalProperties: false }
)

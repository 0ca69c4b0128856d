import { Type } from 'typebox'
import { AccountId, Balance, minorUnits, nullable, ref, timeOf } from '../http/common.schema.ts'
import { allocations, amountUnallocated, MethodSchema } from '../payments/payment.schema.ts'

export const ReceiptSchema = Type.Object(
  {
    paymentId: Type.String({ description: 'The payment, and the number of the receipt' }),
    accountId: AccountId,
    merchantName: nullable(
      Type.String({ description: 'What customers know the merchant by, where it is configured' })
    ),
    amount: ref(Balance, 'What was taken; the amounts below are of its currency'),
    paidAt: timeOf('When it was taken'),
    method: ref(MethodSchema),
    card: nullable(
      Type.Object(
        {
          brand: nullable(Type.String({ description: 'Such as visa or mc' })),
          lastFour: nullable(Type.String({ description: 'The last four digits of its number' }))
        },
        { description: 'The card that paid, for display; null where it is not known' }
      )
    ),
    provider: Type.Object(
      {
        name: Type.String({ description: 'Of a recorded payment the processor that took it' }),
        reference: nullable(Type.String({ description: 'Its reference of the money' }))
      },
      { description: 'Who took the money' }
    ),
    reference: nullable(Type.String({ description: "The caller's own" })),
    description: nullable(Type.String({ description: 'What it is for, in words of the caller' })),
    allocations,
    amountUnallocated,
    amountRefunded: minorUnits('Given back so far'),
    amountChargedBack: minorUnits('Taken back by the card issuer'),
    refunds: Type.Array(
      Type.Object({
        id: Type.String(),
        amount: minorUnits('How much went back'),
        createdAt: timeOf('When it was asked for')
      }),
      { maxItems: 100, description: 'Those that went to the card, newest first: at most 100' }
    )
  },
  {
    $id: 'Receipt',
    examples: [
      {
        paymentId: 'pay_06f1k2m3n4p5q6r7',
        accountId: '10000001',
        merchantName: 'Example Telecom',
        amount: { currency: 'GBP', value: 2500 },
        paidAt: '2026-11-22T09:03:00.000Z',
        method: 'hostedPage',
        card: { brand: 'visa', lastFour: '1111' },
        provider: { name: 'adyen', reference: 'QFQTPCQ8HXSKGK82' },
        reference: 'basket-77',
        description: null,
        allocations: [{ chargeId: 'chg_06f1k2m3n4p5q6r7', reference: 'INV-7', amount: 1500 }],
        amountUnallocated: 0,
        amountRefunded: 1000,
        amountChargedBack: 0,
        refunds: [
          { id: 'ref_06f1k2m3n4p5q6r7', amount: 1000, createdAt: '2026-11-23T10:00:00.000Z' }
        ]
      }
    ]
  }
)

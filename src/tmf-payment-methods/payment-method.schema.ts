import { Type } from 'typebox'
import { enumOf, ref, Timestamp, text } from '../http/common.schema.ts'
import { TmfAccountRefSchema, TmfCharacteristicSchema } from '../tmf/tmf.schema.ts'
import { methodStatuses } from './payment-method.ts'

const id = 'crd_06f1k2m3n4p5q6r7'
const path = 'https://payments.example/tmf-api'
const ownSchema = '#/components/schemas/RegisteredCard'

export const RegisteredCardMethod = Type.Object(
  {
    id: Type.String({
      description:
        'Of a card; or of the registration that was posted, which stays good once its card is there'
    }),
    href: Type.String({ format: 'uri', description: 'Where it is' }),
    '@type': Type.String({ description: 'RegisteredCard' }),
    name: Type.String({ description: 'As it was posted, else made of brand and last digits' }),
    description: Type.Optional(Type.String({ description: 'As it was posted' })),
    status: enumOf(methodStatuses),
    statusDate: Timestamp,
    statusReason: Type.Optional(Type.String({ description: 'Why it is not active' })),
    validFor: Type.Optional(
      Type.Object({ endDateTime: Timestamp }, { description: 'Until the end of its last month' })
    ),
    account: Type.Array(ref(TmfAccountRefSchema), {
      minItems: 1,
      maxItems: 1,
      description: 'The account whose card it is'
    }),
    brand: Type.Optional(Type.String({ description: 'The name of it, such as visa or mc' })),
    cardType: Type.Optional(Type.String({ description: 'credit, debit or prepaid' })),
    lastFourDigits: Type.Optional(Type.String({ description: 'The last four digits' })),
    expirationDate: Type.Optional(Timestamp),
    characteristic: Type.Optional(
      Type.Array(ref(TmfCharacteristicSchema), {
        description:
          '`checkoutUrl`: the page to send the customer to, open until `checkoutExpiresAt`; ' +
          '`registeredCardId`: the card that a registration has brought'
      })
    ),
    '@baseType': Type.String({ description: 'PaymentMethod' }),
    '@schemaLocation': Type.String({ format: 'uri', description: 'Where this schema is' })
  },
  {
    $id: 'TmfRegisteredCard',
    description: 'A card of an account, or the page where a customer registers one',
    examples: [
      {
        id,
        href: `${path}/paymentMethod/v4/paymentMethod/${id}`,
        name: 'visa 1111',
        status: 'active',
        statusDate: '2026-11-22T09:00:00.000Z',
        validFor: { endDateTime: '2030-03-31T23:59:59.000Z' },
        account: [
          {
            id: '10000001',
            href: `${path}/accountManagement/v4/billingAccount/10000001`,
            '@type': 'AccountRef',
            '@referredType': 'BillingAccount'
          }
        ],
        brand: 'visa',
        lastFourDigits: '1111',
        expirationDate: '2030-03-31T23:59:59.000Z',
        '@type': 'RegisteredCard',
        '@baseType': 'PaymentMethod',
        '@schemaLocation': `${path}/paymentMethod/v4/openapi.json${ownSchema}`
      }
    ]
  }
)

export const RegisteredCardCreate = Type.Object(
  {
    name: text(120, { minLength: 1, description: 'What the customer knows it by' }),
    description: Type.Optional(text(300, { description: 'More about it' })),
    account: Type.Array(ref(TmfAccountRefSchema), {
      minItems: 1,
      maxItems: 1,
      description: 'The account that the card is registered for'
    }),
    characteristic: Type.Optional(
      Type.Array(ref(TmfCharacteristicSchema), {
        maxItems: 20,
        description:
          '`returnUrl`: where the browser goes in the end, at an origin given to the client; ' +
          'without it a page of ours says that they are done'
      })
    ),
    '@type': Type.Optional(
      Type.String({
        pattern: '^([rR]egisteredCard|[tT]okenizedCard|[bB]ankCard|PaymentMethod)$',
        description: 'RegisteredCard; tokenizedCard and bankCard ask for one as well'
      })
    )
  },
  {
    $id: 'TmfRegisteredCardCreate',
    description: 'Never with the number of a card: the customer types it on the page',
    examples: [
      {
        name: 'My card',
        account: [{ id: '10000001' }],
        characteristic: [{ name: 'returnUrl', value: 'https://selfcare.example/cards' }],
        '@type': 'RegisteredCard'
      }
    ]
  }
)

import { type Static, Type } from 'typebox'
import { AccountParams } from '../accounts/account.schema.ts'
import { CustomerSchema, nullable, ref, Timestamp } from '../http/common.schema.ts'

export const CardParams = Type.Object({
  ...AccountParams.properties,
  cardId: Type.String({ maxLength: 100 })
})

const cardExample = {
  id: 'crd_06f1k2m3n4p5q6r7',
  brand: 'visa',
  lastFour: '1111',
  expiryMonth: 3,
  expiryYear: 2030,
  funding: null,
  createdAt: '2026-11-22T09:00:00.000Z'
}

export const RegisteredCardSchema = Type.Object(
  {
    id: Type.String({ description: '`registeredCardId` of a payment', maxLength: 30 }),
    brand: nullable(Type.String({ description: "The provider's name of it, such as visa or mc" })),
    lastFour: nullable(Type.String({ description: 'The last four digits of its number' })),
    expiryMonth: nullable(Type.Integer({ minimum: 1, maximum: 12, description: 'From 1 to 12' })),
    expiryYear: nullable(Type.Integer({ description: 'Four digits' })),
    funding: nullable(
      Type.String({ description: 'credit, debit, prepaid; null where the provider does not say' })
    ),
    createdAt: Timestamp
  },
  {
    $id: 'RegisteredCard',
    description: 'What is shown of it is for display; any part may be null',
    examples: [cardExample]
  }
)
export type RegisteredCardView = Static<typeof RegisteredCardSchema>

export const CardList = Type.Object(
  { data: Type.Array(ref(RegisteredCardSchema), { description: 'All of them' }) },
  { $id: 'CardList', examples: [{ data: [cardExample] }] }
)

export const RegisterCard = Type.Object(
  {
    returnUrl: Type.String({
      maxLength: 1024,
      format: 'uri',
      description:
        'Where the browser goes in the end, with `registrationId` added to its query: https, at ' +
        'an origin given to the client (in the sandbox also http to loopback)'
    }),
    customer: Type.Optional(CustomerSchema)
  },
  {
    $id: 'RegisterCard',
    additionalProperties: false,
    examples: [{ returnUrl: 'https://selfcare.example/cards' }]
  }
)

export const RegistrationSchema = Type.Object(
  {
    id: Type.String(),
    checkout: Type.Object({
      url: Type.String({ description: 'Send the customer there' }),
      expiresAt: Timestamp
    })
  },
  {
    $id: 'CardRegistration',
    examples: [
      {
        id: 'reg_06f1k2m3n4p5q6r7',
        checkout: {
          url: 'https://eu.adyen.link/hosted/CSFF69355B6EAD2F68',
          expiresAt: '2026-11-22T10:00:00.000Z'
        }
      }
    ]
  }
)

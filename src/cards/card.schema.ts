import { type Static, Type } from 'typebox'
import { AccountParams } from '../accounts/account.schema.ts'
import { AccountId, CustomerSchema, nullable, ref, Timestamp } from '../http/common.schema.ts'
import { registrationStatuses } from './registration.ts'

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

export const RegistrationParams = Type.Object({
  ...AccountParams.properties,
  registrationId: Type.String({ maxLength: 100 })
})

export const RegistrationSchema = Type.Object(
  {
    id: Type.String(),
    accountId: AccountId,
    status: Type.Enum([...registrationStatuses], {
      description:
        'pending: the customer is on the page, or has not been there. completed: a card is ' +
        'registered. refused: the last card was; the customer may try another while the page is ' +
        'open. expired: the page ended 15 minutes ago without an outcome; one that is late ' +
        'counts all the same. failed: the provider did not open a page'
    }),
    checkout: nullable(
      Type.Object(
        { url: Type.String({ description: 'Send the customer there' }), expiresAt: Timestamp },
        { description: 'While it is pending and its page is open' }
      )
    ),
    registeredCardId: nullable(
      Type.String({
        description:
          'The card of a completed one: a moment later, and null where the provider does not say ' +
          'which it is, or it was removed'
      })
    )
  },
  {
    $id: 'CardRegistration',
    examples: [
      {
        id: 'reg_06f1k2m3n4p5q6r7',
        accountId: '10000001',
        status: 'pending',
        checkout: {
          url: 'https://eu.adyen.link/hosted/CSFF69355B6EAD2F68',
          expiresAt: '2026-11-22T10:00:00.000Z'
        },
        registeredCardId: null
      }
    ]
  }
)
export type RegistrationView = Static<typeof RegistrationSchema>

import type { OtherEvent } from '../events/event.store.ts'
import type { CardFace } from '../provider.ts'
import type { RegisteredCardView, RegistrationView } from './card.schema.ts'
import type { Registration } from './registration.ts'

/** What is seen of a card; the year has four digits. */
type RegisteredFace = Omit<CardFace, 'registeredCardId'>

/** A card that can be charged. `token` is the provider's name of it, and never leaves us. */
export type Card = {
  id: string
  accountId: number
  token: string
  face: RegisteredFace
  createdAt: Date
}

export function toRegistrationView(registration: Registration): RegistrationView {
  const { id, accountId, status, checkoutUrl, expiresAt, registeredCardId } = registration
  return {
    id,
    accountId: String(accountId),
    status,
    checkout:
      status === 'pending' && checkoutUrl !== null
        ? { url: checkoutUrl, expiresAt: expiresAt.toISOString() }
        : null,
    registeredCardId
  }
}

export function toCardView({ id, face, createdAt }: Omit<Card, 'token'>): RegisteredCardView {
  const { brand, lastFour, expiryMonth, expiryYear, funding } = face
  return {
    id,
    brand,
    lastFour,
    expiryMonth,
    expiryYear,
    funding,
    createdAt: createdAt.toISOString()
  }
}

/**
 * What is shown of a card. Adyen does not say by whose page it was registered, so the event is no
 * third party's.
 */
export function toCardEvent(type: 'card.registered' | 'card.removed', card: Card): OtherEvent {
  const { accountId } = card
  return { type, accountId, clientId: null, data: { card: toCardView(card) } }
}

import type { OtherEvent } from '../events/event.store.ts'
import type { RegisteredCardView } from './card.schema.ts'
import type { Card } from './card.store.ts'

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
 * What is told of a card. Adyen does not say by whose page it was registered, so the event is no
 * third party's.
 */
export function toCardEvent(type: 'card.registered' | 'card.removed', card: Card): OtherEvent {
  const { accountId } = card
  return { type, accountId, clientId: null, data: { card: toCardView(card) } }
}

import type { Faults } from './faults.ts'
import { type NotificationItem, signed, wrongKey } from './notifications.ts'
import type { Webhook } from './state.ts'

type Item = Partial<NotificationItem>
type Companion = { kind: Webhook['kind']; items: Item[] }

/** What the faults send along with a genuine webhook: at the same time, or one after another. */
export function companionsOf(
  items: Item[],
  eventCode: string,
  faults: Faults
): { together: Companion[]; inTurn: Companion[] } {
  const together: Companion[] = []
  const inTurn: Companion[] = []

  const forge = faults.take('webhooks', 'forge', eventCode)
  for (const how of forge === null ? [] : (forge.alter ?? ['signature', 'amount'])) {
    together.push({ kind: 'forged', items: items.map((item) => forged(item, how)) })
  }
  if (faults.take('webhooks', 'unsignedToo', eventCode)) {
    together.push({ kind: 'unsigned', items: items.map(unsigned) })
  }
  const duplicate = faults.take('webhooks', 'duplicate', eventCode)
  const target = duplicate?.concurrently ? together : inTurn
  for (let copy = 0; duplicate && copy < (duplicate.copies ?? 1); copy++) {
    target.push({ kind: 'duplicate', items })
  }
  return { together, inTurn }
}

/** A forger has no key: it signs with another, or keeps the signature and changes what it signs. */
function forged(item: Item, how: 'signature' | 'amount' | 'success'): Item {
  if (how === 'signature') return signed(item, wrongKey())
  if (how === 'success') return { ...item, success: item.success === 'true' ? 'false' : 'true' }
  const { currency = 'EUR', value = 0 } = item.amount ?? {}
  return { ...item, amount: { currency, value: value + 1000 } }
}

export function unsigned(item: Item): Item {
  const { hmacSignature: _, ...additionalData } = item.additionalData ?? {}
  return { ...item, additionalData }
}

import type { Faults } from './faults.ts'
import { envelope, type NotificationItem, signed, wrongKey } from './notifications.ts'
import type { Webhook } from './state.ts'
import { tokenSignature } from './token-signature.ts'

type Item = Partial<NotificationItem>
/** Token webhooks have no items. */
type Envelope = { live: string; notificationItems?: { NotificationRequestItem: Item }[] }
/** What one POST to the endpoint carries. */
export type Letter = Pick<Webhook, 'body' | 'eventCodes' | 'headers'>
export type Companion = { kind: Webhook['kind']; letter: Letter }
type Companions = { together: Companion[]; inTurn: Companion[] }

/** What the faults send along with a genuine webhook: at the same time, or one after another. */
export function companionsOf(
  items: Item[],
  live: string,
  eventCode: string,
  faults: Faults
): Companions {
  const eventCodes = items.map(({ eventCode = '' }) => eventCode)
  const letterOf = (items: Item[]) => ({ eventCodes, body: envelope(items, live), headers: {} })
  return take(eventCode, faults, {
    genuine: letterOf(items),
    forged: (how) => letterOf(items.map((item) => forged(item, how))),
    unsigned: letterOf(items.map(unsigned))
  })
}

/** The same for a webhook that is signed in its headers: only the signature can be forged. */
export function tokenCompanionsOf(letter: Letter, eventCode: string, faults: Faults): Companions {
  const { hmacsignature: _, ...headers } = letter.headers
  const hmacsignature = tokenSignature(letter.body, wrongKey())
  return take(eventCode, faults, {
    genuine: letter,
    forged: () => ({ ...letter, headers: { ...headers, hmacsignature } }),
    unsigned: { ...letter, headers }
  })
}

type How = 'signature' | 'amount' | 'success'
type Versions = { genuine: Letter; forged: (how: How) => Letter; unsigned: Letter }

function take(eventCode: string, faults: Faults, versions: Versions): Companions {
  const together: Companion[] = []
  const inTurn: Companion[] = []

  const forge = faults.take('webhooks', 'forge', eventCode)
  for (const how of forge === null ? [] : (forge.alter ?? ['signature', 'amount'])) {
    together.push({ kind: 'forged', letter: versions.forged(how) })
  }
  if (faults.take('webhooks', 'unsignedToo', eventCode)) {
    together.push({ kind: 'unsigned', letter: versions.unsigned })
  }
  const duplicate = faults.take('webhooks', 'duplicate', eventCode)
  const target = duplicate?.concurrently ? together : inTurn
  for (let copy = 0; duplicate && copy < (duplicate.copies ?? 1); copy++) {
    target.push({ kind: 'duplicate', letter: versions.genuine })
  }
  return { together, inTurn }
}

/** Which items are sent again, and what is then different in them. */
export type Rewording = { eventCode?: string; pspReference?: string; set?: Item }

/** Of an item, what its signature does not cover. */
const UNSIGNED_MEMBERS = ['additionalData', 'eventDate', 'operations', 'paymentMethod', 'reason']

export function refuseRewording({ set = {} }: Rewording): string | null {
  const signed = Object.keys(set).filter((name) => !UNSIGNED_MEMBERS.includes(name))
  return signed.length === 0 ? null : `Signed, or unknown: ${signed.join(', ')}`
}

/** The same signed text with other unsigned members; null for what was not asked for. */
export function reworded(
  { body, eventCodes, headers }: Letter,
  { eventCode, pspReference, set }: Rewording
): Letter | null {
  const { live, notificationItems = [] } = JSON.parse(body) as Envelope
  const items = notificationItems.map(({ NotificationRequestItem: item }) => item)
  const isMeant = items.some(
    (item) =>
      (eventCode ?? item.eventCode) === item.eventCode &&
      (pspReference ?? item.pspReference) === item.pspReference
  )
  if (!isMeant) return null
  const others = items.map((item) => {
    const additionalData = { ...item.additionalData, ...set?.additionalData }
    return { ...item, ...set, additionalData }
  })
  return { eventCodes, headers, body: envelope(others, live) }
}

/** A forger has no key: it signs with another, or keeps the signature and changes what it signs. */
function forged(item: Item, how: How): Item {
  if (how === 'signature') return signed(item, wrongKey())
  if (how === 'success') return { ...item, success: item.success === 'true' ? 'false' : 'true' }
  const { currency = 'EUR', value = 0 } = item.amount ?? {}
  return { ...item, amount: { currency, value: value + 1000 } }
}

export function unsigned(item: Item): Item {
  const { hmacSignature: _, ...additionalData } = item.additionalData ?? {}
  return { ...item, additionalData }
}

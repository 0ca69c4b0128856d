import type { Context } from './context.ts'
import { send, type Timing } from './delivery.ts'
import { type NotificationItem, signed } from './notifications.ts'
import type { Webhook } from './state.ts'

type Item = Partial<NotificationItem>

/** Signs one item and queues its webhook; the fault `reshape` changes the item first. */
export function notify(context: Context, item: Item, timing: Timing = {}): Webhook {
  const { courier, hmacKey } = context
  return send(courier, [signed(reshaped(context, item), hmacKey)], timing)
}

/** As real items are at times: members are missing or null, numbers are text. */
function reshaped({ faults }: Context, item: Item): Item {
  const settings = faults.take('webhooks', 'reshape', item.eventCode)
  if (settings === null) return item
  const { asText = false, omit = [], set = {} } = settings
  const members = Object.entries({ ...item, ...set })
    .filter(([name]) => !omit.includes(name))
    .map(([name, value]) => [name, asText ? withTextValue(value) : value])
  return Object.fromEntries(members)
}

/** Of the members of an item, only the amount holds a number. */
function withTextValue(member: unknown): unknown {
  const isAmount = typeof member === 'object' && member !== null && 'value' in member
  return isAmount ? { ...member, value: String(member.value) } : member
}

/** What a card's holder alone may know. Pure. */
import type { Fault } from '../checkout/create.ts'
import { pointerTo } from '../problem.ts'

/**
 * Nobody keeps these once a payment is authorised (PCI DSS 3.3); what is posted is kept whole.
 * Names are compared without case, and without what separates their words.
 */
const secret =
  /^(?:card)?(?:cvv2?|cvc2?|cvn2?|csc|securitycode|pinblock|track[123]?data)(?:code|number|value)?$/
const ofCard = /^card(?:verification(?:code|number|value)|pin)$/

function isSecret(name: string): boolean {
  const plain = name.replace(/[-_ ]/g, '').toLowerCase()
  return secret.test(plain) || ofCard.test(plain)
}

/** A fault for each member of such a name, however deep, and for each characteristic. */
export function findCardSecrets(value: unknown, pointer = ''): Fault[] {
  if (typeof value !== 'object' || value === null) return []
  const { name: named } = value as { name?: unknown }
  const isNamed = typeof named === 'string' && isSecret(named)
  return Object.entries(value).flatMap(([name, member]): Fault[] => {
    const at = pointerTo(pointer, name)
    if (!isSecret(name) && !(isNamed && name === 'value')) return findCardSecrets(member, at)
    return [{ code: 'request_invalid', pointer: at, detail: 'is never to be sent here' }]
  })
}

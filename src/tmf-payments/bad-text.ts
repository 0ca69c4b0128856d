/** What no text may have that is kept. Pure. */
import type { Fault } from '../checkout/create.ts'
import { pointerTo } from '../problem.ts'

/** PostgreSQL reads no JSON that holds NUL or half of a surrogate pair, wherever it stands. */
const isGood = (text: string) => text.isWellFormed() && !text.includes('\0')

/** A fault for each text that can't be kept, however deep; of a name where it stands. */
export function findBadText(value: unknown, pointer = ''): Fault[] {
  const fault: Fault = {
    code: 'request_invalid',
    pointer,
    detail: 'has a character that no text has'
  }
  if (typeof value === 'string') return isGood(value) ? [] : [fault]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, member]): Fault[] => {
    if (!isGood(name)) return [fault]
    return findBadText(member, pointerTo(pointer, name))
  })
}

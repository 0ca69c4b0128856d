/** Opaque positions in lists: what a page ended with, so that the next begins after it. */
import { Problem } from '../problem.ts'

export function toCursor(...position: string[]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url')
}

/**
 * The `length` parts of a position, each of which is like `part`; null for the first page. `name`
 * is the parameter that it was sent as.
 */
export function readCursor(
  cursor: string | undefined,
  length: number,
  part = /^[\x20-\x7e]{1,80}$/,
  name: 'cursor' | 'after' = 'cursor'
): string[] | null {
  if (cursor === undefined) return null
  try {
    const position: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    const isPosition =
      Array.isArray(position) &&
      position.length === length &&
      position.every((one) => typeof one === 'string' && part.test(one))
    if (isPosition) return position
  } catch {
    // Told below.
  }
  throw new Problem('request_invalid', 'This cursor was not answered by this service.', {
    errors: [{ pointer: `/${name}`, detail: 'is not a nextCursor of this list' }]
  })
}

/** A page of at most `limit` of the `found`, of which one more was asked for than is shown. */
export function toPage<T, V>(
  found: readonly T[],
  limit: number,
  toView: (item: T) => V,
  positionOf: (item: T) => string[]
): { data: V[]; nextCursor: string | null } {
  const shown = found.slice(0, limit)
  const last = shown.at(-1)
  const more = found.length > limit && last !== undefined
  return { data: shown.map(toView), nextCursor: more ? toCursor(...positionOf(last)) : null }
}

/** RFC 8288: the same list from `nextCursor` on. */
export function toNextLink(url: string, nextCursor: string): string {
  const [path, query = ''] = url.split('?', 2)
  const parameters = new URLSearchParams(query)
  parameters.set('cursor', nextCursor)
  return `<${path}?${parameters}>; rel="next"`
}

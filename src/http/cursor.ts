/** Pages of lists. A cursor is the position of a page's last item, opaque to the caller. */
import { Problem } from '../problem.ts'

/** Items on a page, where the caller asks for no other number. */
export const pageSize = 20

export function toCursor(position: string): string {
  return Buffer.from(JSON.stringify([position])).toString('base64url')
}

/** The position, which is like `pattern`; null for the first page. `name`: what it was sent as. */
export function readCursor(
  cursor: string | undefined,
  pattern: RegExp,
  name: 'cursor' | 'after' = 'cursor'
): string | null {
  if (cursor === undefined) return null
  try {
    const read: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    const [position] = Array.isArray(read) && read.length === 1 ? read : []
    if (typeof position === 'string' && pattern.test(position)) return position
  } catch {
    // Refused below.
  }
  throw new Problem('request_invalid', 'This cursor was not answered by this service.', {
    errors: [{ pointer: `/${name}`, detail: 'is not a nextCursor of this list' }]
  })
}

/** The times of `createdRange`. Throws `request_invalid` for one that ends before it begins. */
export function readCreatedRange(query: { createdFrom?: string; createdTo?: string }) {
  const read = (text?: string) => (text === undefined ? undefined : new Date(text))
  const [createdFrom, createdTo] = [read(query.createdFrom), read(query.createdTo)]
  if (createdFrom && createdTo && createdFrom > createdTo) {
    const errors = [{ pointer: '/createdFrom', detail: 'must be at most createdTo' }]
    throw new Problem('request_invalid', 'The range of times is empty.', { errors })
  }
  return { createdFrom, createdTo }
}

export type ListRequest = { url: string; query: { limit?: number; cursor?: string } }
type ListReply = { header(name: string, value: string): unknown }
export type Order<T> = { positionOf: (item: T) => string; pattern: RegExp }
/** Reads items after a position; null for the first ones. */
export type Find<T> = (after: string | null, limit: number) => Promise<readonly T[]>
export type Page<V> = { data: V[]; nextCursor: string | null }

export const byId: Order<{ id: string }> = {
  positionOf: ({ id }) => id,
  pattern: /^[\x20-\x7e]{1,80}$/
}

/** A page of what `find` reads after a position, with a link to the next one (RFC 8288). */
export async function sendPage<T, V>(
  { url, query: { limit = pageSize, cursor } }: ListRequest,
  reply: ListReply,
  find: Find<T>,
  toView: (item: T) => V,
  { positionOf, pattern }: Order<NoInfer<T>>
): Promise<Page<V>> {
  // One more than is shown says whether there is another page.
  const found = await find(readCursor(cursor, pattern), limit + 1)
  const shown = found.slice(0, limit)
  const last = shown.at(-1)
  const hasMore = found.length > limit && last !== undefined
  const nextCursor = hasMore ? toCursor(positionOf(last)) : null
  if (nextCursor !== null) {
    const [path, query = ''] = url.split('?', 2)
    const parameters = new URLSearchParams(query)
    parameters.set('cursor', nextCursor)
    reply.header('link', `<${path}?${parameters}>; rel="next"`)
  }
  return { data: shown.map(toView), nextCursor }
}

/** Parameters that take several values, each once: with commas, or repeated. */
export function splitLists(query: unknown, names: readonly string[]): void {
  const parameters = query as Record<string, unknown>
  for (const name of names) {
    const given = parameters[name]
    if (given === undefined) continue
    const values = [given].flat().flatMap((one) => String(one).split(','))
    parameters[name] = [...new Set(values)]
  }
}

/** The position that a list which only grows is asked for from; 0 for its beginning. */
export function readAfter(after: string | undefined): number {
  return Number(readCursor(after, /^\d{1,15}$/, 'after') ?? 0)
}

export type GrowingPage<V> = { data: V[]; nextCursor: string }

/** What such a list has after a position; at its end, that is where to ask again from. */
export function toGrowingPage<T extends { position: number }, V>(
  found: readonly T[],
  after: number,
  toView: (item: T) => V
): GrowingPage<V> {
  const last = found.at(-1)?.position ?? after
  return { data: found.map(toView), nextCursor: toCursor(String(last)) }
}

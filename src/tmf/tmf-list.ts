/** Pages of lists as TMF630 has them: `offset`, `limit` and how many there are. */
import { offsetMax, selectFields, type TmfQuery } from './tmf-query.ts'

type Reply = { header(name: string, value: string | number): unknown }
type Found<T> = {
  /** From `offset` on, at most `limit`. */
  items: readonly T[]
  /** How many there are in all; null where they are too many to be counted. */
  total: number | null
}

/** How far a list is counted: what has more does not say how many. */
export const countMax = 1_000

/** A page with `X-Total-Count`, `X-Result-Count` and a link to the next one (RFC 8288). */
export function sendTmfList<T extends object>(
  url: string,
  reply: Reply,
  { offset, limit, fields }: TmfQuery,
  { items, total }: Found<T>
): Partial<T>[] {
  reply.header('x-result-count', items.length)
  if (total !== null) reply.header('x-total-count', total)
  const next = offset + items.length
  const hasMore = items.length === limit && (total === null || next < total)
  if (hasMore && next <= offsetMax) {
    // A value may have a question mark of its own.
    const [path] = url.split('?', 1)
    const parameters = new URLSearchParams(url.slice(`${path}?`.length))
    parameters.set('offset', String(next))
    reply.header('link', `<${path}?${parameters}>; rel="next"`)
  }
  return items.map((item) => selectFields(item, fields))
}

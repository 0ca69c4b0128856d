/** Pages of what filters find. Those that no index has are looked for here, as far as is cheap. */
import { Problem } from '../problem.ts'
import { countMax } from './tmf-list.ts'
import { type Filter, passesFilters, type TmfQuery } from './tmf-query.ts'

/** Of a longer list so many are looked through, from its beginning. */
const lookedThroughMax = 1_000

/** The values that an attribute is to have one of; null where no filter says so. */
export function wantedOf(filters: readonly Filter[], attribute: string): string[] | null {
  const filter = filters.find((one) => one.attribute === attribute && one.operator === 'eq')
  return filter?.values ?? null
}

type List<T, V> = {
  /** In the order of the list, which does not change but at its beginning or its end. */
  read: (slice: { offset: number; limit: number }) => Promise<readonly T[]>
  /** How many there are, no further than `most`. */
  count: (most: number) => Promise<number>
  /** As they are shown; where each is looked at, without those that are not to be seen. */
  toViews: (some: readonly T[]) => readonly V[] | Promise<readonly V[]>
  isAlwaysLookedThrough?: boolean
  /** The filters that make it shorter, for whoever asks for too much. */
  narrowers: readonly string[]
}

type Page<V> = { items: readonly V[]; total: number | null }

/**
 * The page of a list. `unserved`: the filters that `read` does not know. Throws `request_invalid`
 * where what passes is not found as far as the page needs it.
 */
export async function readTmfPage<T, V extends object>(
  query: TmfQuery,
  unserved: readonly Filter[],
  list: List<T, V>
): Promise<Page<V>> {
  if (unserved.length > 0 || list.isAlwaysLookedThrough) {
    return await lookThrough(query, unserved, list)
  }
  const { offset, limit } = query
  const found = await list.read({ offset, limit })
  return { items: await list.toViews(found), total: await totalOf(query, found.length, list.count) }
}

/** Null where it is more than is counted. */
async function totalOf(
  { offset, limit }: TmfQuery,
  length: number,
  count: (most: number) => Promise<number>
): Promise<number | null> {
  const known = offset + length
  // Beyond the end nothing says where that was.
  const isSeen = length > 0 || offset === 0
  if (length < limit && isSeen) return known
  const total = isSeen && known > countMax ? known : await count(countMax + 1)
  return total > countMax ? null : total
}

/** What was not looked at is never taken for what is not there. */
async function lookThrough<T, V extends object>(
  { offset, limit }: TmfQuery,
  filters: readonly Filter[],
  { read, toViews, narrowers }: List<T, V>
): Promise<Page<V>> {
  const found = await read({ offset: 0, limit: lookedThroughMax + 1 })
  const isCut = found.length > lookedThroughMax
  const views = await toViews(found.slice(0, lookedThroughMax))
  const passing = views.filter((view) => passesFilters(view, filters))
  const items = passing.slice(offset, offset + limit)
  if (!isCut) return { items, total: passing.length }
  if (items.length === limit) return { items, total: null }
  const detail = `looks through at most ${lookedThroughMax}; add ${narrowers.join(' or ')}`
  const errors = filters.map(({ attribute }) => ({ pointer: `/${attribute}`, detail }))
  const all = errors.length > 0 ? errors : [{ pointer: '', detail }]
  throw new Problem('request_invalid', 'There are too many to look through.', { errors: all })
}

/** Filters of TMF630 that an index serves, as conditions of SQL. */
import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { type Filter, readMoment } from '../tmf/tmf-query.ts'

export type Condition = RawBuilder<SqlBool>
/** Of the values, any of which is asked for; undefined where no index has them. */
export type ToCondition = (values: readonly string[]) => Condition | undefined

/** Of one value the index has the rows in their order. */
export const isAnyOf = (column: RawBuilder<unknown>, values: readonly string[]) =>
  values.length === 1
    ? sql<SqlBool>`${column} = ${values[0]}`
    : sql<SqlBool>`${column} = any(${values}::text[])`

/** What can be no account is none. */
export const isAccount = (values: readonly string[]): Condition => {
  const ids = values.filter((value) => /^[1-9]\d{0,7}$/.test(value)).map(Number)
  return ids.length === 1
    ? sql<SqlBool>`account_id = ${ids[0]}`
    : sql<SqlBool>`account_id = any(${ids}::integer[])`
}

/** By an id, or the last part of an address, which is one. */
export const byId: Readonly<Record<'id' | 'href', ToCondition>> = {
  id: (values) => isAnyOf(sql`id`, values),
  href: (values) =>
    isAnyOf(
      sql`id`,
      values.map((value) => value.split('/').at(-1) ?? '')
    )
}

/** The conditions of the filters that a table has, and the filters that are left. */
export function splitFilters(
  filters: readonly Filter[],
  table: Readonly<Record<string, ToCondition>>
): { conditions: Condition[]; left: Filter[] } {
  const conditionOf = ({ attribute, operator, values }: Filter) =>
    operator === 'eq' ? table[attribute]?.(values) : undefined
  return {
    conditions: filters.flatMap((filter) => conditionOf(filter) ?? []),
    left: filters.filter((filter) => conditionOf(filter) === undefined)
  }
}

/** Whether a filter is a bound, or one value. */
export const isRange = ({ operator, values }: Filter) => operator !== 'ne' && values.length === 1

/** The end is not included. */
export type Period = { from: Date | undefined; to: Date | undefined }

/** Between which moments all ranges of an attribute are. */
export function periodOf(filters: readonly Filter[], attribute: string): Period {
  const period: Period = { from: undefined, to: undefined }
  for (const filter of filters) {
    if (filter.attribute !== attribute || !isRange(filter)) continue
    const { operator, values } = filter
    const moment = readMoment(values[0] as string) as { from: Date; to: Date }
    const from = { eq: moment.from, gte: moment.from, gt: moment.to }[operator as 'eq']
    const to = { eq: moment.to, lte: moment.to, lt: moment.from }[operator as 'eq']
    if (from && !(period.from && period.from > from)) period.from = from
    if (to && !(period.to && period.to < to)) period.to = to
  }
  return period
}

/** Payments by the filters that TMF676 has, by the indexes of the search of /v1. */
import { type SqlBool, sql } from 'kysely'
import { type Db, plannedEachTime } from '../database/database.ts'
import { smallestIdAt } from '../id.ts'
import { decimalsOf } from '../money.ts'
import { idClockSkewMs } from '../payments/payment.store.ts'
import { channels, methods, statuses } from '../payments/payment.ts'
import { noFilter, toSearch } from '../payments/payment-search.store.ts'
import { currenciesInUse } from '../payments/rare-payments.store.ts'
import { Problem } from '../problem.ts'
import type { Filter } from '../tmf/tmf-query.ts'
import { rangeOfAmounts } from './tmf-amounts.ts'
import {
  byId,
  type Condition,
  isAccount,
  isAnyOf,
  isRange,
  type Period,
  periodOf,
  splitFilters,
  type ToCondition
} from './tmf-conditions.store.ts'
import { methodTypes, paymentStatuses } from './tmf-payment.ts'

const table: Readonly<Record<string, ToCondition>> = {
  ...byId,
  correlatorId: (values) => isAnyOf(sql`reference`, values),
  'account.id': isAccount,
  authorizationCode: (values) => sql<SqlBool>`id = any(array(
    select payment_id from authorisation where reference = any(${values}::text[])
    union all select id from payment where authorisation_code = any(${values}::text[])))`,
  // It is a card of the account. What was taken elsewhere may have any other id.
  'paymentMethod.id': (values) =>
    values.every((value) => isList(value) || value.startsWith('crd_'))
      ? sql<SqlBool>`registered_card_id = any(${values}::text[])
        and account_id = any(array(select account_id from card where id = any(${values}::text[])))`
      : undefined
}

/** What has these values is theirs also where its sender said it in words of its own. */
const ours: Readonly<Record<string, readonly string[]>> = {
  status: Object.values(paymentStatuses),
  'channel.id': channels,
  'paymentMethod.@type': Object.values(methodTypes)
}

/** A list of several values stands beside them, and they count. */
const isList = (value: string) => /[,;]/.test(value)

const isOfOurs = ({ attribute, values }: Filter) =>
  Object.hasOwn(ours, attribute) &&
  values.every((value) => isList(value) || ours[attribute]?.includes(value))

/** The search for what an index has, and the filters that are left to be looked through. */
export async function toTmfSearch(db: Db, filters: readonly Filter[], clientId: string | null) {
  const { conditions, left } = splitFilters(filters, table)
  const money = await moneyOf(db, left)
  const { conditions: dated, ways } = await takenWithin(db, periodOf(left, 'paymentDate'))
  const changed = await changedSince(db, periodOf(left, 'statusDate'))
  const search = await toSearch(
    db,
    { ...noFilter, ...wordsOf(left), ...money, clientId },
    { conditions: [...conditions, ...dated, ...changed], ...(ways && { ways }) }
  )
  const isServed = (filter: Filter) =>
    isOfOurs(filter) ||
    (filter.attribute === 'paymentDate' && isRange(filter)) ||
    (money !== undefined && filter.attribute.startsWith('totalAmount.'))
  return { search, left: left.filter((filter) => !isServed(filter)) }
}

/** Ours for TM Forum's words, those of `ne` as well: all others are asked for. */
function wordsOf(filters: readonly Filter[]) {
  function chosen<T extends string>(
    all: readonly T[],
    attribute: string,
    theirs: (one: T) => string
  ) {
    const some = filters.filter((filter) => filter.attribute === attribute && isOfOurs(filter))
    return all.filter((one) =>
      some.every(({ operator, values }) => values.includes(theirs(one)) === (operator === 'eq'))
    )
  }
  return {
    statuses: chosen(statuses, 'status', (one) => paymentStatuses[one]),
    channels: chosen(channels, 'channel.id', (one) => one),
    methods: chosen(methods, 'paymentMethod.@type', (one) => methodTypes[one])
  }
}

/**
 * Of one currency, or of amounts in currencies that have the same decimals, for only then do major
 * units say minor ones; undefined where it is not so.
 */
async function moneyOf(db: Db, filters: readonly Filter[]) {
  const units = filters.filter(({ attribute }) => attribute === 'totalAmount.unit')
  const amounts = filters.filter(({ attribute }) => attribute === 'totalAmount.value')
  if (![...units, ...amounts].every(isRange) || units.length > 1) return undefined
  const currency = units[0]?.values[0]
  if (amounts.length === 0) return { currency }
  const asked = currency === undefined ? await currenciesInUse(db) : [currency]
  const [decimals = 2, ...others] = new Set(asked.map((one) => decimalsOf(one) ?? 2))
  return others.length > 0 ? undefined : { currency, ...rangeOfAmounts(amounts, decimals) }
}

/** What was recorded later than that, after it was taken elsewhere, has an index of its own. */
const lateMs = 24 * 60 * 60_000
const lateMax = 10_000

/**
 * Ids carry when a payment came to be here, and of what was taken elsewhere hardly more than a day
 * lies between. Throws `request_invalid` where too many were recorded later than that.
 */
async function takenWithin(db: Db, { from, to }: Period) {
  const idAt = (time: Date, laterMs: number) =>
    smallestIdAt('pay', new Date(time.getTime() + laterMs))
  const taken = sql`coalesce(taken_at, created_at)`
  const conditions: Condition[] = []
  if (from !== undefined) {
    conditions.push(sql<SqlBool>`${taken} >= ${from} and id >= ${idAt(from, -idClockSkewMs)}`)
  }
  if (to === undefined) return { conditions, ways: undefined }
  const endId = idAt(to, lateMs + idClockSkewMs)
  const inTime = sql<SqlBool>`id < ${endId} and ${taken} < ${to}`
  const { rows } = await sql<{ id: string }>`${plannedEachTime}
    select id from payment where created_at - taken_at > interval '1 day' and taken_at < ${to}
      and ${from === undefined ? sql`true` : sql`taken_at >= ${from}`} and id >= ${endId}
    order by taken_at desc limit ${lateMax + 1}`.execute(db)
  if (rows.length > lateMax) {
    const detail = `over ${lateMax} were recorded more than a day later; ask for a shorter time`
    const errors = [{ pointer: '/paymentDate', detail }]
    throw new Problem('request_invalid', 'There are too many to look through.', { errors })
  }
  const isLate = sql<SqlBool>`id = any(${rows.map(({ id }) => id)}::text[])`
  return { conditions, ways: rows.length === 0 ? [inTime] : [inTime, isLate] }
}

/** With more events than this, so many payments are found that the newest will do. */
const fewEvents = 20_000
/** How far the time of an event may be from that of its payment, ms. */
const eventSkewMs = 60_000

/**
 * What came to its status since a moment has had an event since: whoever asks again and again for
 * what is new would else have all of the history looked through, as no index has the time of a
 * status.
 */
async function changedSince(db: Db, { from, to }: Period): Promise<Condition[]> {
  if (from === undefined) return []
  const since = new Date(from.getTime() - eventSkewMs)
  const events = sql`from payment_event where created_at >= ${since} and ${
    to === undefined ? sql`true` : sql`created_at < ${new Date(to.getTime() + eventSkewMs)}`
  }`
  const { rows } = await sql<{ count: number }>`${plannedEachTime}
    select count(*) from (select ${events} limit ${fewEvents + 1}) as found`.execute(db)
  if ((rows[0]?.count ?? 0) > fewEvents) return []
  return [sql<SqlBool>`id = any(array(select payment_id ${events}))`]
}

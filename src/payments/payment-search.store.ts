/** Payments by what people know of them, newest first. */
import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { type Db, plannedEachTime } from '../database/database.ts'
import { smallestIdAt } from '../id.ts'
import {
  idClockSkewMs,
  paymentColumnList,
  type StoredPayment,
  toPayment,
  withAllocated
} from './payment.store.ts'
import {
  channels as allChannels,
  methods as allMethods,
  statuses as allStatuses,
  type Channel,
  type Payment,
  type PaymentMethod,
  type PaymentStatus,
  type ShownPayment
} from './payment.ts'
import { amountConditions, rareConditions } from './rare-payments.store.ts'

export type PaymentFilter = {
  clientId: string | null
  accountId: number | undefined
  /** Any of these; all where there is no list. */
  statuses: readonly PaymentStatus[] | undefined
  channels: readonly Channel[] | undefined
  methods: readonly PaymentMethod[] | undefined
  reference: string | undefined
  /** Of any money of the payment, at the provider or at another processor. */
  providerReference: string | undefined
  currency: string | undefined
  /** Minor units, both included. */
  amountFrom: number | undefined
  amountTo: number | undefined
  lastFour: string | undefined
  cardBrand: string | undefined
  operatorId: string | undefined
  createdFrom: Date | undefined
  createdTo: Date | undefined
  metadata: Record<string, string>
  before: string | null
  limit: number
}

type Filter = Omit<PaymentFilter, 'limit'>

/** Finds all. */
export const noFilter: Filter = {
  clientId: null,
  accountId: undefined,
  statuses: undefined,
  channels: undefined,
  methods: undefined,
  reference: undefined,
  providerReference: undefined,
  currency: undefined,
  amountFrom: undefined,
  amountTo: undefined,
  lastFour: undefined,
  cardBrand: undefined,
  operatorId: undefined,
  createdFrom: undefined,
  createdTo: undefined,
  metadata: {},
  before: null
}

/** Newest first; by key, so that page 1,000 costs what page 1 does. */
export async function listPayments(db: Db, filter: PaymentFilter): Promise<ShownPayment[]> {
  const search = await toSearch(db, filter)
  // In this statement it would be planned each time, which takes longer than to ask again.
  return await withAllocated(db, await readFound(db, search, { offset: 0, limit: filter.limit }))
}

/** What else a search may ask for: `ways` have nothing in common, and each is a range of ids. */
type More = { conditions?: readonly RawBuilder<SqlBool>[]; ways?: readonly RawBuilder<SqlBool>[] }

/** `loose`: what no index has, of which many may have to be passed by. */
type Search = { ways: RawBuilder<SqlBool>[]; conditions: Conditions; loose: Conditions }
type Conditions = RawBuilder<SqlBool>[]

const all = (conditions: readonly RawBuilder<SqlBool>[]) =>
  sql<SqlBool>`${sql.join([sql`true`, ...conditions], sql` and `)}`

/** What finds the payments of a filter, by the indexes there are. */
export async function toSearch(
  db: Db,
  filter: Filter,
  { conditions = [], ways = [sql<SqlBool>`true`] }: More = {}
): Promise<Search> {
  return {
    ways: across(waysOf(filter), ways),
    conditions: [...conditionsOf(filter), ...(await rareConditions(db, filter)), ...conditions],
    loose: looseConditionsOf(filter)
  }
}

/** One index has each way in its order: several are read side by side and merged. */
const newestOf = (
  ways: readonly RawBuilder<SqlBool>[],
  columns: string,
  where: RawBuilder<SqlBool>,
  limit: number
) =>
  sql.join(
    ways.map(
      (way) => sql`(
      select ${sql.raw(columns)} from payment where ${way} and ${where}
      order by id desc limit ${limit})`
    ),
    sql` union all `
  )

/** Newest first. */
export async function readFound(
  db: Db,
  { ways, conditions, loose }: Search,
  { offset, limit }: { offset: number; limit: number }
): Promise<Payment[]> {
  const where = all([...conditions, ...loose])
  const found =
    ways.length === 1 && offset === 0
      ? sql`${ways[0]} and ${where}`
      : sql`id = any(array(
          select id from (${newestOf(ways, 'id', where, offset + limit)}) as one
          order by id desc offset ${offset} limit ${limit}))`
  const { rows } = await sql<StoredPayment>`${plannedEachTime}
    select ${paymentColumnList} from payment where ${found}
    order by id desc limit ${limit}`.execute(db)
  return rows.map(toPayment)
}

/** How many are found, no further than `most`: also where so many are looked at. */
export async function countFound(
  db: Db,
  { ways, conditions, loose }: Search,
  most: number
): Promise<number> {
  // All of it in the index, where nothing else is asked of it.
  const columns = loose.length > 0 ? 'id, currency, amount' : 'id'
  const { rows } = await sql<{ looked: number; found: number }>`${plannedEachTime}
    select count(*) as looked, count(*) filter (where ${all(loose)}) as found
    from (select * from (${newestOf(ways, columns, all(conditions), most)}) as one
      limit ${most}) as looked`.execute(db)
  const { looked = 0, found = 0 } = rows[0] ?? {}
  return looked < most ? found : most
}

/**
 * Each status, channel and method that is asked for, as conditions of their own. Their few values
 * are literals, so that the planner knows how many there are, and partial indexes are used.
 */
function waysOf({ statuses, channels, methods }: Filter): RawBuilder<SqlBool>[] {
  const byPlace = !isAny(channels, allChannels) || !isAny(methods, allMethods)
  const parts = [
    conditionsFor('status', isAny(statuses, allStatuses) ? undefined : statuses),
    conditionsFor('channel', byPlace ? (channels ?? allChannels) : undefined),
    conditionsFor('method', byPlace ? (methods ?? allMethods) : undefined)
  ]
  return parts.reduce(across)
}

/** Each with each. */
const across = (ways: readonly RawBuilder<SqlBool>[], others: readonly RawBuilder<SqlBool>[]) =>
  ways.flatMap((way) => others.map((other) => sql<SqlBool>`${way} and ${other}`))

const isAny = (values: readonly unknown[] | undefined, all: readonly unknown[]) =>
  values === undefined || values.length === all.length

function conditionsFor(column: string, values: readonly string[] | undefined) {
  if (values === undefined) return [sql<SqlBool>`true`]
  // Of nothing nothing is found, and there is a statement all the same.
  if (values.length === 0) return [sql<SqlBool>`false`]
  return values.map((value) => sql<SqlBool>`${sql.ref(column)} = ${sql.lit(value)}`)
}

/** What else is asked for. */
function conditionsOf(filter: Filter): RawBuilder<SqlBool>[] {
  const { clientId, accountId, reference, providerReference } = filter
  const { metadata, before } = filter
  const conditions = [
    before !== null && sql`id < ${before}`,
    clientId !== null && sql`client_id = ${clientId}`,
    accountId !== undefined && sql`account_id = ${accountId}`,
    reference !== undefined && sql`reference = ${reference}`,
    providerReference !== undefined && isOfReference(providerReference),
    ...(isOneAmount(filter) ? amountConditions(filter) : []),
    ...cardConditions(filter),
    ...timeConditions(filter),
    Object.keys(metadata).length > 0 && sql`metadata @> ${JSON.stringify(metadata)}::jsonb`
  ]
  return conditions.filter((one) => one !== false) as RawBuilder<SqlBool>[]
}

/** In the order of no index; of one amount there is one. */
function looseConditionsOf(filter: Filter): RawBuilder<SqlBool>[] {
  const { currency } = filter
  const ofCurrency = currency === undefined ? [] : [sql<SqlBool>`currency = ${currency}`]
  return [...ofCurrency, ...(isOneAmount(filter) ? [] : amountConditions(filter))]
}

const isOneAmount = ({ amountFrom, amountTo }: Filter) =>
  amountFrom !== undefined && amountFrom === amountTo

/** The money itself, an attempt that was refused, what was asked about it, and disputes. */
const isOfReference = (reference: string) => sql`id = any(array(
  select payment_id from authorisation where reference = ${reference}
  union all select id from payment where processor_reference = ${reference}
  union all select payment_id from operation where provider_reference = ${reference}
  union all select payment_id from dispute where reference = ${reference}))`

function cardConditions({ lastFour, cardBrand, operatorId }: Filter) {
  return [
    lastFour !== undefined && sql`card->>'lastFour' = ${lastFour} and card is not null`,
    cardBrand !== undefined &&
      sql`lower(card->>'brand') = lower(${cardBrand}::text)
      and card is not null`,
    operatorId !== undefined &&
      sql`${folded(sql`operator->>'id'`)} = ${folded(sql`${operatorId}::text`)}
      and operator is not null`
  ]
}

/** As `foldIdentifier` has it, for what can be seen: the index payment_operator has the same. */
const folded = (text: RawBuilder<unknown>) =>
  sql`replace(upper(lower(regexp_replace(normalize(${text}, nfkc), '\\s+', ' ', 'g'))), 'ß', 'SS')`

function timeConditions({ createdFrom, createdTo }: Filter) {
  const idAt = (time: Date, skewMs: number) =>
    smallestIdAt('pay', new Date(time.getTime() + skewMs))
  return [
    createdFrom !== undefined &&
      sql`created_at >= ${createdFrom}
      and id >= ${idAt(createdFrom, -idClockSkewMs)}`,
    createdTo !== undefined &&
      sql`created_at < ${createdTo}
      and id < ${idAt(createdTo, idClockSkewMs)}`
  ]
}

import { type RawBuilder, type Selectable, type SqlBool, sql } from 'kysely'
import { readById } from '../database/batch.ts'
import {
  type Database,
  type Db,
  plannedEachTime,
  statement,
  type Tx
} from '../database/database.ts'
import { smallestIdAt } from '../id.ts'
import {
  channels as allChannels,
  methods as allMethods,
  statuses as allStatuses,
  type Channel,
  type Payment,
  type PaymentMethod,
  type PaymentStatus
} from './payment.ts'
import type { StoredEvent } from './payment-view.ts'

/**
 * Named one by one: a statement that was prepared for `*` fails when a migration adds a column.
 * What is due is not among them: only the claims ask for it.
 */
const paymentColumns = [
  'id',
  'client_id',
  'idempotency_key',
  'account_id',
  'currency',
  'amount',
  'channel',
  'method',
  'capture',
  'save_card',
  'return_url',
  'reference',
  'description',
  'metadata',
  'customer',
  'operator',
  'allocations',
  'registered_card_id',
  'processor_name',
  'processor_reference',
  'authorisation_code',
  'taken_at',
  'expires_at',
  'created_at',
  'status',
  'cancelled_by',
  'failure',
  'card',
  'authorisation_reference',
  'amount_authorised',
  'amount_captured',
  'amount_refunded',
  'amount_refunding',
  'amount_charged_back',
  'settlement',
  'event_count',
  'updated_at',
  'finished_at',
  'provider_key',
  'provider_session',
  'checkout_url'
] as const satisfies ReadonlyArray<keyof Database['payment']>
export type StoredPayment = Pick<Selectable<Database['payment']>, (typeof paymentColumns)[number]>

/** The columns of a `StoredPayment`, for a statement. */
export const paymentColumnText = paymentColumns.join(', ')
export const paymentColumnList = sql.raw(paymentColumnText)

export function toPayment(row: StoredPayment): Payment {
  return {
    id: row.id,
    clientId: row.client_id,
    idempotencyKey: row.idempotency_key,
    accountId: row.account_id,
    amount: { currency: row.currency, value: row.amount },
    channel: row.channel,
    method: row.method,
    capture: row.capture,
    saveCard: row.save_card,
    returnUrl: row.return_url,
    reference: row.reference,
    description: row.description,
    metadata: row.metadata,
    customer: row.customer,
    operator: row.operator,
    allocations: row.allocations,
    registeredCardId: row.registered_card_id,
    processor: toProcessor(row),
    authorisationCode: row.authorisation_code,
    takenAt: row.taken_at,
    expiresAt: row.expires_at,
    createdAt: row.created_at,
    status: row.status,
    cancelledBy: row.cancelled_by,
    failure: row.failure,
    card: row.card,
    authorisationReference: row.authorisation_reference,
    amountAuthorised: row.amount_authorised,
    amountCaptured: row.amount_captured,
    amountRefunded: row.amount_refunded,
    amountRefunding: row.amount_refunding,
    amountChargedBack: row.amount_charged_back,
    settlement: row.settlement,
    eventCount: row.event_count,
    updatedAt: row.updated_at,
    finishedAt: row.finished_at,
    providerKey: row.provider_key,
    providerSession: row.provider_session,
    checkoutUrl: row.checkout_url
  }
}

function toProcessor({ processor_name: name, processor_reference: reference }: StoredPayment) {
  return name === null || reference === null ? null : { name, reference }
}

const findPaymentsStatement = statement<StoredPayment>(
  `select ${paymentColumnText} from payment where id = any($1::text[])`
)

const readPayment = readById(findPayments)

/** `clientId`: only where the payment is that client's. */
export async function findPayment(
  db: Db,
  id: string,
  clientId: string | null = null
): Promise<Payment | undefined> {
  const payment = await readPayment(db, id)
  return clientId === null || payment?.clientId === clientId ? payment : undefined
}

export async function findPayments(db: Db, ids: readonly string[]): Promise<Payment[]> {
  const { rows } = await db.executeQuery(findPaymentsStatement(ids))
  return rows.map(toPayment)
}

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

/** Ids carry the time that a process took for the database's; `created_at` may differ. */
export const idClockSkewMs = 2 * 60 * 60_000

/** Newest first; by key, so that page 1,000 costs what page 1 does. */
export async function listPayments(db: Db, filter: PaymentFilter): Promise<Payment[]> {
  const { limit } = filter
  const conditions = [...conditionsOf(filter), ...(await rareConditions(db, filter))]
  const all = sql.join(conditions, sql` and `)
  const ways = waysOf(filter)
  // One index has each combination in its order: several are read side by side and merged.
  const several = sql.join(
    ways.map(
      (way) => sql`(
      select id from payment where ${way} and ${all} order by id desc limit ${limit})`
    ),
    sql` union all `
  )
  const found =
    ways.length === 1
      ? sql`${ways[0]} and ${all}`
      : sql`id = any(array(
          select id from (${several}) as one order by id desc limit ${limit}))`
  const { rows } = await sql<StoredPayment>`${plannedEachTime}
    select ${paymentColumnList} from payment where ${found}
    order by id desc limit ${limit}`.execute(db)
  return rows.map(toPayment)
}

/** Up to so many accounts or payments are few beside all that a search by id may pass by. */
const few = { accounts: 100, payments: 10_000 } as const

/**
 * What few payments have and the planner can't know: in the end of a range of amounts, and in a
 * currency, which is that of an account. Then it is read by those, and else by id.
 */
async function rareConditions(db: Db, filter: PaymentFilter): Promise<RawBuilder<SqlBool>[]> {
  const { currency, accountId } = filter
  const conditions: RawBuilder<SqlBool>[] = []
  if (currency !== undefined && accountId === undefined) {
    const { rows } = await sql<{ id: number }>`
      select id from account where currency = ${currency} order by id
      limit ${few.accounts + 1}`.execute(db)
    const ids = rows.map(({ id }) => id)
    if (ids.length <= few.accounts) conditions.push(sql<SqlBool>`account_id = any(${ids})`)
  }
  const amounts = amountConditions(filter)
  if (amounts.length === 0 || filter.amountFrom === filter.amountTo) return conditions
  const inRange = sql.join(amounts, sql` and `)
  if (!(await isRare(db, inRange))) return conditions
  const ids = sql`select id from payment where ${inRange} order by amount, payment.id`
  return [...conditions, sql<SqlBool>`id = any(array(${ids} limit ${few.payments}))`]
}

/**
 * Whether few payments are in a range of amounts, read in the order of its index: no more than a
 * page where it has only some, or many of the newest ones.
 */
async function isRare(db: Db, inRange: RawBuilder<unknown>): Promise<boolean> {
  const first = (limit: number) => sql`(select count(*) from (
    select from payment where ${inRange} order by amount, id limit ${limit}) as first)`
  const { rows } = await sql<{ some: number; newest: number }>`${plannedEachTime}
    select ${first(31)} as some, (
      select count(*) from (select amount from payment order by id desc limit 20) as newest
      where ${inRange}) as newest`.execute(db)
  const { some = 0, newest = 0 } = rows[0] ?? {}
  if (some <= 30 || newest >= 5) return some <= 30
  const all = await sql<{ count: number }>`${plannedEachTime}
    select ${first(few.payments + 1)} as count`.execute(db)
  return (all.rows[0]?.count ?? 0) <= few.payments
}

/**
 * Each status, channel and method that is asked for, as conditions of their own. Their few values
 * are literals, so that the planner knows how many there are, and partial indexes are used.
 */
function waysOf({ statuses, channels, methods }: PaymentFilter): RawBuilder<SqlBool>[] {
  const byPlace = !isAny(channels, allChannels) || !isAny(methods, allMethods)
  const parts = [
    conditionsFor('status', isAny(statuses, allStatuses) ? undefined : statuses),
    conditionsFor('channel', byPlace ? (channels ?? allChannels) : undefined),
    conditionsFor('method', byPlace ? (methods ?? allMethods) : undefined)
  ]
  return parts.reduce<RawBuilder<SqlBool>[]>(
    (ways, part) => ways.flatMap((way) => part.map((one) => sql<SqlBool>`${way} and ${one}`)),
    [sql<SqlBool>`true`]
  )
}

const isAny = (values: readonly unknown[] | undefined, all: readonly unknown[]) =>
  values === undefined || values.length === all.length

function conditionsFor(column: string, values: readonly string[] | undefined) {
  if (values === undefined) return [sql<SqlBool>`true`]
  return values.map((value) => sql<SqlBool>`${sql.ref(column)} = ${sql.lit(value)}`)
}

/** What else is asked for. */
function conditionsOf(filter: PaymentFilter): RawBuilder<SqlBool>[] {
  const { clientId, accountId, reference, providerReference, currency } = filter
  const { metadata, before } = filter
  const conditions = [
    before !== null && sql`id < ${before}`,
    clientId !== null && sql`client_id = ${clientId}`,
    accountId !== undefined && sql`account_id = ${accountId}`,
    reference !== undefined && sql`reference = ${reference}`,
    providerReference !== undefined && isOfReference(providerReference),
    currency !== undefined && sql`currency = ${currency}`,
    ...amountConditions(filter),
    ...cardConditions(filter),
    ...timeConditions(filter),
    Object.keys(metadata).length > 0 && sql`metadata @> ${JSON.stringify(metadata)}::jsonb`
  ]
  return [sql<SqlBool>`true`, ...conditions.filter((one) => one !== false)] as RawBuilder<SqlBool>[]
}

/** The money itself, an attempt that was refused, what was asked about it, and disputes. */
const isOfReference = (reference: string) => sql`id = any(array(
  select payment_id from authorisation where reference = ${reference}
  union all select id from payment where processor_reference = ${reference}
  union all select payment_id from operation where provider_reference = ${reference}
  union all select payment_id from dispute where reference = ${reference}))`

function amountConditions(filter: Pick<PaymentFilter, 'amountFrom' | 'amountTo'>) {
  const { amountFrom, amountTo } = filter
  // Of one amount the index has the payments in their order.
  const isOne = amountFrom !== undefined && amountFrom === amountTo
  const conditions = [
    isOne && sql<SqlBool>`amount = ${amountFrom}`,
    !isOne && amountFrom !== undefined && sql<SqlBool>`amount >= ${amountFrom}`,
    !isOne && amountTo !== undefined && sql<SqlBool>`amount <= ${amountTo}`
  ]
  return conditions.filter((one) => one !== false)
}

function cardConditions({ lastFour, cardBrand, operatorId }: PaymentFilter) {
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

function timeConditions({ createdFrom, createdTo }: PaymentFilter) {
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

/** Oldest first, after the event of that number. */
export async function listEvents(
  db: Db,
  paymentId: string,
  after: number,
  limit: number
): Promise<StoredEvent[]> {
  return await db
    .selectFrom('payment_event')
    .select(['sequence', 'type', 'data', 'payment', 'created_at as createdAt'])
    .where('payment_id', '=', paymentId)
    .where('sequence', '>', after)
    .orderBy('sequence')
    .limit(limit)
    .execute()
}

/**
 * Writes what a fact may change of payments. The event count is the version: it must still be what
 * it was when the payment was read.
 */
export async function updatePayments(
  tx: Tx,
  changed: ReadonlyArray<{ payment: Payment; version: number }>
): Promise<void> {
  // Named one by one: what stays as it is would be half of what is sent, and read again there.
  const rows = changed.map(({ payment, version }) => ({
    id: payment.id,
    version,
    status: payment.status,
    cancelledBy: payment.cancelledBy,
    failure: payment.failure,
    card: payment.card,
    authorisationReference: payment.authorisationReference,
    amountAuthorised: payment.amountAuthorised,
    amountCaptured: payment.amountCaptured,
    amountRefunded: payment.amountRefunded,
    amountRefunding: payment.amountRefunding,
    amountChargedBack: payment.amountChargedBack,
    settlement: payment.settlement,
    eventCount: payment.eventCount,
    updatedAt: payment.updatedAt,
    finishedAt: payment.finishedAt
  }))
  const result = await sql`
    update payment set status = x.status, cancelled_by = x."cancelledBy", failure = x.failure,
      card = x.card, authorisation_reference = x."authorisationReference",
      amount_authorised = x."amountAuthorised", amount_captured = x."amountCaptured",
      amount_refunded = x."amountRefunded", amount_refunding = x."amountRefunding",
      amount_charged_back = x."amountChargedBack", settlement = x.settlement,
      event_count = x."eventCount", updated_at = x."updatedAt", finished_at = x."finishedAt",
      next_attempt_at = case when x.status = 'pending' then next_attempt_at end,
      lease = case when x.status = 'pending' then lease end,
      leased_until = case when x.status = 'pending' then leased_until end
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as x(
      id text, version integer, status text, "cancelledBy" text, failure jsonb, card jsonb,
      "authorisationReference" text, "amountAuthorised" bigint, "amountCaptured" bigint,
      "amountRefunded" bigint, "amountRefunding" bigint, "amountChargedBack" bigint,
      settlement jsonb, "eventCount" integer, "updatedAt" timestamptz, "finishedAt" timestamptz)
    where payment.id = x.id and payment.event_count = x.version`.execute(tx)
  if (result.numAffectedRows !== BigInt(changed.length)) {
    throw new Error('a payment changed while its aggregate was open')
  }
}

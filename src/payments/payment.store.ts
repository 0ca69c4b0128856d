import { type Generated, type Kysely, sql } from 'kysely'
import { type Database, type Db, statement } from '../database.ts'
import type { Claim } from '../http/idempotency.store.ts'
import { smallestIdAt } from '../id.ts'
import type { CardFace, Failure } from '../provider.ts'
import type { EventType } from './book.ts'
import type { Channel, Customer, Operator, Payment, PaymentStatus } from './payment.ts'

export type PaymentRow = {
  id: string
  client_id: string
  idempotency_key: string
  account_id: number
  currency: string
  amount: number
  channel: Channel
  method: 'hostedPage'
  capture: 'automatic' | 'manual'
  save_card: 'never' | 'ask' | 'always'
  return_url: string
  reference: string | null
  description: string | null
  metadata: Record<string, string> | null
  customer: Customer | null
  operator: Operator | null
  expires_at: Date
  created_at: Date
  status: PaymentStatus
  cancelled_by: 'customer' | 'client' | null
  failure: Failure | null
  card: CardFace | null
  authorisation: string | null
  amount_captured: number
  amount_refunded: number
  amount_charged_back: number
  event_count: number
  updated_at: Date
  finished_at: Date | null
  provider_key: string
  provider_session: string | null
  checkout_url: string | null
  due_at: Date | null
}

export type PaymentTables = {
  payment: PaymentRow
  payment_event: {
    payment_id: string
    sequence: number
    type: EventType
    data: Record<string, unknown>
    payment: unknown
    created_at: Generated<Date>
  }
}

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
  'expires_at',
  'created_at',
  'status',
  'cancelled_by',
  'failure',
  'card',
  'authorisation',
  'amount_captured',
  'amount_refunded',
  'amount_charged_back',
  'event_count',
  'updated_at',
  'finished_at',
  'provider_key',
  'provider_session',
  'checkout_url'
] as const satisfies ReadonlyArray<keyof PaymentRow>
export type StoredPayment = Pick<PaymentRow, (typeof paymentColumns)[number]>

const columnList = paymentColumns.join(', ')
/** The columns of a `StoredPayment`, for a statement. */
export const paymentColumnList = sql.raw(columnList)

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
    expiresAt: row.expires_at,
    createdAt: row.created_at,
    status: row.status,
    cancelledBy: row.cancelled_by,
    failure: row.failure,
    card: row.card,
    authorisation: row.authorisation,
    amountCaptured: row.amount_captured,
    amountRefunded: row.amount_refunded,
    amountChargedBack: row.amount_charged_back,
    eventCount: row.event_count,
    updatedAt: row.updated_at,
    finishedAt: row.finished_at,
    providerKey: row.provider_key,
    providerSession: row.provider_session,
    checkoutUrl: row.checkout_url
  }
}

const insertIntentStatement = statement<{
  currency: string | null
  status: 'open' | 'closed' | null
  created_at: Date | null
  expires_at: Date | null
}>(`
  with known as (
    select id, currency, status from account where id = $1
  ), claimed as (
    insert into idempotency_key (client_id, key, fingerprint, resource_id, due_at)
    select $2, $3, $4, $5, now() + make_interval(secs => $21)
    from known where currency = $6 and status = 'open'
    on conflict (client_id, key) do nothing
    returning resource_id
  ), created as (
    insert into payment (id, client_id, idempotency_key, account_id, currency, amount, channel,
      method, capture, save_card, return_url, reference, description, metadata, customer, operator,
      expires_at, status, provider_key, due_at)
    select resource_id, $2, $3, $1, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15::jsonb,
      $16::jsonb, $17::jsonb, coalesce($18::timestamptz, now() + make_interval(secs => $19)),
      'pending', $20,
      coalesce($18::timestamptz, now() + make_interval(secs => $19))
        + make_interval(secs => $22)
    from claimed
    returning id, created_at, expires_at
  ), event as (
    insert into payment_event (payment_id, sequence, type, data)
    select id, 1, 'payment.created', '{}' from created
  )
  select currency, status, created_at, expires_at
  from (values (1)) as one left join known on true left join created on true`)

/** What a create asks for, before the database has said when it is. */
export type PaymentIntent = Omit<Payment, 'createdAt' | 'updatedAt' | 'expiresAt'>

/** The payment; or why there is none: the account as found, or the key is taken (`exists`). */
export type IntentResult =
  | { outcome: 'created'; payment: Payment }
  | { outcome: 'account'; currency: string | null; status: 'open' | 'closed' | null }
  | { outcome: 'exists' }

/**
 * Writes key, payment, first event and due time in one statement, if the account is open and in the
 * currency and the key is free. `leaseS`: for how many seconds the caller finishes it alone;
 * `graceS`: how long after its page's end the payment ends.
 */
export async function insertIntent(
  db: Db,
  intent: PaymentIntent,
  claim: Claim,
  life: { expiresAt: Date | null; defaultS: number; leaseS: number; graceS: number }
): Promise<IntentResult> {
  const { currency, value } = intent.amount
  const { rows } = await db.executeQuery(
    insertIntentStatement(
      intent.accountId,
      claim.clientId,
      claim.key,
      claim.fingerprint,
      intent.id,
      currency,
      value,
      intent.channel,
      intent.method,
      intent.capture,
      intent.saveCard,
      intent.returnUrl,
      intent.reference,
      intent.description,
      intent.metadata && JSON.stringify(intent.metadata),
      intent.customer && JSON.stringify(intent.customer),
      intent.operator && JSON.stringify(intent.operator),
      life.expiresAt,
      life.defaultS,
      intent.providerKey,
      life.leaseS,
      life.graceS
    )
  )
  const row = rows[0]
  if (row?.created_at && row.expires_at) {
    const { created_at: createdAt, expires_at: expiresAt } = row
    return {
      outcome: 'created',
      payment: { ...intent, createdAt, updatedAt: createdAt, expiresAt }
    }
  }
  if (row?.currency !== currency || row.status !== 'open') {
    return { outcome: 'account', currency: row?.currency ?? null, status: row?.status ?? null }
  }
  return { outcome: 'exists' }
}

const findPaymentStatement = statement<StoredPayment>(
  `select ${columnList} from payment where id = $1 and ($2::text is null or client_id = $2)`
)

/** `clientId`: only where the payment is that client's. */
export async function findPayment(
  db: Kysely<Database>,
  id: string,
  clientId: string | null = null
): Promise<Payment | undefined> {
  const { rows } = await db.executeQuery(findPaymentStatement(id, clientId))
  return rows[0] && toPayment(rows[0])
}

export type PaymentFilter = {
  clientId: string | null
  accountId: number | undefined
  status: PaymentStatus | undefined
  channel: Channel | undefined
  reference: string | undefined
  createdFrom: Date | undefined
  createdTo: Date | undefined
  metadata: Record<string, string>
  before: string | null
  limit: number
}

/** Ids carry the time of the process that made them; the database's `created_at` may differ. */
const clockSkewMs = 2 * 60 * 60_000

/** Newest first; by key, so that page 1,000 costs what page 1 does. */
export async function listPayments(db: Db, filter: PaymentFilter): Promise<Payment[]> {
  let query = db
    .selectFrom('payment')
    .select(paymentColumns)
    .orderBy('id', 'desc')
    .limit(filter.limit)
  const { clientId, accountId, status, channel, reference, createdFrom, createdTo } = filter
  if (filter.before !== null) query = query.where('id', '<', filter.before)
  if (clientId !== null) query = query.where('client_id', '=', clientId)
  if (accountId !== undefined) query = query.where('account_id', '=', accountId)
  if (status !== undefined) query = query.where('status', '=', status)
  if (channel !== undefined) query = query.where('channel', '=', channel)
  if (reference !== undefined) query = query.where('reference', '=', reference)
  if (createdFrom !== undefined) {
    query = query
      .where('created_at', '>=', createdFrom)
      .where('id', '>=', smallestIdAt('pay', new Date(createdFrom.getTime() - clockSkewMs)))
  }
  if (createdTo !== undefined) {
    query = query
      .where('created_at', '<', createdTo)
      .where('id', '<', smallestIdAt('pay', new Date(createdTo.getTime() + clockSkewMs)))
  }
  if (Object.keys(filter.metadata).length > 0) {
    query = query.where(sql<boolean>`metadata @> ${JSON.stringify(filter.metadata)}::jsonb`)
  }
  return (await query.execute()).map(toPayment)
}

export type StoredEvent = {
  sequence: number
  type: EventType
  data: Record<string, unknown>
  /** Null for the first: the payment as it was created. */
  payment: unknown
  created_at: Date
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
    .select(['sequence', 'type', 'data', 'payment', 'created_at'])
    .where('payment_id', '=', paymentId)
    .where('sequence', '>', after)
    .orderBy('sequence')
    .limit(limit)
    .execute()
}

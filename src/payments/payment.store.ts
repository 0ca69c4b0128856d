import { type Selectable, sql } from 'kysely'
import { type Database, type Db, statement } from '../database/database.ts'
import { smallestIdAt } from '../id.ts'
import type { Channel, Payment, PaymentStatus } from './payment.ts'
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

const findPaymentStatement = statement<StoredPayment>(
  `select ${columnList} from payment where id = $1 and ($2::text is null or client_id = $2)`
)

/** `clientId`: only where the payment is that client's. */
export async function findPayment(
  db: Db,
  id: string,
  clientId: string | null = null
): Promise<Payment | undefined> {
  const { rows } = await db.executeQuery(findPaymentStatement(id, clientId))
  return rows[0] && toPayment(rows[0])
}

export async function findPayments(db: Db, ids: readonly string[]): Promise<Payment[]> {
  const { rows } = await sql<StoredPayment>`
    select ${paymentColumnList} from payment where id = any(${ids})`.execute(db)
  return rows.map(toPayment)
}

type PaymentFilter = {
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

/** Ids carry the time that a process took for the database's; `created_at` may differ. */
export const idClockSkewMs = 2 * 60 * 60_000

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
      .where('id', '>=', smallestIdAt('pay', new Date(createdFrom.getTime() - idClockSkewMs)))
  }
  if (createdTo !== undefined) {
    query = query
      .where('created_at', '<', createdTo)
      .where('id', '<', smallestIdAt('pay', new Date(createdTo.getTime() + idClockSkewMs)))
  }
  if (Object.keys(filter.metadata).length > 0) {
    query = query.where(sql<boolean>`metadata @> ${JSON.stringify(filter.metadata)}::jsonb`)
  }
  return (await query.execute()).map(toPayment)
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

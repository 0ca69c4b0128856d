import { type Selectable, sql } from 'kysely'
import { readById } from '../database/batch.ts'
import { type Database, type Db, statement, type Tx } from '../database/database.ts'
import { creditPartsColumn } from '../ledger/ledger.store.ts'
import { type Allocated, type CreditPart, nothingAllocated, toAllocated } from '../ledger/ledger.ts'
import type { Payment, ShownPayment } from './payment.ts'
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
  'payment_methods',
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
  'authentication',
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
    paymentMethods: row.payment_methods,
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
    authentication: row.authentication,
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

type WithCredits = { creditParts: CreditPart[] | null }

const allocatedIn = ({ creditParts }: WithCredits): Allocated =>
  creditParts === null ? nothingAllocated : toAllocated(creditParts)

/**
 * Those of $1, a JSON array: how many it has is the same to the planner each time, so that it keeps
 * one plan. With an array of SQL it plans each time what few ids need, longer than that takes.
 */
const fromAsked = `from json_array_elements_text($1::json) as asked(payment_id)
  join payment on payment.id = payment_id`

const findPaymentsStatement = statement<StoredPayment>(`select ${paymentColumnText} ${fromAsked}`)
const findShownStatement = statement<StoredPayment & WithCredits>(
  `select ${paymentColumnText}, ${creditPartsColumn} ${fromAsked}`
)
const findAllocatedStatement = statement<WithCredits & { id: string }>(
  `select id, ${creditPartsColumn} ${fromAsked}`
)

const readPayment = readById(findShownPayments)

/** `clientId`: only where the payment is that client's. */
export async function findPayment(
  db: Db,
  id: string,
  clientId: string | null = null
): Promise<ShownPayment | undefined> {
  const payment = await readPayment(db, id)
  return clientId === null || payment?.clientId === clientId ? payment : undefined
}

export async function findPayments(db: Db, ids: readonly string[]): Promise<Payment[]> {
  const { rows } = await db.executeQuery(findPaymentsStatement(JSON.stringify(ids)))
  return rows.map(toPayment)
}

export async function findShownPayments(db: Db, ids: readonly string[]): Promise<ShownPayment[]> {
  const { rows } = await db.executeQuery(findShownStatement(JSON.stringify(ids)))
  return rows.map((row) => Object.assign(toPayment(row), { allocated: allocatedIn(row) }))
}

/** Payments that were read otherwise, as they are shown: asked only where one has money. */
export async function withAllocated(db: Db, payments: readonly Payment[]): Promise<ShownPayment[]> {
  const ids = payments.flatMap(({ id, amountCaptured }) => (amountCaptured > 0 ? id : []))
  if (ids.length === 0) return payments.map((one) => ({ ...one, allocated: nothingAllocated }))
  const { rows } = await db.executeQuery(findAllocatedStatement(JSON.stringify(ids)))
  const found = new Map(rows.map((row) => [row.id, allocatedIn(row)]))
  return payments.map((one) => ({ ...one, allocated: found.get(one.id) ?? nothingAllocated }))
}

/** Ids carry the time that a process took for the database's; `created_at` may differ. */
export const idClockSkewMs = 2 * 60 * 60_000

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
    authentication: payment.authentication,
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
      card = x.card, authentication = x.authentication, settlement = x.settlement,
      authorisation_reference = x."authorisationReference", amount_captured = x."amountCaptured",
      amount_authorised = x."amountAuthorised", amount_refunded = x."amountRefunded",
      amount_refunding = x."amountRefunding", amount_charged_back = x."amountChargedBack",
      event_count = x."eventCount", updated_at = x."updatedAt", finished_at = x."finishedAt",
      next_attempt_at = case when x.status = 'pending' then next_attempt_at end,
      lease = case when x.status = 'pending' then lease end,
      leased_until = case when x.status = 'pending' then leased_until end
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as x(
      id text, version integer, status text, "cancelledBy" text, failure jsonb, card jsonb,
      authentication jsonb, "authorisationReference" text, "amountAuthorised" bigint,
      "amountCaptured" bigint, "amountRefunded" bigint, "amountRefunding" bigint,
      "amountChargedBack" bigint, settlement jsonb, "eventCount" integer,
      "updatedAt" timestamptz, "finishedAt" timestamptz)
    where payment.id = x.id and payment.event_count = x.version`.execute(tx)
  if (result.numAffectedRows !== BigInt(changed.length)) {
    throw new Error('a payment changed while its aggregate was open')
  }
}

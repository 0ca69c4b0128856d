/** Payments as they are first written down, and which of them look like one that is there. */
import { type Kysely, sql } from 'kysely'
import { type Database, type Db, statement, type Tx } from '../database/database.ts'
import type { Claim } from '../http/idempotency.store.ts'
import { smallestIdAt } from '../id.ts'
import { idClockSkewMs } from '../payments/payment.store.ts'
import type { Payment } from '../payments/payment.ts'
import { linkFirstPollS } from './link.store.ts'
import type { EarlierPayment } from './recorded.ts'

/** What an earlier payment is that may well be the same: it has paid, or it may still. */
const isLive = "status in ('pending', 'authorised', 'captured')"

/**
 * `earlier` sees the payments that were committed before. Of two creates at the same moment neither
 * sees the other's: they meet in `latest_payment`, where the second waits for the first, finds a
 * row whose payment it doesn't see, and fails for its null, so that nothing of it was ever written.
 * Records leave their rows there too.
 */
const insertIntentStatement = statement<{
  currency: string | null
  status: 'open' | 'closed' | null
  created_at: Date | null
  expires_at: Date | null
  earlier_id: string | null
  earlier_client: string | null
}>(`
  with known as (
    select id, currency, status,
      coalesce($18::timestamptz, now() + make_interval(secs => $19)) as ends_at
    from account where id = $1
  ), earlier as (
    select id, client_id from payment
    where $24 > 0 and not $25 and account_id = $1 and amount = $7 and id > $26
      and created_at > now() - make_interval(secs => $24) and ${isLive}
    order by id desc limit 1
  ), claimed as (
    insert into idempotency_key (client_id, key, fingerprint, resource_id, next_attempt_at)
    select $2, $3, $4, $5, now() + make_interval(secs => $21)
    from known where currency = $6 and status = 'open' and not exists (select from earlier)
    on conflict (client_id, key) do nothing
    returning resource_id
  ), latest as (
    insert into latest_payment (account_id, amount, payment_id, created_at)
    select $1, $7, resource_id, now() from claimed where $24 > 0
    on conflict (account_id, amount) do update set created_at = excluded.created_at,
      payment_id = case
        when $25 or latest_payment.created_at <= now() - make_interval(secs => $24)
          or exists (
            select from payment where id = latest_payment.payment_id and not ${isLive}
          ) then excluded.payment_id
      end
  ), created as (
    insert into payment (id, client_id, idempotency_key, account_id, currency, amount, channel,
      method, capture, save_card, return_url, reference, description, metadata, customer, operator,
      expires_at, status, provider_key, next_attempt_at, allocations, registered_card_id, card,
      card_token)
    select resource_id, $2, $3, $1, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15::jsonb,
      $16::jsonb, $17::jsonb, ends_at, 'pending', $20,
      case
        when $9 = 'registeredCard' then null
        when $9 = 'paymentLink' and now() + make_interval(secs => $23) < ends_at
          then now() + make_interval(secs => $23)
        else ends_at + make_interval(secs => $22)
      end, $27::jsonb, $28, $29::jsonb, $30
    from claimed, known
    returning id, created_at, expires_at
  ), event as (
    insert into payment_event (payment_id, sequence, type, data)
    select id, 1, 'payment.created', '{}' from created
  ), outbox as (
    insert into event_outbox (payment_id, sequence)
    select id, 1 from created
  )
  select currency, status, created_at, expires_at, earlier.id as earlier_id,
    earlier.client_id as earlier_client
  from (values (1)) as one left join known on true left join created on true
    left join earlier on true`)

/** What a create asks for, before the database has said when it is. */
export type PaymentIntent = Omit<Payment, 'createdAt' | 'updatedAt' | 'expiresAt'> & {
  /** The provider's name of the card that is charged. */
  cardToken?: string | null
}

/**
 * `leaseS`: for how many seconds the caller finishes it alone. `graceS`: how long after its page's
 * end the payment ends.
 */
export type Life = { expiresAt: Date | null; defaultS: number; leaseS: number; graceS: number }

/** For how long a payment of the same account and amount is a duplicate; 0 for never. */
export type DuplicateGuard = { windowS: number; allow: boolean }

/**
 * The payment; or why there is none: the account as found, the key is taken (`exists`), or a
 * payment is there that looks the same.
 */
export type IntentResult =
  | { outcome: 'created'; payment: Payment }
  | { outcome: 'account'; currency: string | null; status: 'open' | 'closed' | null }
  | { outcome: 'duplicate'; earlier: EarlierPayment }
  | { outcome: 'exists' }

/**
 * Writes key, payment, first event and due time in one statement, if the account is open and in the
 * currency, no payment looks the same and the key is free.
 */
export async function insertIntent(
  db: Db,
  intent: PaymentIntent,
  claim: Claim,
  life: Life,
  guard: DuplicateGuard = { windowS: 0, allow: true }
): Promise<IntentResult> {
  const { accountId, amount } = intent
  const row = await writeIntent(db, intent, claim, life, guard)
  if (row === 'duplicate') {
    const sought = { accountId, amount: amount.value, windowS: guard.windowS }
    const earlier = await findRecentDuplicate(db, sought)
    return earlier === undefined ? { outcome: 'exists' } : { outcome: 'duplicate', earlier }
  }
  if (row?.created_at && row.expires_at) {
    const { created_at: createdAt, expires_at: expiresAt } = row
    const { cardToken: _, ...payment } = intent
    return {
      outcome: 'created',
      payment: { ...payment, createdAt, updatedAt: createdAt, expiresAt }
    }
  }
  if (row?.currency !== amount.currency || row.status !== 'open') {
    return { outcome: 'account', currency: row?.currency ?? null, status: row?.status ?? null }
  }
  const { earlier_id: id, earlier_client: clientId } = row
  return id !== null && clientId !== null
    ? { outcome: 'duplicate', earlier: { id, clientId } }
    : { outcome: 'exists' }
}

async function writeIntent(
  db: Db,
  intent: PaymentIntent,
  claim: Claim,
  life: Life,
  guard: DuplicateGuard
) {
  const { currency, value } = intent.amount
  const values = [
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
    json(intent.metadata),
    json(intent.customer),
    json(intent.operator),
    life.expiresAt,
    life.defaultS,
    intent.providerKey,
    life.leaseS,
    life.graceS,
    linkFirstPollS,
    guard.windowS,
    guard.allow,
    oldestId(guard.windowS),
    json(intent.allocations),
    intent.registeredCardId,
    json(intent.card),
    intent.cardToken ?? null
  ]
  try {
    return (await db.executeQuery(insertIntentStatement(...values))).rows[0]
  } catch (error) {
    if (isDuplicate(error)) return 'duplicate'
    throw error
  }
}

const json = (value: object | null) => value && JSON.stringify(value)

/** PostgreSQL's not_null_violation, of the row that two creates met in. */
function isDuplicate(error: unknown): boolean {
  const { code, table } = error as { code?: string; table?: string }
  return code === '23502' && table === 'latest_payment'
}

/** Ids carry the time, so that the newest of an account are found by their key. */
function oldestId(windowS: number): string {
  return smallestIdAt('pay', new Date(Date.now() - windowS * 1000 - idClockSkewMs))
}

/**
 * The last payment of that account and amount (minor units) of the last `windowS` seconds that was
 * not unpaid in the end; `exceptId`: another than this one.
 */
export async function findRecentDuplicate(
  db: Kysely<Database>,
  sought: { accountId: number; amount: number; windowS: number; exceptId?: string }
): Promise<EarlierPayment | undefined> {
  const { accountId, amount, windowS, exceptId = '' } = sought
  if (windowS === 0) return undefined
  const { rows } = await sql<EarlierPayment>`
    select id, client_id as "clientId" from payment
    where account_id = ${accountId} and amount = ${amount} and id > ${oldestId(windowS)}
      and created_at > now() - make_interval(secs => ${windowS}) and ${sql.raw(isLive)}
      and id <> ${exceptId}
    order by id desc limit 1`.execute(db)
  return rows[0]
}

/**
 * Waits for whoever makes a payment of that account and amount now, and has them wait for the end
 * of `tx`, which makes this one. A statement after it sees what they made.
 */
export async function meetOthers(
  tx: Tx,
  made: { id: string; accountId: number; amount: number }
): Promise<void> {
  await sql`
    insert into latest_payment (account_id, amount, payment_id, created_at)
    values (${made.accountId}, ${made.amount}, ${made.id}, now())
    on conflict (account_id, amount) do update
      set payment_id = excluded.payment_id, created_at = excluded.created_at`.execute(tx)
}

/** Lets go of what is too old to look like anything. */
export async function purgeLatestPayments(db: Db, windowS: number): Promise<number> {
  const result = await sql`
    delete from latest_payment where ctid in (
      select ctid from latest_payment
      where created_at < now() - make_interval(secs => ${windowS}) - interval '1 hour'
      limit 1000
    )`.execute(db)
  return Number(result.numAffectedRows ?? 0n)
}

/** Payments as they are first written down, and which of them look like one that is there. */
import { sql } from 'kysely'
import { batched } from '../database/batch.ts'
import { type Db, statement, type Tx } from '../database/database.ts'
import { readTime } from '../database-clock.ts'
import type { Lease } from '../due/due.store.ts'
import type { Claim } from '../http/idempotency.store.ts'
import { smallestIdAt } from '../id.ts'
import {
  idClockSkewMs,
  paymentColumnList,
  type StoredPayment,
  toPayment
} from '../payments/payment.store.ts'
import type { Payment } from '../payments/payment.ts'
import type { IntentRefusal, PaymentIntent } from './create.ts'
import type { EarlierPayment } from './recorded-payment.ts'

/** What an earlier payment is that may well be the same: it has paid, or it may still. */
const isLive = "status in ('pending', 'authorised', 'captured')"

/** The columns of a payment that a create fills as it asks. */
const asked = `id, client_id, idempotency_key, account_id, currency, amount, channel, method,
      capture, save_card, payment_methods, return_url, reference, description, metadata, customer,
      operator, allocations, registered_card_id, card, card_token, provider_key`

/** What every new payment begins with; `created` has its id. */
const firstEvent = `event as (
    insert into payment_event (payment_id, sequence, type, data)
    select id, 1, 'payment.created', '{}' from created
  ), outbox as (
    insert into event_outbox (payment_id, sequence)
    select id, 1 from created
  )`

/**
 * All intents of the same moment, in one statement; each is accepted or not by itself. `earlier`
 * sees the payments that were committed before. Two creates at the same moment don't see each
 * other's: both want to change the row of `latest_payment` that says which payment was the last
 * one. The second waits for the first and then finds another payment there than it saw when it
 * began (`expected_id`), changes nothing, and so writes nothing. Null expects nothing. A row may
 * name a payment that was never made, where the key was taken at the same moment: it is compared
 * and never read.
 */
type IntentRow = {
  n: number
  account_currency: string | null
  account_status: 'open' | 'closed' | null
  is_known: boolean
  earlier_id: string | null
  earlier_client: string | null
  created_at: Date | null
  expires_at: Date | null
}

const insertIntentsStatement = statement<IntentRow>(`
  with intent as materialized (
    select x.*, greatest(x.expires_at, now() + make_interval(secs => life_s)) as ends_at,
      account.currency as account_currency, account.status as account_status,
      k.key is not null as is_known, coalesce(last.payment_id, '') as last_id,
      earlier.id as earlier_id, earlier.client_id as earlier_client
    from json_to_recordset($1) as x(
      n integer, id text, client_id text, idempotency_key text, fingerprint bytea,
      account_id integer, currency text, amount bigint, channel text, method text, capture text,
      save_card text, payment_methods jsonb,
      return_url text, reference text, description text, metadata jsonb, customer jsonb,
      operator jsonb, allocations jsonb, registered_card_id text, card jsonb, card_token text,
      provider_key text, expires_at timestamptz, life_s float8, first_look_s float8,
      ends_after_s float8, lease uuid, lease_s float8, window_s float8, allow_duplicate boolean,
      oldest_id text)
    left join lateral (
      select currency, status from account where id = x.account_id limit 1
    ) account on true
    left join lateral (
      select key from idempotency_key
      where client_id = x.client_id and key = x.idempotency_key limit 1
    ) k on true
    left join lateral (
      select payment_id from latest_payment
      where account_id = x.account_id and amount = x.amount limit 1
    ) last on true
    left join lateral (
      select p.id, p.client_id from payment p
      where window_s > 0 and not allow_duplicate and p.account_id = x.account_id
        and p.amount = x.amount and p.id > oldest_id
        and p.created_at > now() - make_interval(secs => window_s) and p.${isLive}
      order by p.id desc limit 1
    ) earlier on true
  ), accepted as (
    select * from intent
    where account_currency = currency and account_status = 'open' and not is_known
      and earlier_id is null
  ), latest as (
    insert into latest_payment (account_id, amount, payment_id, created_at, expected_id)
    select account_id, amount, id, now(), case when not allow_duplicate then last_id end
    from accepted
    where window_s > 0
    order by account_id, amount
    on conflict (account_id, amount) do update set payment_id = excluded.payment_id,
      created_at = excluded.created_at, expected_id = excluded.expected_id
    where excluded.expected_id is null or excluded.expected_id = latest_payment.payment_id
    returning payment_id
  ), claimed as (
    insert into idempotency_key (client_id, key, fingerprint, resource_id, attempts, lease,
      leased_until)
    select client_id, idempotency_key, fingerprint, id, 1, lease,
      now() + make_interval(secs => lease_s)
    from accepted where window_s = 0 or id in (select payment_id from latest)
    order by client_id, idempotency_key
    on conflict (client_id, key) do nothing
    returning resource_id
  ), created as (
    insert into payment (${asked}, status, expires_at, next_attempt_at)
    select ${asked}, 'pending', ends_at,
      least(now() + make_interval(secs => first_look_s),
        ends_at + make_interval(secs => ends_after_s))
    from accepted join claimed on resource_id = id
    returning id, created_at, expires_at
  ), batch as (
    insert into create_batch (payment_ids, due_at)
    select array_agg(id), now() + make_interval(secs => max(lease_s))
    from created join intent using (id) having count(*) > 0
  ), ${firstEvent}
  select n, account_currency, account_status, is_known, earlier_id, earlier_client,
    created_at, created.expires_at
  from intent left join created using (id)`)

/** Two that may wait for each other, at the same key or account and amount, are not together. */
const writeIntentRow = batched<IntentValues, IntentRow | undefined>({
  keysOf: ({ client_id, idempotency_key, account_id, amount }) => [
    `key ${client_id} ${idempotency_key}`,
    `amount ${account_id} ${amount}`
  ],
  run: async (db, intents) => {
    const numbered = intents.map((intent, n) => ({ n, ...intent }))
    const { rows } = await db.executeQuery(insertIntentsStatement(JSON.stringify(numbered)))
    const byNumber = new Map(rows.map((row) => [row.n, row]))
    return intents.map((_, n) => byNumber.get(n))
  }
})

/** How it is written, beside what it is. */
export type IntentOptions = {
  /** For how many seconds the caller finishes it alone, which holds this lease. */
  leaseS: number
  lease: Lease
  /** For how many seconds a payment of the same account and amount is a duplicate; 0 for never. */
  duplicateWindowS: number
  allowDuplicate: boolean
}

type IntentResult = { outcome: 'created'; payment: Payment } | IntentRefusal

/**
 * Writes key, payment, first event and due time in one statement, if the account is open and in the
 * currency, no payment looks the same and the key is free.
 */
export async function insertIntent(
  db: Db,
  intent: PaymentIntent,
  claim: Claim,
  options: IntentOptions
): Promise<IntentResult> {
  const values = toValues(intent, claim, options)
  const result = await writeIntent(db, intent, values)
  // What another create made at the same moment is committed now, and seen.
  return result ?? (await writeIntent(db, intent, values)) ?? { outcome: 'exists' }
}

/** Undefined where another create was at the same account and amount, or at the same key. */
async function writeIntent(
  db: Db,
  intent: PaymentIntent,
  values: IntentValues
): Promise<IntentResult | undefined> {
  const row = await writeIntentRow(db, values)
  if (row?.created_at && row.expires_at) {
    const { created_at: createdAt, expires_at: expiresAt } = row
    const { cardToken: _, lifeS: _life, firstLookS: _look, endsAfterS: _end, ...payment } = intent
    return {
      outcome: 'created',
      payment: { ...payment, createdAt, updatedAt: createdAt, expiresAt }
    }
  }
  if (row === undefined) throw new Error('the intent was not answered')
  const { account_currency: currency, account_status: status } = row
  if (currency !== intent.amount.currency || status !== 'open') {
    return { outcome: 'account', currency, status }
  }
  const { earlier_id: id, earlier_client: clientId, is_known: isKnown } = row
  if (id !== null && clientId !== null) return { outcome: 'duplicate', earlier: { id, clientId } }
  return isKnown ? { outcome: 'exists' } : undefined
}

/**
 * Statements whose creates are looked through at once, and how often in a round: more than an
 * instance writes meanwhile, so that what one left that died is soon done as well.
 */
const left = { batchSize: 100, turns: 20 } as const

/**
 * Makes creates due that were not answered while their callers had them. Nothing of an answer is
 * written into an index that way, as it would be if each had a due time from its beginning.
 */
export async function takeLeft(db: Db): Promise<void> {
  for (let turn = 0; turn < left.turns; turn += 1) {
    if ((await takeSomeLeft(db)) < left.batchSize) return
  }
}

/**
 * One turn of it; answers how many batches it has removed. It waits for nobody: batches that
 * another instance has are left to it, and a key that somebody is writing is looked at again in a
 * moment, as it may be left for all that. Rows are found one by one by their keys: how many there
 * are is not known where a plan is made before there were any.
 */
async function takeSomeLeft(db: Db): Promise<number> {
  return await db.transaction().execute(async (tx) => {
    const { rows } = await sql<{ count: number; again: string[] }>`
      with batch as (
        delete from create_batch where ctid = any(array(
          select ctid from create_batch where due_at <= now()
          order by due_at limit ${left.batchSize} for update skip locked))
        returning payment_ids
      ), unanswered as materialized (
        select one.id, k.place
        from batch cross join unnest(payment_ids) as one(id) cross join lateral (
          select client_id, idempotency_key from payment where id = one.id limit 1
        ) p cross join lateral (
          select ctid as place from idempotency_key
          where client_id = p.client_id and key = p.idempotency_key
            and reply_status is null and next_attempt_at is null limit 1
        ) k
      ), locked as materialized (
        select ctid as place from idempotency_key
        where ctid = any(array(select place from unanswered)) for no key update skip locked
      ), due as (
        update idempotency_key set next_attempt_at = now()
        where ctid = any(array(select place from locked))
          and reply_status is null and next_attempt_at is null
        returning resource_id
      )
      select (select count(*) from batch) as count, array(
        select id from unanswered where id not in (select resource_id from due)) as again`.execute(
      tx
    )
    const { count = 0, again = [] } = rows[0] ?? {}
    if (again.length > 0) {
      await sql`
        insert into create_batch (payment_ids, due_at)
        values (${again}, now() + interval '5 seconds')`.execute(tx)
    }
    return count
  })
}

type IntentValues = ReturnType<typeof toValues>

/** What is not there is left out: a name without a value takes as long to read as one with it. */
function toValues(intent: PaymentIntent, claim: Claim, options: IntentOptions) {
  return {
    id: intent.id,
    client_id: claim.clientId,
    idempotency_key: claim.key,
    fingerprint: `\\x${claim.fingerprint.toString('hex')}`,
    account_id: intent.accountId,
    currency: intent.amount.currency,
    amount: intent.amount.value,
    channel: intent.channel,
    method: intent.method,
    capture: intent.capture,
    save_card: intent.saveCard,
    payment_methods: intent.paymentMethods ?? undefined,
    return_url: intent.returnUrl ?? undefined,
    reference: intent.reference ?? undefined,
    description: intent.description ?? undefined,
    metadata: intent.metadata ?? undefined,
    customer: intent.customer ?? undefined,
    operator: intent.operator ?? undefined,
    allocations: intent.allocations ?? undefined,
    registered_card_id: intent.registeredCardId ?? undefined,
    card: intent.card ?? undefined,
    card_token: intent.cardToken ?? undefined,
    provider_key: intent.providerKey,
    expires_at: intent.expiresAt ?? undefined,
    life_s: intent.lifeS ?? undefined,
    first_look_s: intent.firstLookS ?? undefined,
    ends_after_s: intent.endsAfterS ?? undefined,
    lease: options.lease.id,
    lease_s: options.leaseS,
    window_s: options.duplicateWindowS,
    allow_duplicate: options.allowDuplicate,
    oldest_id: oldestId(options.duplicateWindowS)
  }
}

/** Ids carry the time, so that the newest of an account are found by their key. */
function oldestId(windowS: number): string {
  return smallestIdAt('pay', new Date(readTime().getTime() - windowS * 1000 - idClockSkewMs))
}

export type NewRecord = Pick<
  Payment,
  | 'id'
  | 'clientId'
  | 'accountId'
  | 'amount'
  | 'channel'
  | 'reference'
  | 'operator'
  | 'authorisationCode'
> & { processor: { name: string; reference: string }; takenAt: Date }

/**
 * Writes a payment that was taken elsewhere as it begins, with its first event; false where the
 * processor's reference is recorded already.
 */
export async function insertRecord(tx: Tx, record: NewRecord): Promise<boolean> {
  const { amount, processor, operator } = record
  const { rows } = await sql`
    with created as (
      insert into payment (id, client_id, account_id, currency, amount, channel, method, capture,
        save_card, reference, operator, expires_at, status, processor_name, processor_reference,
        authorisation_code, taken_at)
      values (${record.id}, ${record.clientId}, ${record.accountId}, ${amount.currency},
        ${amount.value}, ${record.channel}, 'recorded', 'automatic', 'never', ${record.reference},
        ${operator && JSON.stringify(operator)}::jsonb, now(), 'pending', ${processor.name},
        ${processor.reference}, ${record.authorisationCode}, ${record.takenAt})
      on conflict (processor_name, processor_reference) where processor_name is not null do nothing
      returning id
    ), ${sql.raw(firstEvent)}
    select id from created`.execute(tx)
  return rows.length === 1
}

export async function findRecord(
  db: Db,
  { name, reference }: { name: string; reference: string }
): Promise<Payment | undefined> {
  const { rows } = await sql<StoredPayment>`
    select ${paymentColumnList} from payment
    where processor_name = ${name} and processor_reference = ${reference}`.execute(db)
  return rows[0] && toPayment(rows[0])
}

/**
 * The last other payment of that account and amount of the last `windowS` seconds that was not
 * unpaid in the end.
 */
export async function findEarlierPayment(
  db: Db,
  { id, accountId, amount }: Pick<Payment, 'id' | 'accountId' | 'amount'>,
  windowS: number
): Promise<EarlierPayment | undefined> {
  const { rows } = await sql<EarlierPayment>`
    select id, client_id as "clientId" from payment
    where account_id = ${accountId} and amount = ${amount.value} and id > ${oldestId(windowS)}
      and created_at > now() - make_interval(secs => ${windowS}) and ${sql.raw(isLive)}
      and id <> ${id}
    order by id desc limit 1`.execute(db)
  return rows[0]
}

/**
 * Waits for whoever makes a payment of that account and amount now, and has them wait for the end
 * of `tx`, which makes this one. A statement after it sees what they made.
 */
export async function waitForOthers(
  tx: Tx,
  { id, accountId, amount }: Pick<Payment, 'id' | 'accountId' | 'amount'>
): Promise<void> {
  await sql`
    insert into latest_payment (account_id, amount, payment_id, created_at)
    values (${accountId}, ${amount.value}, ${id}, now())
    on conflict (account_id, amount) do update
      set payment_id = excluded.payment_id, created_at = excluded.created_at`.execute(tx)
}

/** Removes what is too old to look like anything. */
export async function purgeLatestPayments(db: Db, windowS: number): Promise<number> {
  const result = await sql`
    delete from latest_payment where ctid in (
      select ctid from latest_payment
      where created_at < now() - make_interval(secs => ${windowS}) - interval '1 hour'
      limit 1000
    )`.execute(db)
  return Number(result.numAffectedRows ?? 0n)
}

/**
 * Which accounts' cards may have changed at Adyen, and what its list of them changes here. A hint
 * is never believed: it only makes us ask.
 */
import { sql } from 'kysely'
import type { Tx } from '../database/database.ts'
import { type Claimed, isHeld, noLease, postpone, type Queue } from '../due/due.store.ts'
import { recordOtherEvents } from '../events/event.store.ts'
import { newId } from '../id.ts'
import type { StoredCard } from '../provider.ts'
import { type CardRow, cardColumns, toCard } from './card.store.ts'
import { toCardEvent } from './card.ts'

/**
 * Makes it due to ask for the cards of these accounts; of those that are not known, nothing. A list
 * that is under way may be older than the change that is hinted at, and is not used.
 */
export async function requestCardSync(tx: Tx, accountIds: readonly number[]): Promise<void> {
  // In one order, so that of two transactions none waits for the other.
  await sql`
    with known as materialized (
      select id from account where id = any(${accountIds}::integer[])
    )
    insert into card_sync (account_id, next_attempt_at)
    select id, now() from known order by id
    on conflict (account_id) do update set next_attempt_at = excluded.next_attempt_at,
      attempts = 0, looks = 0, ${noLease}
  `.execute(tx)
}

type Sync = { accountId: number; looks: number }
/** An account whose cards are to be asked for, by whoever has the lease. */
export type DueSync = Claimed<Sync>

export const syncs: Queue<Sync> = {
  table: 'card_sync',
  key: ['account_id'],
  read: sql<Sync>`account_id as "accountId", looks from claimed`
}

/** How many cards a list changed here, of each kind. */
type SyncResult = Record<Change, number>
type Change = 'added' | 'updated' | 'removed'

const shownColumns = sql.raw(cardColumns.map((name) => `card.${name}`).join(', '))

/**
 * Brings the cards of an account in line with Adyen's list, which was asked for under this lease,
 * and publishes those that came and went. Undefined where the lease is gone, and the list with it.
 * `lookAgainInS`: when to ask once more if it has nothing new; null where not.
 */
export async function applyCardList(
  tx: Tx,
  sync: DueSync,
  cards: readonly StoredCard[],
  lookAgainInS: number | null
): Promise<SyncResult | undefined> {
  const { accountId } = sync
  // Locked first: hints and removals for the account wait until the list is applied.
  const { rows } = await sql`
    select from card_sync where ${isHeld(syncs, sync)} for update`.execute(tx)
  if (rows.length === 0) return undefined
  const result = await writeCards(tx, accountId, cards)
  const isNews = result.added + result.updated + result.removed > 0
  if (isNews || lookAgainInS === null) {
    await sql`delete from card_sync where account_id = ${accountId}`.execute(tx)
  } else {
    await postpone(tx, syncs, sync, lookAgainInS, sql`looks = looks + 1, attempts = 0`)
  }
  return result
}

/** A card whose removal is still due at Adyen is in the list, and is neither shown nor added. */
async function writeCards(
  tx: Tx,
  accountId: number,
  cards: readonly StoredCard[]
): Promise<SyncResult> {
  const rows = cards.map((card) => ({ id: newId('crd'), ...card }))
  const { rows: changed } = await sql<CardRow & { change: Change }>`
    with listed as (
      select distinct on (token) * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        as x(id text, token text, brand text, "lastFour" text, "expiryMonth" smallint,
          "expiryYear" smallint, funding text)
      order by token
    ), unknown as materialized (
      select * from listed
      where not exists (
        select from card known where known.account_id = ${accountId}
          and known.token = listed.token and (removed_at is null or next_attempt_at is not null)
      )
    ), added as (
      insert into card
        (id, account_id, token, brand, last_four, expiry_month, expiry_year, funding)
      select id, ${accountId}, token, brand, "lastFour", "expiryMonth", "expiryYear", funding
      from unknown order by id
      on conflict do nothing
      returning ${shownColumns}
    ), updated as (
      update card set brand = listed.brand, last_four = "lastFour",
        expiry_month = "expiryMonth", expiry_year = "expiryYear",
        funding = coalesce(listed.funding, card.funding)
      from listed
      where account_id = ${accountId} and card.token = listed.token and removed_at is null
        and (card.brand, last_four, expiry_month, expiry_year,
          coalesce(listed.funding, card.funding))
          is distinct from
          (listed.brand, "lastFour", "expiryMonth", "expiryYear", card.funding)
      returning ${shownColumns}
    ), removed as (
      update card set removed_at = now()
      where account_id = ${accountId} and removed_at is null
        and not exists (select from listed where listed.token = card.token)
      returning ${shownColumns}
    )
    select 'added' as change, * from added
    union all select 'updated', * from updated
    union all select 'removed', * from removed
    order by id`.execute(tx)
  const of = (change: Change) => changed.filter((one) => one.change === change).map(toCard)
  const [added, updated, removed] = [of('added'), of('updated'), of('removed')]
  await recordOtherEvents(tx, [
    ...removed.map((card) => toCardEvent('card.removed', card)),
    ...added.map((card) => toCardEvent('card.registered', card))
  ])
  return { added: added.length, updated: updated.length, removed: removed.length }
}

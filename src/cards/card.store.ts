/** The registered cards of the accounts, as Adyen told them last. */
import { type Kysely, type Selectable, sql } from 'kysely'
import type { Database, Db, Tx } from '../database/database.ts'
import { recordOtherEvents } from '../events/event.store.ts'
import type { CardFace } from '../provider.ts'
import { toCardEvent } from './card-view.ts'

/** What is seen of a card; the year has four digits. */
export type RegisteredFace = Omit<CardFace, 'registeredCardId'>

/** A card that can be charged. `token` is the provider's name of it, and never leaves us. */
export type Card = {
  id: string
  accountId: number
  token: string
  face: RegisteredFace
  createdAt: Date
}

export const cardColumns = [
  'id',
  'account_id',
  'token',
  'brand',
  'last_four',
  'expiry_month',
  'expiry_year',
  'funding',
  'created_at'
] as const

export type CardRow = Pick<Selectable<Database['card']>, (typeof cardColumns)[number]>

export function toCard(row: CardRow): Card {
  return {
    id: row.id,
    accountId: row.account_id,
    token: row.token,
    face: {
      brand: row.brand,
      lastFour: row.last_four,
      expiryMonth: row.expiry_month,
      expiryYear: row.expiry_year,
      funding: row.funding
    },
    createdAt: row.created_at
  }
}

/** The card, if it is this account's and was not removed. */
export async function findCard(
  db: Kysely<Database>,
  accountId: number,
  cardId: string
): Promise<Card | undefined> {
  const row = await db
    .selectFrom('card')
    .select(cardColumns)
    .where('id', '=', cardId)
    .where('account_id', '=', accountId)
    .where('removed_at', 'is', null)
    .executeTakeFirst()
  return row && toCard(row)
}

/** The cards of an account, newest first. Adyen's own list has no pages either. */
export async function listCards(db: Kysely<Database>, accountId: number): Promise<Card[]> {
  const rows = await db
    .selectFrom('card')
    .select(cardColumns)
    .where('account_id', '=', accountId)
    .where('removed_at', 'is', null)
    .orderBy('id', 'desc')
    .execute()
  return rows.map(toCard)
}

/** A removal that Adyen is still to be asked for. */
export type DueRemoval = { id: string; accountId: number; token: string; tries: number }

/**
 * Hides the card from now on, tells of it, and holds its removal at Adyen for `leaseS` seconds;
 * undefined where the account has no such card.
 */
export async function removeCard(
  tx: Tx,
  accountId: number,
  cardId: string,
  leaseS: number
): Promise<DueRemoval | undefined> {
  await discardList(tx, accountId)
  const row = await tx
    .updateTable('card')
    .set({
      removed_at: sql`now()`,
      next_attempt_at: sql`now() + make_interval(secs => ${leaseS})`
    })
    .where('id', '=', cardId)
    .where('account_id', '=', accountId)
    .where('removed_at', 'is', null)
    .returning(cardColumns)
    .executeTakeFirst()
  if (row === undefined) return undefined
  await recordOtherEvents(tx, [toCardEvent('card.removed', toCard(row))])
  return { id: cardId, accountId, token: row.token, tries: 0 }
}

/** Takes removals that are due for `leaseS` seconds. */
export async function claimDueRemovals(
  db: Db,
  leaseS: number,
  limit: number
): Promise<DueRemoval[]> {
  const { rows } = await sql<DueRemoval>`
    with due as (
      select id from card where next_attempt_at <= now()
      order by next_attempt_at limit ${limit} for no key update skip locked
    )
    update card set next_attempt_at = now() + make_interval(secs => ${leaseS})
    from due where card.id = due.id
    returning card.id, account_id as "accountId", token, attempts as tries`.execute(db)
  return rows
}

/** Leaves the removal due in `delayS`: Adyen did not say that it was done. */
export async function postponeRemoval(db: Db, cardId: string, delayS: number): Promise<void> {
  await sql`
    update card set attempts = attempts + 1,
      next_attempt_at = now() + make_interval(secs => ${delayS})
    where id = ${cardId} and next_attempt_at is not null`.execute(db)
}

/** Adyen has the card no more: from now on a list that shows its token tells of a new card. */
export async function recordRemoved(tx: Tx, { id, accountId }: DueRemoval): Promise<void> {
  await discardList(tx, accountId)
  await tx.updateTable('card').set({ next_attempt_at: null }).where('id', '=', id).execute()
}

/**
 * A list that is under way was asked for before this: it is not used, and another is asked for. A
 * card that is removed here can so never come back by a list that still had it.
 */
async function discardList(tx: Tx, accountId: number): Promise<void> {
  await tx
    .updateTable('card_sync')
    .set({ lease: null, leased_until: null, next_attempt_at: sql`now()` })
    .where('account_id', '=', accountId)
    .where('lease', 'is not', null)
    .execute()
}

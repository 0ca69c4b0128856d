/** The registered cards of the accounts, as Adyen listed them last. */
import { type Selectable, sql } from 'kysely'
import { readById } from '../database/batch.ts'
import { type Database, type Db, statement, type Tx } from '../database/database.ts'
import { type Claimed, done, leaseTo, newLease, type Queue } from '../due/due.store.ts'
import { recordOtherEvents } from '../events/event.store.ts'
import { type Card, toCardEvent } from './card.ts'

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

const findCardsStatement = statement<CardRow>(
  `select ${cardColumns.join(', ')} from card where id = any($1::text[]) and removed_at is null`
)

const readCard = readById(async (db, ids) => {
  const { rows } = await db.executeQuery(findCardsStatement(ids))
  return rows.map(toCard)
})

/** The card, if it is this account's and was not removed. */
export async function findCard(
  db: Db,
  accountId: number,
  cardId: string
): Promise<Card | undefined> {
  const card = await readCard(db, cardId)
  return card?.accountId === accountId ? card : undefined
}

/** The cards of an account, newest first. Adyen's own list has no pages either. */
export async function listCards(db: Db, accountId: number): Promise<Card[]> {
  const rows = await db
    .selectFrom('card')
    .select(cardColumns)
    .where('account_id', '=', accountId)
    .where('removed_at', 'is', null)
    .orderBy('id', 'desc')
    .execute()
  return rows.map(toCard)
}

type Removal = { id: string; accountId: number; token: string }
/** A removal that Adyen is to be asked for. */
export type DueRemoval = Claimed<Removal>

export const removals: Queue<Removal> = {
  table: 'card',
  key: ['id'],
  read: sql<Removal>`id, account_id as "accountId", token from claimed`
}

/**
 * Hides the card from now on, publishes that, and holds its removal at Adyen for `leaseS` seconds;
 * undefined where the account has no such card.
 */
export async function removeCard(
  tx: Tx,
  accountId: number,
  cardId: string,
  leaseS: number
): Promise<DueRemoval | undefined> {
  await discardList(tx, accountId)
  const lease = newLease(cardId)
  const { rows } = await sql<CardRow>`
    update card set removed_at = now(), ${leaseTo(lease.id, leaseS)}
    where id = ${cardId} and account_id = ${accountId} and removed_at is null
    returning ${sql.raw(cardColumns.join(', '))}`.execute(tx)
  const [row] = rows
  if (row === undefined) return undefined
  await recordOtherEvents(tx, [toCardEvent('card.removed', toCard(row))])
  return { id: cardId, accountId, token: row.token, attempts: 1, lease }
}

/** Adyen has the card no more: from now on a list that shows its token shows a new card. */
export async function recordRemoved(tx: Tx, removal: DueRemoval): Promise<void> {
  await discardList(tx, removal.accountId)
  await done(tx, removals, removal)
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

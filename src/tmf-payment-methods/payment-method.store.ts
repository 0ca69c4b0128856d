/** Registered cards and registrations, read as one kind of thing. */
import { type RawBuilder, sql } from 'kysely'
import type { Db } from '../database/database.ts'
import { readTime } from '../database-clock.ts'
import { smallestIdAt } from '../id.ts'
import type { PaymentMethod } from './payment-method.ts'

/** Which ones: of these accounts, by these ids, or all that are listed. */
export type MethodScope = { accountIds: readonly number[] | null; ids: readonly string[] | null }

/**
 * Who asks, and until when a page may bring an outcome. `clientId`: registrations of that client
 * alone, and cards that its scope names; null for all. `graceS`: for so long after the end of a
 * page one may be on its way.
 */
export type MethodView = { clientId: string | null; graceS: number }

const noScope: MethodScope = { accountIds: null, ids: null }

type Page = { offset: number; limit: number }

/**
 * Newest first: cards that were not removed, and registrations. By its id a registration is found
 * whatever it came to, but where its card was removed; in a list it stands while its page is open
 * or its outcome on its way, and until its card is there, which then stands for itself.
 */
export async function listMethods(
  db: Db,
  scope: MethodScope,
  { clientId, graceS }: MethodView,
  { offset, limit }: Page
): Promise<PaymentMethod[]> {
  const most = offset + limit
  const { rows } = await sql<PaymentMethod>`
    select * from (
      (select card.id, account_id as "accountId", named.name, named.description,
        'active' as status, card.created_at as "statusDate",
        brand, last_four as "lastFour", expiry_month as "expiryMonth",
        expiry_year as "expiryYear", funding,
        null as "registeredCardId", null as "checkoutUrl", null::timestamptz as "expiresAt"
      from card
      left join lateral (
        select name, description from card_registration r
        where r.account_id = card.account_id and r.card_token = card.token and name is not null
        order by r.id desc limit 1
      ) named on true
      where removed_at is null and ${within(scope, 'card')} and ${isOpenTo(clientId, scope)}
      order by card.id desc limit ${most})
      union all
      (select r.id, r.account_id, r.name, r.description, ${statusOf(graceS)},
        case when card.id is not null then card.created_at
          when r.finished_at is not null then r.finished_at
          when now() > ${endOf(graceS)} then ${endOf(graceS)}
          else r.created_at end,
        card.brand, card.last_four, card.expiry_month, card.expiry_year, card.funding,
        card.id, case when r.status = 'pending' and now() <= r.expires_at then r.checkout_url end,
        r.expires_at
      from card_registration r
      ${withCard}
      where card.removed_at is null and ${within(scope, 'r')}
        and (${clientId}::text is null or r.client_id = ${clientId})
        and ${scope.ids === null ? isListed(graceS) : sql`true`}
      order by r.id desc limit ${most})
    ) method
    order by substr(id, 5) desc, id desc offset ${offset} limit ${limit}`.execute(db)
  return rows
}

function within({ accountIds, ids }: MethodScope, table: 'card' | 'r'): RawBuilder<unknown> {
  const column = (name: string) => sql.ref(`${table}.${name}`)
  const ofAccounts = accountIds && sql`${column('account_id')} = any(${accountIds}::integer[])`
  const byIds = ids && sql`${column('id')} = any(${ids}::text[])`
  return sql`${ofAccounts ?? sql`true`} and ${byIds ?? sql`true`}`
}

/** Who sees its own alone names an account or a card, as at /v1, and leafs through none. */
const isOpenTo = (clientId: string | null, { accountIds, ids }: MethodScope) =>
  clientId === null || accountIds !== null || ids !== null ? sql`true` : sql`false`

/** When no outcome of the page is expected any more. */
const endOf = (graceS: number) => sql`r.expires_at + make_interval(secs => ${graceS})`

/** The card that a registration `r` has brought, removed or not. */
const withCard = sql`
  left join lateral (
    select * from card
    where card.account_id = r.account_id and card.token = r.card_token
    order by removed_at is null desc, id desc limit 1
  ) card on true`

/** A page lives for an hour, so that the ids of two hours are all that can be open. */
const isListed = (graceS: number) => sql`
  r.id >= ${smallestIdAt('reg', new Date(readTime().getTime() - 7_200_000))}
  and card.id is null and r.status <> 'failed' and now() <= ${endOf(graceS)}`

const statusOf = (graceS: number) => sql`
  case when card.id is not null then 'active'
    when r.status = 'completed' then 'registered'
    when r.status = 'pending' and now() > ${endOf(graceS)} then 'expired'
    else r.status end`

/** How many cards and open registrations there are, no further than `most`. */
export async function countMethods(
  db: Db,
  { clientId, graceS }: MethodView,
  most: number
): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select (select count(*) from (
        select from card where removed_at is null and ${isOpenTo(clientId, noScope)}
        limit ${most}) c)
      + (select count(*) from card_registration r
        ${withCard}
        where ${isListed(graceS)}
          and (${clientId}::text is null or r.client_id = ${clientId})) as count`.execute(db)
  return Number(rows[0]?.count ?? 0)
}

import { hash } from 'node:crypto'
import { type Selectable, sql } from 'kysely'
import { hasCardNumber, hideCardNumbers, mayHaveCardNumber } from '../card-number.ts'
import { batched } from '../database/batch.ts'
import {
  type Database,
  type Db,
  plannedEachTime,
  statement,
  type Tx
} from '../database/database.ts'
import { attemptsMax, type Locked, type Queue } from '../due/due.store.ts'
import { newId } from '../id.ts'
import {
  fingerprintOfItem,
  type NotificationItem,
  type NotificationStatus,
  type SignedFields,
  signedFields
} from './notification.ts'
import type { CardNotification, TokenNotification } from './token-notification.ts'

type NotificationRow = Selectable<Database['notification']>

const insertStatement = statement(`
  insert into notification (id, fingerprint, event_code, success, psp_reference,
    original_reference, merchant_reference, merchant_account, currency, amount, live, item, status,
    fault, next_attempt_at)
  select id, decode(fingerprint, 'hex'), event_code, success, psp_reference, original_reference,
    merchant_reference, merchant_account, currency, amount, live, item, status,
    fault, case when status = 'received' then at end
  from (select now() as at) as clock cross join jsonb_to_recordset($1::jsonb) as x(id text,
    fingerprint text, event_code text, success boolean, psp_reference text, original_reference text,
    merchant_reference text, merchant_account text, currency text, amount bigint, live boolean,
    item jsonb, status text, fault text)
  on conflict (fingerprint) do nothing`)

type Row = ReturnType<typeof toRow>

/**
 * The durable inbox: requests that come at the same time are stored by one statement, and each is
 * answered when its own items are there. In the order of their fingerprints, so that of two
 * statements none waits for the other.
 */
const storeRows = batched<readonly Row[], void>({
  max: 200,
  // The connections of its share are as few, and for others too.
  slowAtOnce: 1,
  run: async (db, requests) => {
    const rows = requests.flat()
    rows.sort((one, other) => (one.fingerprint < other.fingerprint ? -1 : 1))
    await db.executeQuery(insertStatement(toStoredJson(rows)))
    return requests.map(() => undefined)
  }
})

/**
 * Stores the items of one request and makes them due; a redelivery is there already and changes
 * nothing. `isForeign`: not for this merchant account, or not of this platform. `forgottenBefore`:
 * what came earlier may not be there any more; null where all of it is.
 */
export async function insertItems(
  db: Db,
  items: readonly NotificationItem[],
  live: boolean,
  isForeign: (item: NotificationItem) => boolean,
  forgottenBefore: Date | null = null
): Promise<void> {
  await storeRows(
    db,
    items.map((item) => toRow(item, live, isForeign(item), forgottenBefore))
  )
}

/** Stores a token webhook in the same way; `bytes` are its body as it came. */
export async function insertToken(
  db: Db,
  token: TokenNotification,
  bytes: Buffer,
  isForeign: boolean
): Promise<void> {
  await storeRows(db, [toTokenRow(token, bytes, isForeign)])
}

function toRow(
  item: NotificationItem,
  live: boolean,
  foreign: boolean,
  forgottenBefore: Date | null
) {
  const fields = signedFields(item) as SignedFields
  const { eventCode, pspReference, originalReference, merchantReference } = fields
  const fault = foreign ? null : (faultOf(fields) ?? faultOfAge(item, forgottenBefore))
  return {
    id: newId('ntf'),
    fingerprint: fingerprintOfItem(fields, item).toString('hex'),
    event_code: cut(eventCode),
    success: fields.success.toLowerCase() === 'true',
    psp_reference: cut(pspReference),
    original_reference: cut(originalReference) || null,
    merchant_reference: cut(merchantReference),
    merchant_account: cut(fields.merchantAccountCode),
    ...amountOf(fields),
    live,
    item,
    status: statusOf(foreign, fault),
    fault
  }
}

function statusOf(foreign: boolean, fault: string | null) {
  if (foreign) return 'foreign'
  return fault === null ? 'received' : 'parked'
}

/** No reference or code of Adyen's is longer, and none of ours; an index holds no long text. */
const textLengthMax = 255
const cut = (text: string) => text.slice(0, textLengthMax)

/** Without these nothing is known of an item. */
const needed = ['eventCode', 'pspReference', 'merchantAccountCode'] as const

/** Why it is for a person alone; null where it can be read as far as every code needs it. */
function faultOf(fields: SignedFields): string | null {
  const lacking = needed.find((name) => fields[name] === '')
  if (lacking !== undefined) return `It has no ${lacking}.`
  if (!/^(true|false)$/i.test(fields.success)) return 'Its success is neither true nor false.'
  const { value: _, currency: _currency, success: _success, ...texts } = fields
  const [long] = Object.entries(texts).find(([, text]) => text.length > textLengthMax) ?? []
  return long === undefined ? null : `Its ${long} is longer than any can be.`
}

/**
 * A redelivery of what was forgotten would be applied anew. Not all that an item may be about is
 * known by a reference of its own (see `findDispute`): only a person can tell.
 */
function faultOfAge({ eventDate }: NotificationItem, forgottenBefore: Date | null): string | null {
  if (forgottenBefore === null || !(new Date(String(eventDate)) < forgottenBefore)) return null
  return 'It is older than what is kept here: it may have been applied before.'
}

/** Without a currency where it can't be read: not every code needs it. */
function amountOf({ value: text, currency }: SignedFields) {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  const isAmount =
    Number.isSafeInteger(value) && !isCardNumber(value) && /^[A-Z]{3}$/.test(currency)
  return isAmount ? { currency, amount: value } : { currency: null, amount: 0 }
}

function toTokenRow(token: TokenNotification, bytes: Buffer, foreign: boolean): Row {
  const lacking = (['type', 'merchantAccount'] as const).find((name) => token[name] === '')
  const fault = foreign || lacking === undefined ? null : `It has no ${lacking}.`
  return {
    id: newId('ntf'),
    fingerprint: hash('sha256', bytes),
    event_code: cut(token.type),
    success: true,
    psp_reference: cut(token.eventId),
    original_reference: null,
    merchant_reference: cut(token.shopperReference),
    merchant_account: cut(token.merchantAccount),
    // No money is concerned.
    currency: null,
    amount: 0,
    live: token.isLive,
    item: token.item as NotificationItem,
    status: statusOf(foreign, fault),
    fault
  }
}

/** No payment has as many minor units as the shortest card number that is not also an amount. */
function isCardNumber(value: number): boolean {
  return Math.abs(value) > amountMax && hasCardNumber(String(value))
}
const amountMax = 999_999_999_999

/**
 * The provider's own references, which it signs: the identity of money. One in some ten thousands
 * looks like a card number, and none is one, so they are kept as they are.
 */
const identities: ReadonlySet<string> = new Set([
  'psp_reference',
  'pspReference',
  'original_reference',
  'originalReference'
])

/** A row and its item within; what is nested deeper is left out, since nothing reads it. */
const depthMax = 32
/** Of the members of rows and of their items. */
const identityDepth = 3

function toStoredJson(rows: readonly Row[]): string {
  try {
    const json = JSON.stringify(rows)
    if (isStorable(json)) return json
  } catch (error) {
    // The stack ends before what is nested does.
    if (!(error instanceof RangeError)) throw error
  }
  return JSON.stringify(storable(rows, '', 0))
}

/**
 * A first look at rows as JSON, since nearly all can be stored as they are: without an escape, and
 * without digits that may be a card's or of a number that lost some on its way.
 */
function isStorable(json: string): boolean {
  const isPlain = !json.includes('\\') && !/[0-9]{17}/.test(json) && !mayHaveCardNumber(json)
  return isPlain && depthOf(json) <= depthMax
}

/** How deeply it is nested; without escapes a quote begins or ends a text. */
function depthOf(json: string): number {
  let depth = 0
  let deepest = 0
  let isText = false
  for (let at = 0; at < json.length; at++) {
    const character = json[at] as string
    if (character === '"') isText = !isText
    else if (isText) continue
    else if (character === '{' || character === '[') deepest = Math.max(deepest, ++depth)
    else if (character === '}' || character === ']') depth -= 1
  }
  return deepest
}

/**
 * A row as it can be stored: PostgreSQL's jsonb holds neither NUL nor lone surrogates, nor what is
 * nested without end; and nothing that looks like a card number is kept.
 */
function storable(value: unknown, name: string, depth: number): unknown {
  const isIdentity = identities.has(name) && depth <= identityDepth
  if (typeof value === 'string') return clean(isIdentity ? value : hideCardNumbers(value))
  if (typeof value === 'number') return isIdentity ? value : hideNumber(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth === depthMax) return '[nested too deeply]'
  if (Array.isArray(value)) return value.map((one) => storable(one, '', depth + 1))
  const members = Object.entries(value)
  return Object.fromEntries(
    members.map(([key, one]) => [clean(hideCardNumbers(key)), storable(one, key, depth + 1)])
  )
}

const clean = (text: string) => text.toWellFormed().replaceAll('\0', '\ufffd')

/** A number of 17 to 19 digits has lost some on its way: it may be a card's. */
function hideNumber(value: number): number | string {
  const size = Math.abs(value)
  return isCardNumber(value) || (size >= 1e16 && size < 1e19) ? '[card number]' : value
}

type DueRow = CardNotification & {
  id: string
  /** The payment that it is about; null while none is known. */
  paymentId: string | null
}
export type DueNotification = Locked<DueRow>

/**
 * Notifications that are to be applied. The payment is found by our reference of it or of what we
 * asked about it, or by the reference of the authorisation that the item is about.
 */
export const dueNotifications: Queue<DueRow> = {
  table: 'notification',
  key: ['id'],
  read: sql<DueRow>`
    claimed.id, claimed.event_code as "eventCode", claimed.success,
    claimed.psp_reference as "pspReference", claimed.original_reference as "originalReference",
    claimed.merchant_reference as "merchantReference", claimed.item,
    jsonb_build_object(
      'currency', coalesce(claimed.currency, ''), 'value', claimed.amount) as amount,
    coalesce(payment.id, asked.payment_id, original.payment_id, own.payment_id) as "paymentId",
    coalesce(payment.account_id, registration.account_id) as "accountId",
    coalesce(payment.save_card <> 'never', false) as "mayKeepCard",
    registration.id as "registrationId"
    from claimed
    left join payment on payment.id = claimed.merchant_reference
    left join operation asked on asked.id = claimed.merchant_reference
    left join card_registration registration on registration.id = claimed.merchant_reference
    left join authorisation original on original.reference = claimed.original_reference
    left join authorisation own on own.reference = claimed.psp_reference`
}

export type NotificationResult = {
  id: string
  status: NotificationStatus
  fault: string | null
  /** Seconds until it is tried again; null where it is settled. */
  retryInS: number | null
}

export async function recordResults(tx: Tx, results: readonly NotificationResult[]): Promise<void> {
  await sql`
    update notification set status = x.status, fault = x.fault,
      attempts = least(attempts + 1, ${attemptsMax}::integer), next_attempt_at = x.next,
      applied_at = case when x.status = 'applied' then x.at end
    from (
      select id, status, fault, now() + make_interval(secs => "retryInS") as next, now() as at
      from jsonb_to_recordset(${JSON.stringify(results)}::jsonb)
        as r(id text, status text, fault text, "retryInS" double precision)
    ) as x
    where notification.id = x.id and next_attempt_at is not null`.execute(tx)
}

export type ListedNotification = Pick<NotificationRow, (typeof listed)[number]>

const listed = [
  'id',
  'event_code',
  'success',
  'psp_reference',
  'original_reference',
  'merchant_reference',
  'merchant_account',
  'currency',
  'amount',
  'live',
  'item',
  'status',
  'fault',
  'attempts',
  'received_at',
  'applied_at'
] as const

type NotificationFilter = {
  status: NotificationStatus | undefined
  eventCode: string | undefined
  reference: string | undefined
  before: string | null
  limit: number
}

/** Newest first. */
export async function listNotifications(
  db: Db,
  filter: NotificationFilter
): Promise<ListedNotification[]> {
  const { status, eventCode, reference, limit } = filter
  let query = db
    .selectFrom('notification')
    .modifyFront(plannedEachTime)
    .select(listed)
    .orderBy('id', 'desc')
    .limit(limit)
  if (filter.before !== null) query = query.where('id', '<', filter.before)
  if (status !== undefined) query = query.where('status', '=', status)
  // Those are in the index of what is due, and in none of their status.
  if (status === 'received') query = query.where('next_attempt_at', 'is not', null)
  if (eventCode !== undefined) query = query.where('event_code', '=', eventCode)
  if (reference !== undefined) query = query.where('merchant_reference', '=', reference)
  return await query.execute()
}

export async function lockNotification(
  tx: Db,
  id: string
): Promise<ListedNotification | undefined> {
  return await tx
    .selectFrom('notification')
    .select(listed)
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()
}

/** It is not tried again; `fault` says why. */
export async function dismiss(tx: Tx, id: string, fault: string): Promise<void> {
  await sql`
    update notification set status = 'ignored', fault = ${fault}, next_attempt_at = null
    where id = ${id}`.execute(tx)
}

/** Due at once, with its attempts counted anew. */
export async function makeDue(tx: Tx, id: string): Promise<void> {
  await sql`
    update notification set status = 'received', fault = null, attempts = 0, next_attempt_at = now()
    where id = ${id}`.execute(tx)
}

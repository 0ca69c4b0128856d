/** How invariants are looked for: over so many at a time as one short statement reads. */
import { sql } from 'kysely'
import { type Db, statement } from '../database/database.ts'
import { accountInvariants } from './account-invariants.store.ts'
import {
  feedInvariants,
  fileInvariants,
  keyInvariants,
  otherEventInvariants,
  outboxInvariants,
  postingInvariants,
  postingOutboxInvariants
} from './feed-invariants.store.ts'
import { lateness } from './lateness.store.ts'
import { paymentInvariants } from './payment-invariants.store.ts'

/** A row that breaks an invariant, by its id. */
export type Fault = { name: string; id: string }

/** What invariants are about, and how it is read. */
type Section = {
  /** The ids that follow $1, $2 of them at most, in their order; and what is before all of them. */
  page: string
  first: string | number
  /** How many are looked at by one statement. */
  size: number
  /**
   * What the tables hold for the ids $1: within an invariant they hold nothing else, so that the
   * same text is about all or about some. Each is found by an index, but for the outbox, where
   * nothing stays.
   */
  tables: Readonly<Record<string, string>>
  invariants: Readonly<Record<string, string>>
}

const pageOf = (table: string, key = 'id') =>
  `select ${key} as id from ${table} where ${key} > $1 order by ${key} limit $2`
const ofPayments = 'payment_id = any($1::text[])'
const ofAccounts = 'account_id = any($1::integer[])'
const unplaced = "concat_ws(' ', event_id, payment_id, sequence)"
const ofTransfers = 'transfer_id in (select id from ledger_transfer)'

export const sections = {
  payments: {
    ...{ page: pageOf('payment'), first: '', size: 500 },
    tables: {
      payment: 'id = any($1::text[])',
      payment_event: ofPayments,
      authorisation: ofPayments,
      operation: ofPayments,
      dispute: ofPayments,
      discrepancy: ofPayments,
      ledger_transfer: ofPayments,
      event_feed: ofPayments,
      event_outbox: ofPayments,
      settlement_line: ofPayments
    },
    invariants: paymentInvariants
  },
  accounts: {
    ...{ page: pageOf('account'), first: 0, size: 200 },
    tables: {
      account: 'id = any($1::integer[])',
      ledger_transfer: ofAccounts,
      charge: ofAccounts,
      adjustment: ofAccounts,
      credit: ofTransfers,
      debit: ofTransfers,
      // By either side: what pays a charge of another account is found from both.
      allocation: `id in (
        select a.id from credit join allocation a using (transfer_id)
        union all select a.id from charge join allocation a on a.charge_id = charge.id)`
    },
    invariants: accountInvariants
  },
  events: {
    ...{ page: pageOf('event_feed', 'position'), first: 0, size: 2_000 },
    tables: { event_feed: 'position = any($1::bigint[])' },
    invariants: feedInvariants
  },
  otherEvents: {
    ...{ page: pageOf('other_event'), first: '', size: 1_000 },
    tables: { other_event: 'id = any($1::text[])' },
    invariants: otherEventInvariants
  },
  unplacedEvents: {
    page: `select ${unplaced} as id from event_outbox where ${unplaced} > $1 order by 1 limit $2`,
    ...{ first: '', size: 2_000 },
    tables: { event_outbox: `${unplaced} = any($1::text[])` },
    invariants: outboxInvariants
  },
  unplacedPostings: {
    ...{ page: pageOf('posting_outbox', 'transfer_id'), first: '', size: 2_000 },
    tables: { posting_outbox: 'transfer_id = any($1::text[])' },
    invariants: postingOutboxInvariants
  },
  postings: {
    ...{ page: pageOf('billing_posting', 'position'), first: 0, size: 2_000 },
    tables: { billing_posting: 'position = any($1::bigint[])' },
    invariants: postingInvariants
  },
  billingFiles: {
    ...{ page: pageOf('billing_file'), first: '', size: 10 },
    tables: { billing_file: 'id = any($1::text[])' },
    invariants: fileInvariants
  },
  keys: {
    page: `select jsonb_build_array(client_id, key)::text as id from idempotency_key
      where (client_id, key) > ($1::jsonb->>0, $1::jsonb->>1) order by client_id, key limit $2`,
    first: '["", ""]',
    size: 2_000,
    tables: {
      idempotency_key: `(client_id, key) in (
        select one::jsonb->>0, one::jsonb->>1 from unnest($1::text[]) as one)`
    },
    invariants: keyInvariants
  }
} as const satisfies Record<string, Section>

export type SectionName = keyof typeof sections
type Id = string | number

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`

/** All invariants of a section in one statement, and so as of one moment. */
const statements = new Map(
  Object.entries<Section>(sections).map(([section, { page, tables, invariants }]) => {
    const own = Object.entries(tables).map(
      ([table, where]) => `${table} as (select * from ${table} where ${where})`
    )
    const found = Object.entries(invariants).map(
      ([name, query]) => `select ${quote(name)} as name, x.id::text from (${query}) as x(id)`
    )
    return [
      section as SectionName,
      {
        page: statement<{ id: Id }>(page),
        faults: statement<Fault>(`with ${own.join(', ')} ${found.join(' union all ')}`)
      }
    ]
  })
)
const statementsOf = (section: SectionName) =>
  statements.get(section) as NonNullable<ReturnType<typeof statements.get>>

/** The ids of a section that follow `after`, as many as one step is about. */
export async function readIds(db: Db, section: SectionName, after: Id): Promise<Id[]> {
  const page = statementsOf(section).page(after, sections[section].size)
  return (await db.executeQuery(page)).rows.map(({ id }) => id)
}

/** Which invariants of a section these break, each with the ids that do. */
export async function findFaults(
  db: Db,
  section: SectionName,
  ids: readonly Id[]
): Promise<Fault[]> {
  return (await db.executeQuery(statementsOf(section).faults(ids))).rows
}

/** More than so many of what is late are not counted. */
export const lateMax = 1_000

/** What is late, by name: how many of it, `lateMax` at most, and the ids that wait longest. */
export async function findLate(
  db: Db,
  name: string,
  idsMax: number
): Promise<{ count: number; ids: string[] }> {
  const { rows } = await sql<{ id: string }>`
    select x.id::text from (
      select * from (${sql.raw(lateness[name] as string)}) as one(id, since) limit ${lateMax}) x
    order by since`.execute(db)
  return { count: rows.length, ids: rows.slice(0, idsMax).map(({ id }) => id) }
}

/** Tables with texts of others, and what orders their rows by age; accounts, by their numbers. */
const texts = {
  payment: 'id',
  payment_event: 'payment_id, sequence',
  other_event: 'id',
  operation: 'id',
  dispute: 'id',
  discrepancy: 'id',
  notification: 'id',
  idempotency_key: 'created_at',
  charge: 'id',
  adjustment: 'id',
  card: 'id',
  card_registration: 'id',
  settlement_line: 'id',
  settlement_report: 'id',
  account: 'id',
  billing_posting: 'position',
  client: 'id',
  tmf_post: 'resource_id',
  webhook_endpoint: 'id',
  webhook_attempt: 'delivery_id, number'
} as const
export const textTables = Object.keys(texts) as TextTable[]
export type TextTable = keyof typeof texts

/** The newest rows of a table, as JSON, each with what it is known by. */
export async function readNewestRows(
  db: Db,
  table: TextTable,
  limit: number
): Promise<Array<{ id: string; row: unknown }>> {
  const order = texts[table].split(', ')
  const { rows } = await sql<{ id: string; row: unknown }>`
    select concat_ws(' ', ${sql.raw(order.join(', '))}) as id, to_jsonb(t) as row
    from ${sql.table(table)} t order by ${sql.raw(order.map((one) => `${one} desc`).join(', '))}
    limit ${limit}`.execute(db)
  return rows
}

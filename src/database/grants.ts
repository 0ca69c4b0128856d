/** What the service may do to each table: with a role of its own it can rewrite no fact. */
import { sql } from 'kysely'
import type { Db } from './database.ts'
import { DatabaseFault } from './fault.ts'
import type { Database } from './tables.ts'

const reads = ['select'] as const
const appends = ['select', 'insert'] as const
const changes = ['select', 'insert', 'update'] as const
const queues = ['select', 'insert', 'delete'] as const
const everything = ['select', 'insert', 'update', 'delete'] as const

/** Only who migrates makes clients and keys, and erases. */
export const privileges = {
  account: changes,
  adjustment: appends,
  allocation: appends,
  api_key: reads,
  api_key_use: changes,
  authorisation: changes,
  billing_file: appends,
  billing_posting: changes,
  card: changes,
  card_registration: changes,
  card_sync: everything,
  charge: changes,
  client: reads,
  comparison_mark: changes,
  create_batch: everything,
  credit: changes,
  daily_closing: appends,
  daily_comparison: queues,
  debit: changes,
  discrepancy: changes,
  dispute: changes,
  dispute_reminder: changes,
  erasure: reads,
  event_feed: appends,
  event_outbox: everything,
  idempotency_key: everything,
  latest_payment: everything,
  ledger_transfer: appends,
  notification: everything,
  operation: changes,
  other_event: appends,
  page_return: everything,
  payment: changes,
  payment_event: appends,
  posting_outbox: everything,
  settlement_content: queues,
  settlement_line: changes,
  settlement_report: everything,
  settlement_staged: queues,
  tmf_post: queues,
  webhook_attempt: appends,
  webhook_delivery: everything,
  webhook_endpoint: changes
} as const satisfies Record<keyof Database, readonly string[]>

const sequences = ['webhook_delivery_number']

/**
 * Gives an existing role what the service needs in this schema, and takes from it what it had
 * beyond that. Throws `DatabaseFault` where nothing could be kept from the role.
 */
export async function grantTo(db: Db, role: string): Promise<void> {
  const { rows } = await sql<{ owns: boolean }>`
    select rolsuper or pg_has_role(rolname, current_user, 'member') as owns
    from pg_roles where rolname = ${role}`.execute(db)
  if (rows[0] === undefined) throw new DatabaseFault(`There is no role ${role}.`)
  if (rows[0].owns) {
    throw new DatabaseFault(
      `${role} owns the tables or is a superuser: nothing can be kept from it. Take another role.`
    )
  }
  const to = sql.id(role)
  await db.transaction().execute(async (tx) => {
    const schema = await sql<{ name: string }>`select current_schema() as name`.execute(tx)
    const here = sql.id(schema.rows[0]?.name ?? 'public')
    await sql`revoke all on all tables in schema ${here} from ${to}`.execute(tx)
    await sql`grant usage on schema ${here} to ${to}`.execute(tx)
    const all = { ...privileges, kysely_migration: reads }
    for (const [table, given] of Object.entries(all)) {
      const list = sql.raw(given.join(', '))
      await sql`grant ${list} on ${sql.id(table)} to ${to}`.execute(tx)
    }
    for (const sequence of sequences) {
      await sql`grant usage on sequence ${sql.id(sequence)} to ${to}`.execute(tx)
    }
  })
}

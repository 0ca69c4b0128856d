/**
 * Brands share a database, each with a schema of its own. Locks by number and channels of NOTIFY
 * belong to the whole database: here they are made to be those of one schema.
 */
import { sql } from 'kysely'
import type { Tx } from './database.ts'

/**
 * SQL: the schema that our tables are in, as a number. In `public` it is 0, so that locks and
 * channels are those of the first release. Not by `current_schema()`: that may be an empty one of a
 * role's own name, so that owner and service would differ.
 */
export const brandNumber = `(
  select case nspname when 'public' then 0 else n.oid::bigint end
  from pg_namespace n join pg_class c on c.relnamespace = n.oid
  where c.oid = 'payment'::regclass)`

/** SQL: what is appended to the name of whatever the schemas of a database must not share. */
export const brandSuffix = `coalesce('_' || nullif(${brandNumber}, 0), '')`

/** Has others of this brand who want the same lock wait for the end of `tx`. */
export async function lockUntilEnd(tx: Tx, lock: number): Promise<void> {
  await sql`
    select pg_advisory_xact_lock(${lock}::bigint # (${sql.raw(brandNumber)} << 32))`.execute(tx)
}

/** What each connection is told at its beginning, whatever the database or the role has set. */
import { hash } from 'node:crypto'
import type pg from 'pg'
import { schemaOf } from './connection-url.ts'
import { DatabaseFault } from './fault.ts'

/**
 * What our SQL and the driver rely on. Whether the database may be written is not ours to say, and
 * neither is where names are looked up: `search_path` picks the schema of a brand.
 */
export const reliedOn: Readonly<Record<string, string>> = {
  client_encoding: 'UTF8',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  bytea_output: 'hex',
  extra_float_digits: '1',
  standard_conforming_strings: 'on',
  backslash_quote: 'safe_encoding',
  array_nulls: 'on',
  transform_null_equals: 'off',
  row_security: 'on',
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  // The pool and the listener find out by themselves whether anybody is there.
  idle_session_timeout: '0'
}

/** The longest waits, ms: of a statement, for a lock, of a transaction for its next statement. */
export const bounds: Readonly<Record<string, string>> = {
  statement_timeout: '5000',
  lock_timeout: '2000',
  idle_in_transaction_session_timeout: '10000'
}

/**
 * A plan is kept for as long as its connection, and so are those of foreign keys: one that was made
 * while its tables were empty or small would read them from end to end however large they grow. So
 * an index is used wherever there is one. Where there is none, a scan counts as dearer than it is
 * in PostgreSQL before 18, and would be compiled each time.
 */
export const planning: Readonly<Record<string, string>> = { enable_seqscan: 'off', jit: 'off' }

/** For migrations: statements take the time that they take, and each says how it waits. */
export const patience: Readonly<Record<string, string>> = {
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  transaction_timeout: '0',
  // A migration whose process has died ends too, and lets the next one go on.
  client_connection_check_interval: '1000'
}

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`

/**
 * Sets these for the session, as one statement; what this version of PostgreSQL does not know is
 * left out. Not as parameters of the connection: a pooler refuses those, or drops them in silence.
 * Throws `DatabaseFault` where one has dropped the schema that `url` names, which would lead to the
 * payments of another brand.
 */
export async function setUpSession(
  client: pg.ClientBase,
  settings: Readonly<Record<string, string>>,
  url: string
): Promise<void> {
  const values = Object.entries({ ...reliedOn, ...settings }).map(
    ([name, value]) => `(${quote(name)}, ${quote(value)})`
  )
  await client.query(`
    select set_config(name, value, false) from (values ${values.join(', ')}) as wanted(name, value)
    where current_setting(name, true) is not null`)
  const schema = schemaOf(url)
  if (schema === undefined) return
  const { rows } = await client.query<{ search_path: string }>('show search_path')
  if (rows[0]?.search_path === schema) return
  throw new DatabaseFault(
    `The pooler drops the schema ${schema} that the URL names: give each brand a role of ` +
      `its own, with alter role … set search_path = ${schema}, and leave it out of the URL.`
  )
}

const names = new Map<string, string>()

/**
 * The name under which a statement is prepared: made of its text, so that it means the same in
 * each process that a pooler may give the same connection.
 */
export function nameOf(text: string): string {
  const known = names.get(text)
  if (known !== undefined) return known
  const name = hash('sha256', text, 'base64url').slice(0, 22)
  names.set(text, name)
  return name
}

/** A year of payments in a database of its own, generated in SQL: see `growth-year.sql`. */
import { readFile } from 'node:fs/promises'
import { sql } from 'kysely'
import type pg from 'pg'
import { closeDays } from '../src/books/closing.jobs.ts'
import { compareDays } from '../src/books/comparison.jobs.ts'
import { hashKey } from '../src/clients/client.store.ts'
import { scopes } from '../src/clients/client.ts'
import { connect } from '../src/database/database.ts'
import { migrate, splitCommands } from '../src/database/migrate.ts'
import { merchantAccount } from './operations.ts'

/** The keys of the client that may do everything, and of a third party. */
export const keys = { own: 'growth-own', third: 'growth-third' } as const

/** As many payments as one command makes of each table. */
const atOnce = 100_000

/** Makes the year; answers how long it took, s, and its size, bytes. */
export async function makeYear(
  url: string,
  open: (url: string) => Promise<pg.Client>,
  size: number,
  tell: (line: string) => void
): Promise<{ seconds: number; bytes: number }> {
  const begun = performance.now()
  const since = () => `${Math.round((performance.now() - begun) / 1_000)} s`
  const owner = connect(url, { max: 1, patient: true })
  await migrate(owner)
  const clients = await Promise.all([open(url), open(url)])
  const [db] = clients as [pg.Client, pg.Client]
  for (const client of clients) {
    // No trigger and no foreign key: what is written here agrees with itself.
    await client.query('set session_replication_role = replica')
    await client.query('set synchronous_commit = off')
    await client.query("set maintenance_work_mem = '512MB'")
    await client.query("set work_mem = '128MB'")
  }
  await begin(db, size)
  const indexes = await dropIndexes(db)
  await load(clients, size)
  await makeFiles(db)
  tell(`${size} payments: rows written after ${since()}`)
  await inTurns(clients, indexes, (client, index) => client.query(index))
  await db.query('drop table growth_year')
  await db.query('vacuum (analyze)')
  tell(`${size} payments: indexed and analyzed after ${since()}`)
  await db.query('checkpoint')
  const { rows } = await db.query<{ bytes: number }>(
    'select pg_database_size(current_database())::bigint as bytes'
  )
  await owner.destroy()
  for (const client of clients) await client.end()
  return { seconds: (performance.now() - begun) / 1_000, bytes: rows[0]?.bytes ?? 0 }
}

/** What the service does in the background as the year goes by; of a kept one, what is new. */
export async function closeYear(url: string): Promise<void> {
  const db = connect(url, { max: 1, patient: true })
  await migrate(db)
  const onFault = (_: unknown, error: unknown) => {
    throw error
  }
  const deps = { db, merchantAccount, isStopping: () => false, onFault }
  while ((await closeDays(deps)) > 0);
  while ((await compareDays(deps)) > 0);
  await sql`analyze`.execute(db)
  await db.destroy()
}

/** Clients, accounts, reports: what there is before any payment. */
async function begin(db: pg.Client, size: number): Promise<void> {
  const digit = (of: string, shift: number) =>
    `substr('0123456789abcdefghjkmnpqrstvwxyz', ((${of} >> ${shift}) & 31)::integer + 1, 1)`
  const id = [
    ...[40, 35, 30, 25, 20, 15, 10, 5, 0].map((shift) => digit('ms', shift)),
    ...[30, 25, 20, 15, 10, 5, 0].map((shift) => digit('n', shift))
  ]
  // As `newId` makes it, so that a range of times is a range of ids.
  await db.query(`create function growth_id(ms bigint, n bigint) returns text
    language sql immutable return ${id.join(' || ')}`)
  await db.query(`create table growth_size as select ${size}::integer as size,
    greatest(${size} / 10, 100) as accounts, ${size} / 20 as rare,
    (extract(epoch from now()) * 1000)::bigint as now_ms`)
  await db.query(`create unlogged table growth_year (n integer, s text, later text, at timestamptz,
    acc integer, cur text, amount bigint, status text, channel text, method text, capture text,
    client text, refunded boolean, settled boolean)`)
  await db.query(
    `insert into client (id, name, scopes, third_party) values ('cli_own', 'own', $1, false),
       ('cli_third', 'third', '{payments:read,accounts:read}', true),
       ('cli_rare', 'rare', '{payments:read}', true)`,
    [scopes]
  )
  await db.query(
    "insert into api_key (hash, client_id) values ($1, 'cli_own'), ($2, 'cli_third')",
    [hashKey(keys.own), hashKey(keys.third)]
  )
  await db.query(`insert into webhook_endpoint (id, client_id, url, events, secret) values
    ('whe_1', 'cli_own', 'https://127.0.0.1:1/', '{*}', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La')`)
  await db.query(`insert into account (id, currency, status)
    select 1 + n, case when n % 100 = 99 then 'EUR' else 'GBP' end, 'open'
    from growth_size cross join generate_series(0, accounts - 1) n`)
  await db.query(`insert into card (id, account_id, token, brand, last_four)
    select 'crd_' || id, id, 'token-' || id, 'visa', '1111' from account`)
  await db.query(`insert into settlement_report (id, origin, kind, file_name, status, finished_at,
      lines, applied, booked_until, staged_at, created_at, content_hash)
    select 'set_' || growth_id(trunc(extract(epoch from day) / 86400)::bigint * 86400000, 0),
      'provider', 'settlementDetails', 'report-' || day, 'done', day, 1, 1, day, day, day,
      int8send(extract(epoch from day)::bigint)
    from generate_series(now() - interval '366 days', now(), interval '1 day') as day`)
}

/** Those that are no rule: made when the rows are there. Answers how they are made. */
async function dropIndexes(db: pg.Client): Promise<string[]> {
  const { rows } = await db.query<{ name: string; command: string }>(`
    select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as command
    from pg_index join pg_class on pg_class.oid = indexrelid
    where relnamespace = 'public'::regnamespace and not exists (
      select from pg_constraint where conindid = indexrelid)`)
  await db.query(`drop index ${rows.map(({ name }) => name).join(', ')}`)
  return rows.map(({ command }) => command)
}

async function load(clients: readonly pg.Client[], size: number): Promise<void> {
  const text = await readFile(new URL('growth-year.sql', import.meta.url), 'utf8')
  const [first, ...tables] = splitCommands(text) as [string, ...string[]]
  const parts = Array.from({ length: Math.ceil(size / atOnce) }, (_, part) => part * atOnce + 1)
  const write = async (client: pg.Client, command: string, from: number) => {
    await client.query(command, [from, Math.min(from + atOnce - 1, size)])
  }
  await inTurns(clients, parts, (client, from) => write(client, first, from))
  const db = clients[0] as pg.Client
  await db.query('create index on growth_year (n)')
  await db.query('vacuum analyze growth_year')
  const isLater = (command: string) => /webhook_|billing_file/.test(command)
  for (const late of [false, true]) {
    const some = tables.filter((command) => isLater(command) === late)
    await inTurns(late ? [db] : clients, some, async (client, command) => {
      for (const from of parts) await write(client, command, from)
    })
    await db.query('analyze event_feed')
    if (late) continue
    await db.query('create index on growth_year (s)')
  }
}

/** Two billing files a month, of 100 postings each. */
async function makeFiles(db: pg.Client): Promise<void> {
  await db.query(`insert into billing_file (id, transaction_type, currency, total_amount,
      record_count, content, created_at)
    select 'bil_' || growth_id(now_ms - (24 - k) * 1300000000::bigint, k), 'payment', 'GBP', 100,
      100, 'CMP', now() from growth_size cross join generate_series(1, 24) k`)
  await db.query(`update billing_posting b set file_id = f.id, file_sequence = 1 + b.position % 100
    from growth_size, (select *, row_number() over (order by id) as k from billing_file) f
    where b.status = 'posted' and b.position >= k * 100 * (size / 3000)
      and b.position < k * 100 * (size / 3000) + 100`)
}

/** Each client takes the next one when it is free. */
async function inTurns<One>(
  clients: readonly pg.Client[],
  all: readonly One[],
  work: (client: pg.Client, one: One) => Promise<unknown>
): Promise<void> {
  const left = [...all]
  await Promise.all(
    clients.map(async (client) => {
      for (let one = left.shift(); one !== undefined; one = left.shift()) await work(client, one)
    })
  )
}

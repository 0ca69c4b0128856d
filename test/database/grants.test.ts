import { randomBytes } from 'node:crypto'
import { glob, readFile } from 'node:fs/promises'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { connect, type Db } from '../../src/database/database.ts'
import { DatabaseFault } from '../../src/database/fault.ts'
import { grantTo, privileges } from '../../src/database/grants.ts'
import { migrate } from '../../src/database/migrate.ts'
import { testDatabase } from '../test-database.ts'

/** A role that may connect, and its connection string. */
async function newRole(t: Test, db: Db, url: string): Promise<{ role: string; url: string }> {
  const role = `Service ${randomBytes(4).toString('hex')}`
  const password = randomBytes(8).toString('hex')
  await sql`create role ${sql.id(role)} login password ${sql.lit(password)}`.execute(db)
  t.teardown(async () => {
    await sql`drop owned by ${sql.id(role)}`.execute(db)
    await sql`drop role ${sql.id(role)}`.execute(db)
  })
  const own = new URL(url)
  own.username = role
  own.password = password
  return { role, url: own.href }
}

async function insertTransfer(db: Db): Promise<void> {
  await sql`insert into account (id, currency, status) values (1, 'GBP', 'open')`.execute(db)
  await sql`
    insert into ledger_transfer (id, account_id, debit_account, credit_account, currency, amount,
      posting, fact, cause_type, cause_id)
    values ('t', 1, 'customer', 'billing', 'GBP', 100, 'charge', 'c', 'charge', 'c')`.execute(db)
}

t.test('the role may do to each table what the list says, and nothing else', async (t) => {
  const { db, url } = await testDatabase(t)
  const { role } = await newRole(t, db, url)
  // What an operator gave it before is taken back.
  await sql`grant all on all tables in schema public to ${sql.id(role)}`.execute(db)
  await grantTo(db, role)
  const { rows } = await sql<{ table: string; given: string[] }>`
    select relname as table, array(
      select lower(privilege_type) from aclexplode(relacl)
      where grantee = (select oid from pg_roles where rolname = ${role}) order by 1) as given
    from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'`.execute(db)
  t.ok(rows.length > 30)
  const expected = { ...privileges, kysely_migration: ['select'] }
  t.same(
    Object.fromEntries(rows.map(({ table, given }) => [table, given])),
    Object.fromEntries(Object.entries(expected).map(([table, list]) => [table, [...list].sort()]))
  )
})

t.test('the list gives what the statements of the service need, and no more', async (t) => {
  const needed = new Map<string, Set<string>>()
  const need = (table: string, what: string) => {
    if (table in privileges) needed.set(table, (needed.get(table) ?? new Set()).add(what))
  }
  for await (const file of glob('src/**/*.ts')) {
    const text = await readFile(file, 'utf8')
    const written = /\b(insert|update|delete)(?: into| from)?\s+([a-z_]+)/g
    const named = /'([a-z_]+) \([a-z_, ]+\)'/g
    for (const [, table = ''] of text.matchAll(named)) need(table, 'insert')
    for (const [, table = ''] of text.matchAll(/\bcopy ([a-z_]+) \(/g)) need(table, 'insert')
    for (const [, what = '', table = ''] of text.matchAll(written)) need(table, what)
    const built = /\b(insert|update|delete)(?:Into|Table|From)\('([a-z_]+)'/g
    for (const [, what = '', table = ''] of text.matchAll(built)) need(table, what)
  }
  t.ok(needed.size > 25)
  for (const [table, given] of Object.entries(privileges)) {
    if (!given.includes('insert' as never)) continue
    const own = [...(needed.get(table) ?? [])]
    const list: readonly string[] = given
    t.same(
      own.filter((what) => !list.includes(what)),
      [],
      `${table} is given what is done to it`
    )
    // A row can be locked only by who may update it.
    const extra = list.filter((what) => !['select', 'update', ...own].includes(what))
    t.same(extra, [], `${table} is given no more`)
  }
})

t.test('what has happened can be added to by the role, and not changed', async (t) => {
  const { db, url } = await testDatabase(t)
  const service = await newRole(t, db, url)
  await grantTo(db, service.role)
  const own = connect(service.url)
  t.teardown(() => own.destroy())
  await insertTransfer(own)
  const denied = { code: '42501' }
  await t.rejects(sql`update ledger_transfer set amount = 1`.execute(own), denied)
  await t.rejects(sql`delete from ledger_transfer`.execute(own), denied)
  await t.rejects(sql`truncate ledger_transfer`.execute(own), denied)
  await t.rejects(sql`drop table ledger_transfer`.execute(own), denied)
  await t.rejects(sql`alter table ledger_transfer disable trigger all`.execute(own), denied)
  await t.rejects(migrate(own), /set DATABASE_URL to that of its owner/)
  await t.rejects(sql`update client set scopes = '{}'`.execute(own), denied)
})

t.test('D12: even the owner changes nothing that has happened, one by one or all', async (t) => {
  const { db } = await testDatabase(t)
  await insertTransfer(db)
  const kept = { message: 'ledger_transfer is append-only', code: '23000' }
  await t.rejects(sql`update ledger_transfer set amount = 1`.execute(db), kept)
  await t.rejects(sql`delete from ledger_transfer`.execute(db), kept)
  await t.rejects(sql`truncate ledger_transfer cascade`.execute(db), { code: '23000' })
})

t.test('D12: each table that is only added to has both of its guards', async (t) => {
  const { db } = await testDatabase(t)
  const { rows } = await sql<{ table: string; type: number }>`
    select tgrelid::regclass::text as table, tgtype::integer as type from pg_trigger
    where not tgisinternal
      and tgfoid in ('refuse_change'::regproc, 'keep_settlement_line'::regproc)`.execute(db)
  const guards = Map.groupBy(rows, ({ table }) => table)
  t.same([...guards.keys()].sort(), [
    'adjustment',
    'allocation',
    'billing_file',
    'ledger_transfer',
    'other_event',
    'payment_event',
    'settlement_line'
  ])
  // 1: for each row, 2: before, 8: delete, 16: update, 32: truncate.
  for (const own of guards.values()) {
    t.same(own.map(({ type }) => type).sort(), [1 + 2 + 8 + 16, 2 + 32])
  }
})

t.test(
  'a role from which nothing could be kept is refused, and one that is not there',
  async (t) => {
    const { db } = await testDatabase(t)
    const { rows } = await sql<{ owner: string }>`select current_user as owner`.execute(db)
    await t.rejects(grantTo(db, rows[0]?.owner as string), /nothing can be kept from it/)
    await t.rejects(grantTo(db, 'nobody here'), new DatabaseFault('There is no role nobody here.'))
  }
)

/** Every migration after the last release leaves that release at work: see CONTRIBUTING.md. */
import { readdir, readFile } from 'node:fs/promises'
import t from 'tap'
import { privileges } from '../../src/database/grants.ts'
import { splitCommands } from '../../src/database/migrate.ts'
import { unpackRelease } from '../release.ts'
import { faultsOfUpgrade, tablesOf } from './upgrade-rules.ts'

const folder = new URL('../../migrations/', import.meta.url)
const read = async (url: URL) => splitCommands(await readFile(url, 'utf8'))
const filesOf = async (url: URL) =>
  (await readdir(url)).filter((name) => name.endsWith('.sql')).sort()

t.test('D2: what was released is not changed, and what came later upgrades it', async (t) => {
  const release = await unpackRelease()
  t.teardown(() => release.remove())
  const released = await filesOf(new URL('migrations/', release.folder))
  t.ok(released.length > 10)
  const tables = new Set<string>()
  for (const name of released) {
    const [now, then] = await Promise.all(
      [folder, new URL('migrations/', release.folder)].map((from) =>
        readFile(new URL(name, from), 'utf8')
      )
    )
    t.equal(now, then, name)
    for (const table of tablesOf(splitCommands(then ?? ''))) tables.add(table)
  }
  const sources = await Promise.all(
    (await readdir(new URL('src/', release.folder), { recursive: true }))
      .filter((name) => name.endsWith('.ts') && !/^database\/(tables|grants)\.ts$/.test(name))
      .map((name) => readFile(new URL(`src/${name}`, release.folder), 'utf8'))
  )
  const text = sources.join('\n')
  const isUsed = (name: string) => new RegExp(`\\b${name}\\b`).test(text)
  t.ok(isUsed('amount_captured'))
  const later = (await filesOf(folder)).filter((name) => !released.includes(name))
  for (const name of later) {
    const commands = await read(new URL(name, folder))
    t.same(faultsOfUpgrade(commands, { tables, isUsed }), [], name)
    for (const table of tablesOf(commands)) tables.add(table)
  }
})

t.test('D1: the role of the service may still do what the last release does', async (t) => {
  const release = await unpackRelease()
  t.teardown(() => release.remove())
  const { href } = new URL('src/database/grants.ts', release.folder)
  const then: Record<string, readonly string[]> = (await import(href)).privileges
  t.ok(then.payment?.includes('update'))
  const now: Record<string, readonly string[]> = privileges
  for (const [table, needed] of Object.entries(then)) {
    t.same(
      needed.filter((one) => !now[table]?.includes(one)),
      [],
      table
    )
  }
})

const known = { tables: new Set(['a', 'b']), isUsed: (name: string) => name === 'used' }

const refused: ReadonlyArray<readonly [command: string, fault: RegExp]> = [
  ['create index x on a (b)', /concurrently/],
  ['create unique index x on a (b)', /concurrently/],
  ['create index on a (b)', /concurrently/],
  ['create index concurrently x on a (b)', /if not exists/],
  ['drop index x', /concurrently if exists/],
  ['alter table a add constraint c check (b > 0)', /not valid/],
  ['alter table a add constraint c foreign key (b) references b', /not valid/],
  ['alter table a add constraint c unique (b)', /using index/],
  ['alter table a add column c text not null', /old writers/],
  ['alter table a add column c text check (c <> 1)', /rule of its own/],
  ['alter table a add c text check (c <> 1)', /rule of its own/],
  ['alter table a add check (c <> 1)', /rule of its own/],
  ['alter table a add column c text references b', /rule of its own/],
  ['alter table a add column c uuid default gen_random_uuid()', /from row to row/],
  ['alter table a add column c text generated always as (b) stored', /computed/],
  ['alter table a alter column b type bigint', /another type/],
  ['alter table a alter b set data type bigint', /another type/],
  ['alter table a alter column b set not null', /nulls/],
  ['alter table a rename column b to c', /another name/],
  ['alter table a rename to c', /another name/],
  ['alter table a disable trigger all', /old writers/],
  ['alter table a drop column used', /last release/],
  ['alter table a drop used', /last release/],
  ['drop table used', /last release/],
  ['drop trigger x on a', /old writers/],
  ['drop function x', /old writers/],
  ['update a set b = 1', /batches/],
  ['update a set b = 1 where id in (select id from a limit 100000)', /batches/],
  ['insert into a select 1', /change of data/],
  ['truncate a', /whole table/],
  ['reindex table a', /whole table/]
]
for (const [command, fault] of refused) {
  t.test(`refused: ${command}`, async (t) => {
    const faults = faultsOfUpgrade([command], known)
    t.equal(faults.length, 1, faults.join())
    t.match(faults[0], fault)
  })
}

t.test('refused: an index made concurrently in the file of another change', async (t) => {
  const commands = [
    'alter table a add column c text',
    'create index concurrently if not exists x on a (c)'
  ]
  t.match(faultsOfUpgrade(commands, known), [/two files/])
})

t.test('what may be done', async (t) => {
  for (const commands of [
    ['alter table a add column c text', 'alter table a add column d integer not null default 0'],
    ["alter table a add constraint c check (b in ('x', 'references')) not valid"],
    ['alter table a drop constraint c', 'alter table a add constraint c check (b > 0) not valid'],
    ['alter table a validate constraint c', 'alter table a validate constraint d'],
    ['create index concurrently if not exists x on a (b)', 'drop index concurrently if exists y'],
    ['update a set c = b where id in (select id from a where c is null limit 1000)'],
    ['create table n (id text primary key references a)', 'create index x on n (id)'],
    ['create table n (id text)', 'alter table n add constraint c unique (id)'],
    ['alter table a drop column unused', 'alter table a alter column b drop not null'],
    ['alter table a alter column b set default 1', 'alter table a set (fillfactor = 70)'],
    ['create or replace function f() returns trigger language plpgsql as $$ begin end $$'],
    ['create trigger x before update on a for each row execute function f()']
  ]) {
    t.same(faultsOfUpgrade(commands, known), [], commands.join('; '))
  }
})

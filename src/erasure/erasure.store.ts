/** What an erasure counts and writes, some rows at a time, and the record that it leaves. */
import { sql } from 'kysely'
import { type Db, statement, type Tx } from '../database/database.ts'
import { type Hindrance, hindrances } from './hindrances.ts'
import { personalData, type TableFacts } from './personal-data.ts'

/** A table with something to erase. */
export type Step = { table: string; facts: Required<Pick<TableFacts, 'erased' | 'rows'>> } & {
  isLookedThrough: boolean
}

export const steps: readonly Step[] = Object.entries(personalData).flatMap(
  ([table, { erased, rows, isLookedThrough = false }]) =>
    erased === undefined || rows === undefined
      ? []
      : [{ table, facts: { erased, rows }, isLookedThrough }]
)

/** Rows that one statement changes, and blocks (8 KiB) that one looks through. */
const rowsAtOnce = 500
export const blocksAtOnce = 500

const inBlocks = 'ctid >= $2::tid and ctid < $3::tid'

/** Rows of the account that hold what is to go: the same asked again finds none. */
function openRows({ facts: { erased, rows }, isLookedThrough }: Step): string {
  const columns = Object.keys(erased).join(', ')
  const values = Object.values(erased).join(', ')
  const where = rows.replaceAll('$1', '$1::integer')
  return `${isLookedThrough ? `${inBlocks} and ` : ''}${where}
    and row(${columns}) is distinct from row(${values})`
}

/** A range of blocks of a table, as bounds of places in it. */
export type Blocks = { from: string; to: string }

/** All blocks that a table has now, in ranges that one statement looks through. */
export async function readBlocks(db: Db, table: string): Promise<Blocks[]> {
  const { rows } = await sql<{ count: number }>`
    select (pg_relation_size(to_regclass(${table}))
      / current_setting('block_size')::bigint)::integer as count`.execute(db)
  const ranges = Math.ceil((rows[0]?.count ?? 0) / blocksAtOnce)
  return Array.from({ length: ranges }, (_, n) => ({
    from: `(${n * blocksAtOnce},0)`,
    to: `(${(n + 1) * blocksAtOnce},0)`
  }))
}

const parameters = (accountId: number, blocks: Blocks | undefined) =>
  blocks ? [accountId, blocks.from, blocks.to] : [accountId]

/** How many rows of the account are to be changed; of a table that is looked through, there. */
export async function countOpenRows(
  db: Db,
  step: Step,
  accountId: number,
  blocks?: Blocks
): Promise<number> {
  const count = statement<{ count: number }>(
    `select count(*)::integer as count from ${step.table} where ${openRows(step)}`
  )
  const { rows } = await db.executeQuery(count(...parameters(accountId, blocks)))
  return rows[0]?.count ?? 0
}

/** Erases some rows and counts them in the record; answers how many. */
export async function eraseRows(
  tx: Tx,
  step: Step,
  { erasureId, accountId }: { erasureId: number; accountId: number },
  blocks?: Blocks
): Promise<number> {
  const { table, facts } = step
  const changes = Object.entries(facts.erased).map(([column, value]) => `${column} = ${value}`)
  const where = blocks
    ? openRows(step)
    : `ctid = any(array(select ctid from ${table} where ${openRows(step)} limit ${rowsAtOnce}))`
  const change = statement(`update ${table} set ${changes.join(', ')} where ${where}`)
  const { numAffectedRows = 0n } = await tx.executeQuery(change(...parameters(accountId, blocks)))
  const count = Number(numAffectedRows)
  if (count > 0) {
    await sql`
      update erasure set counts = counts || jsonb_build_object(${table}::text,
        coalesce((counts->>${table}::text)::integer, 0) + ${count}::integer)
      where id = ${erasureId}`.execute(tx)
  }
  return count
}

/** What keeps the account from being erased now: up to `idsMax` ids of each kind. */
export async function findHindrances(db: Db, accountId: number): Promise<Hindrance[]> {
  const found: Hindrance[] = []
  for (const [name, query] of Object.entries(hindrances)) {
    const { rows } = await db.executeQuery(
      statement<{ id: string }>(`select one.id::text as id from (${query}) as one limit 1000`)(
        accountId
      )
    )
    if (rows.length > 0) {
      found.push({ name, count: rows.length, ids: rows.slice(0, idsMax).map(({ id }) => id) })
    }
  }
  return found
}
const idsMax = 10

/** Begins an erasure of the account, or goes on with the one that is under way. */
export async function openErasure(db: Db, accountId: number, askedBy: string): Promise<number> {
  await sql`
    insert into erasure (account_id, asked_by) values (${accountId}, ${askedBy})
    on conflict (account_id) where finished_at is null do nothing`.execute(db)
  const { rows } = await sql<{ id: number }>`
    select id from erasure where account_id = ${accountId} and finished_at is null`.execute(db)
  return (rows[0] as { id: number }).id
}

export async function finishErasure(db: Db, erasureId: number): Promise<void> {
  await sql`
    update erasure set finished_at = now() where id = ${erasureId} and finished_at is null`.execute(
    db
  )
}

export type RecordedErasure = {
  account: string
  askedBy: string
  begunAt: string
  finishedAt: string | null
  /** Rows that were changed, by table. */
  counts: Record<string, number>
}

/** Oldest first. */
export async function listErasures(db: Db): Promise<RecordedErasure[]> {
  const rows = await db.selectFrom('erasure').selectAll().orderBy('id').execute()
  return rows.map((row) => ({
    account: String(row.account_id),
    askedBy: row.asked_by,
    begunAt: row.begun_at.toISOString(),
    finishedAt: row.finished_at?.toISOString() ?? null,
    counts: row.counts
  }))
}

/** By what a person is found: the account's name, and what its payments say of who pays. */
export async function readIdentifyingValues(db: Db, accountId: number): Promise<string[]> {
  const { rows } = await sql<{ value: string }>`
    select distinct value from (
      select name as value from account where id = ${accountId}
      union all
      select said.value from (
        select customer from payment where account_id = ${accountId}
        union all select customer from card_registration where account_id = ${accountId}
      ) as one cross join lateral jsonb_each_text(one.customer) as said
      where said.key in ('reference', 'email', 'phone')
    ) as all_of_them where value is not null`.execute(db)
  return rows.map(({ value }) => value)
}

/** Cards that the provider is to remove, or may still list: those too that came meanwhile. */
export async function countCardsToForget(db: Db, accountId: number): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from card
    where account_id = ${accountId} and token <> 'erased'
  `.execute(db)
  return rows[0]?.count ?? 0
}

/**
 * Frees the space of versions of rows that are no more, and forgets the samples of values that the
 * planner has taken of these tables.
 */
export async function cleanUp(db: Db, tables: readonly string[]): Promise<void> {
  if (tables.length === 0) return
  await sql`vacuum (analyze) ${sql.join(tables.map((table) => sql.table(table)))}`.execute(db)
}

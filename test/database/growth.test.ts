/**
 * Whatever is asked for, and whatever the worker looks for, is found by an index, however many
 * payments there are: a small year, of which the planner is told that it is a large one.
 */
import { sql } from 'kysely'
import t from 'tap'
import { measure } from '../../bench/growth.ts'
import { makeYear } from '../../bench/growth-year.ts'
import { createCleaner } from '../../bench/processes.ts'
import { openClient } from '../../bench/site.ts'
import { testDatabase } from '../test-database.ts'

const size = 4_000
/** So many more payments the planner is told of. */
const times = 1_000
/** Fewer than there are: what a page of a list, or a round, may read. */
const rowsMax = 2_500

/** Those of days add up whole days first: they have tests of their own. */
const isAsked = (what: string) => !['report', 'close_days', 'compare_days'].includes(what)

/** Rarer in this year than in the one that the planner is told of. */
const rare = /metadata\.campaign=c1$/
/**
 * The first 1,000 accounts are looked through, each with its open charges; of the events since a
 * moment the index has ranges of pages, which are read whole.
 */
const lookedThrough = /billingAccount\?state=|statusDate\.gte=/

t.test('no table that grows is read from end to end', async (t) => {
  const { url, db } = await testDatabase(t)
  const cleaner = createCleaner()
  t.teardown(() => cleaner.clean())
  await makeYear(
    url,
    (to) => openClient(to, cleaner),
    size,
    () => {}
  )
  await sql`
    update pg_class set reltuples = reltuples * ${times}
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'i')`.execute(db)
  const measured = await measure(url, size, cleaner, { times: 0, fewRows: 1_000, isAsked })
  t.ok(measured.length > 130)
  for (const { name, scanned, rows, fault, slowest } of measured) {
    t.same([...scanned, fault ?? []].flat(), [], `${name}: ${slowest}`)
    if (!rare.test(name) && !lookedThrough.test(name))
      t.ok(rows <= rowsMax, `${name} reads ${rows} rows: ${slowest}`)
  }
})

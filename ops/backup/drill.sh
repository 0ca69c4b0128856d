#!/usr/bin/env bash
# Loses a database and brings it back to a time, to see that nothing is lost that was acknowledged before.
#   ops/backup/drill.sh          about two minutes; ends with 0 if all holds, 1 if not, 2 if it can't be tried
# It has a PostgreSQL, a repository, a service and a simulator of Adyen of its own, in a folder under
# TMPDIR and on the ports DRILL_PORT (3100) and the two after it. docs/operations/backup.md explains it.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
export PATH=$root/node_modules/.bin:$PATH

cannot() { echo "The drill can't be tried: $1" >&2; exit 2; }
command -v pgbackrest >/dev/null || cannot 'pgBackRest is not installed (Debian: apt-get install pgbackrest).'
bin=${PG_BIN:-$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -1)}
[ -x "$bin/initdb" ] || cannot 'there is no PostgreSQL (Debian: apt-get install postgresql; else PG_BIN).'
[ -x node_modules/.bin/node ] || cannot 'run npm ci first.'
# PostgreSQL does not run as root, and nothing else needs to.
if [ "$(id -u)" = 0 ]; then
  id postgres >/dev/null 2>&1 || cannot 'root needs the user postgres, to run PostgreSQL as.'
  as=(setpriv --reuid postgres --regid postgres --init-groups --)
else
  as=()
fi

folder=$(mktemp -d -t payments-drill-XXXXXX)
mkdir "$folder"/{repository,spool,lock,log}
mkdir -m 700 "$folder"/{lost,restored}
# Where PostgreSQL's user reads them, wherever the checkout is.
install -m 644 ops/backup/pgbackrest.conf ops/backup/postgresql.conf "$folder"
[ ${#as[@]} = 0 ] || chown -R postgres: "$folder"

random() { node -p 'crypto.randomBytes(32).toString("hex")'; }
# pgBackRest takes these instead of what stands in the file.
export PGBACKREST_CONFIG=$folder/pgbackrest.conf PGBACKREST_STANZA=payments
export PGBACKREST_REPO1_PATH=$folder/repository PGBACKREST_SPOOL_PATH=$folder/spool
export PGBACKREST_LOCK_PATH=$folder/lock PGBACKREST_LOG_PATH=$folder/log
export PGBACKREST_PG1_SOCKET_PATH=$folder PGBACKREST_PG1_PATH=$folder/lost
PGBACKREST_REPO1_CIPHER_PASS=$(random)
export PGBACKREST_REPO1_CIPHER_PASS

port=${DRILL_PORT:-3100}
api=http://127.0.0.1:$port adyen=http://127.0.0.1:$((port + 2))
owner="postgresql://postgres@localhost/payments?host=$folder"
declare -A pids=()

# Ends a process of ours, by its pid, and waits for it.
end() { # NAME SIGNAL
  local pid=${pids[$1]:-}
  [ -n "$pid" ] || return 0
  unset "pids[$1]"
  kill "-$2" "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}
leave() {
  local code=$? name
  trap - EXIT INT TERM
  for name in callers service simulator; do end "$name" TERM; done
  end postgres INT
  # A process of pgBackRest's that sends the log ends by itself once there is nothing to send.
  for _ in $(seq 50); do [ -n "$(find "$folder/lock" -name '*.lock' 2>/dev/null)" ] || break; sleep 0.1; done
  case $code in
    0 | 130) rm -rf "$folder" ;;
    *) code=1; echo "what was seen is kept in $folder" >&2 ;;
  esac
  exit "$code"
}
trap leave EXIT
trap 'exit 130' INT TERM

step() { printf '%s  %s\n' "$(date -u +%T)" "$*"; }
seconds() { awk "BEGIN { printf \"%.1f\", $(date +%s.%N) - $1 }"; }
sql() { "${as[@]}" "$bin/psql" -h "$folder" -U postgres -d "${2:-payments}" -qAtX -v ON_ERROR_STOP=1 -c "$1"; }
backrest() { "${as[@]}" pgbackrest "$@"; }

# Waits until a command succeeds, for a minute, or until the process has ended that it is about.
until_true() { # PROCESS COMMAND…
  local name=$1
  shift
  for _ in $(seq 600); do
    "$@" >/dev/null 2>&1 && return
    kill -0 "${pids[$name]}" 2>/dev/null || break
    sleep 0.1
  done
  echo "$name does not do what it should; its last lines:" >&2
  tail -n 5 "$folder/$name.log" >&2
  exit 1
}
start_postgres() { # FOLDER
  "${as[@]}" "$bin/postgres" -D "$1" -k "$folder" -c listen_addresses= >>"$folder/postgres.log" 2>&1 &
  pids[postgres]=$!
  until_true postgres takes_writes
}
takes_writes() { [ "$(sql 'select pg_is_in_recovery()' postgres)" = f ]; }
# In the folder, so that no file .env of the checkout has a say.
run_service() {
  cd "$folder"
  exec env -i PATH="$PATH" DATABASE_URL="postgresql://payments@localhost/payments?host=$folder" \
    HOST=127.0.0.1 PORT="$port" METRICS_PORT=$((port + 1)) PUBLIC_URL="$api" DRAIN_S=0 LOG_LEVEL=warn \
    DUPLICATE_WINDOW_S=0 ADYEN_ENVIRONMENT=TEST ADYEN_CHECKOUT_URL="$adyen" ADYEN_API_KEY=drill \
    ADYEN_MERCHANT_ACCOUNT=Drill ADYEN_HMAC_KEYS="$hmac" \
    node --disable-warning=ExperimentalWarning "$root/src/main.ts" >>"$folder/service.log" 2>&1
}
start_service() {
  run_service &
  pids[service]=$!
  until_true service is_ready "$port" /health/ready
}
# Without a program of its own: on a busy machine one takes longer than what is waited for.
is_ready() ( # PORT PATH
  exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&3 && grep -q '^HTTP/1.1 200' <&3
)
main() (
  cd "$folder"
  DATABASE_URL=$owner exec node --disable-warning=ExperimentalWarning "$root/src/main.ts" "$@"
)
prove() { node --disable-warning=ExperimentalWarning ops/backup/prove.ts "$@"; }
verify() { main verify 2>/dev/null | tee "$folder/verify.log" | tail -n 1; }

step "$("$bin/postgres" --version), $(pgbackrest version), in $folder"
"${as[@]}" "$bin/initdb" -D "$folder/lost" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$folder/postgres.log"
{
  echo "include = '$folder/postgresql.conf'"
  # Sooner than in production: the drill is to be short.
  echo 'archive_timeout = 5s'
} | "${as[@]}" tee -a "$folder/lost/postgresql.conf" >/dev/null
start_postgres "$folder/lost"
sql 'create database payments' postgres
sql 'create role payments login' postgres
main migrate --grant-to payments >/dev/null 2>&1
key=$(main client create --name drill --scope payments:write --scope payments:read --scope accounts:write \
  --scope accounts:read --scope refunds:write --scope reconciliation:read --scope reconciliation:write \
  --return-origin https://pay.example --json | node -p 'JSON.parse(fs.readFileSync(0)).key')
export API_URL=$api API_KEY=$key SIMULATOR_URL=$adyen TOLD=$folder/told.jsonl
backrest stanza-create
backrest check

hmac=$(random)
# It ends when its input does, which lives as long as it holds that itself.
mkfifo "$folder/input"
env -i PATH="$PATH" SIMULATOR_PORT=$((port + 2)) SIMULATOR_DIR="$folder/adyen" \
  SIMULATOR_API_KEY=drill SIMULATOR_MERCHANT_ACCOUNT=Drill SIMULATOR_HMAC_KEY="$hmac" \
  SIMULATOR_WEBHOOK_URL="$api/webhooks/adyen" \
  node --disable-warning=ExperimentalWarning sandbox/simulator/main.ts \
  <>"$folder/input" >"$folder/simulator.log" 2>&1 &
pids[simulator]=$!
start_service
until_true simulator is_ready $((port + 2)) /_simulator/settings

node --disable-warning=ExperimentalWarning ops/backup/callers.ts &
pids[callers]=$!
step 'callers pay'
sleep 5
begun=$(date +%s.%N)
backrest --type=full backup
step "full backup under load: $(seconds "$begun") s"
sleep 10
target=$(sql "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00')")
step "target: $target"
sleep 20

behind=$(sql 'select round(extract(epoch from clock_timestamp() - last_archived_time), 1) from pg_stat_archiver')
step "the last file of the log was archived $behind s ago"
step 'disaster: PostgreSQL killed, its folder gone'
postmaster=${pids[postgres]}
mapfile -t children < <(ps -o pid= --ppid "$postmaster")
kill -KILL "$postmaster" "${children[@]}" 2>/dev/null || true
end postgres KILL
sleep 1
rm -rf "$folder/lost"
end callers TERM
end service TERM

begun=$(date +%s.%N)
export PGBACKREST_PG1_PATH=$folder/restored
backrest --type=time --target="$target" --target-action=promote restore
restored=$(seconds "$begun")
start_postgres "$folder/restored"
"${as[@]}" "$bin/psql" -h "$folder" -U postgres -d payments -qX -v ON_ERROR_STOP=1 <ops/backup/after-restore.sql
start_service
step "restore: files $restored s, until the service was ready $(seconds "$begun") s"

prove told "$target"
verify
prove recover "$target"
verify
backrest --type=full backup
backrest check
step 'all holds; the restored server is archived and backed up'

#!/usr/bin/env bash
# Joins the workers, makes the brands named (op1 op2 op3), and says on which node each lies.
# COORDINATOR: URL of a superuser; COORDINATOR_NODE: its name and port for the workers; WORKERS: theirs.
set -euo pipefail
cd "$(dirname "$0")/../.."

coordinator=${COORDINATOR:-postgresql://postgres@127.0.0.1:5440/payments}
node=${COORDINATOR_NODE:-coordinator:5432}
workers=${WORKERS:-worker-1:5432 worker-2:5432}
[ $# -gt 0 ] || set -- op1 op2 op3

sql() { psql "$coordinator" -qAtX -v ON_ERROR_STOP=1 "$@"; }

sql -c 'create extension if not exists citus'
sql -c "select citus_set_coordinator_host('${node%:*}', ${node#*:})" >/dev/null
for worker in $workers; do sql -c "select citus_add_node('${worker%:*}', ${worker#*:})" >/dev/null; done

# A schema that is made from now on is distributed, as a whole. Its triggers are for rows, on tables
# that lie together on one node, which is what makes the second setting safe here.
sql -c 'alter database payments set citus.enable_schema_based_sharding = on'
sql -c 'alter database payments set citus.enable_unsafe_triggers = on'

for brand; do
  sql -c "do \$\$ begin if not exists (select from pg_roles where rolname = '$brand') then
    create role $brand login; end if; end \$\$"
  DATABASE_URL="$coordinator?options=-c%20search_path%3D$brand" \
    npm run --silent migrate -- --grant-to "$brand"
done

echo 'schema | tables | node'
sql -F ' | ' -c "
  select n.nspname, count(*), min(s.nodename || ':' || s.nodeport) from citus_shards s
  join pg_class c on c.oid = s.table_name join pg_namespace n on n.oid = c.relnamespace
  group by 1 order by 1"

#!/usr/bin/env bash
# A coordinator and two workers on loopback, without Docker: ops/citus/nodes.sh start FOLDER, then stop FOLDER.
# PORT: the coordinator's, 5440; the workers have the next two. PG_CONFIG: that of a PostgreSQL that has Citus.
# Not for production: everybody on this machine is trusted, and a power cut may destroy the data.
set -euo pipefail
command=$1 folder=$2
port=${PORT:-5440}
bin=$("${PG_CONFIG:-pg_config}" --bindir)

# PostgreSQL does not run as root.
as_owner() { if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi; }

start() {
  local data=$1 port=$2
  if [ ! -d "$data" ]; then
    as_owner "$bin/initdb" -D "$data" -U postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >/dev/null
    cat >>"$data/postgresql.conf" <<-SETTINGS
	shared_preload_libraries = 'citus'
	listen_addresses = '127.0.0.1'
	unix_socket_directories = ''
	max_connections = 300
	max_prepared_transactions = 300
	timezone = 'UTC'
	fsync = off
	# For the nodes among each other: they are on loopback.
	citus.node_conninfo = 'sslmode=disable'
	SETTINGS
  fi
  as_owner "$bin/pg_ctl" -D "$data" status >/dev/null ||
    as_owner "$bin/pg_ctl" -D "$data" -o "-p $port" -l "$data/log" -w start >/dev/null
  local url=postgresql://postgres@127.0.0.1:$port
  psql "$url/payments" -qXc 'select' >/dev/null 2>&1 || {
    psql "$url/postgres" -qXc 'create database payments'
    psql "$url/payments" -qXc 'create extension citus'
  }
}

case $command in
  start)
    mkdir -p "$folder"
    folder=$(realpath "$folder")
    [ "$(id -u)" != 0 ] || chown postgres "$folder"
    for node in 0 1 2; do start "$folder/$node" $((port + node)); done
    ;;
  stop)
    for data in "$(realpath "$folder")"/[012]; do as_owner "$bin/pg_ctl" -D "$data" -m fast stop >/dev/null; done
    ;;
esac

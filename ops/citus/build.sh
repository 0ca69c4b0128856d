#!/usr/bin/env bash
# Builds Citus 13 from a folder of its source (a tag of github.com/citusdata/citus) against the PostgreSQL of this machine,
# 15 to 17, and installs it there, as root where that needs root: ops/citus/build.sh FOLDER
# PG_CONFIG: that of the PostgreSQL; JOBS: how many compilers run at a time.
# On Debian it needs build-essential autoconf flex postgresql-server-dev-15 libssl-dev liblz4-dev libzstd-dev
# libkrb5-dev libpam0g-dev libselinux1-dev libxslt1-dev libreadline-dev libicu-dev.
set -euo pipefail
pg_config=${PG_CONFIG:-pg_config}
cd "$1"

# By 15.20 PostgreSQL has a function that Citus defines for 15.
if [[ $("$pg_config" --version) == 'PostgreSQL 15.'* ]] &&
  grep -qrs have_createdb_privilege "$("$pg_config" --includedir-server)/commands"; then
  sed -i -E 's/\b(citus_)?have_createdb_privilege\b/citus_have_createdb_privilege/g' \
    src/include/pg_version_compat.h src/backend/distributed/commands/serialize_distributed_ddls.c
fi

# Without what it reports home by, and without code for LLVM, which would take as long again.
./configure PG_CONFIG="$pg_config" --without-libcurl
make -j"${JOBS:-2}" with_llvm=no install-extension

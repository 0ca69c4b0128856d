#!/usr/bin/env bash
# Guess: with `"plugin": ["!@tapjs/typescript"]` test files are run by Node itself, without ts-node.
# What happens: in the first run after an installation they are run by ts-node all the same. tap sees that it was built
#   with other plugins and builds itself anew, but the arguments of this run's tests were made before. The second run is
#   as configured.
# Why it matters: CI installs anew each time, so only CI pays: here some 3 s of processor time for each test file, over
#   ten minutes of a suite of 229 files, which nobody could see in a work tree. So `type-strip-only` is set instead.
# Source: @tapjs/run, dist/esm/run.js, above `needBuild`, and test-argv.js, which reads the plugins when it is loaded.
# Seen, tap 21.8.0: ts-node in the first run: yes, in the second: no; with type-strip-only: no, no.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Installs tap anew and prints for two runs whether the tests had ts-node in their process.
runs() {
  mkdir "$folder/$1" && cd "$folder/$1"
  echo "{ \"name\": \"x\", \"version\": \"1.0.0\", \"type\": \"module\", \"tap\": { $2, \"disable-coverage\": true } }" >package.json
  npm install --silent --no-audit --no-fund tap@21.8.0 >/dev/null 2>&1
  cat >a.test.ts <<'END'
import t from 'tap'
import { writeFileSync } from 'node:fs'
const registered = Symbol.for('ts-node.register.instance') in process
writeFileSync('seen.txt', registered ? 'yes' : 'no')
t.pass()
END
  for run in first second; do
    npx tap run a.test.ts >/dev/null
    echo "$1, $run run, ts-node: $(cat seen.txt)"
  done
}

echo "Node $(node --version), tap 21.8.0"
seen=$(runs plugin-removed '"plugin": ["!@tapjs/typescript"]'; runs type-strip-only '"type-strip-only": true')
echo "$seen"
[ "$(echo "$seen" | grep -o 'yes\|no' | tr '\n' ' ')" = 'yes no no no ' ]

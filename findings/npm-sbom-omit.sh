#!/usr/bin/env bash
# Guess: `npm sbom --omit=dev` lists what `npm ls --omit=dev` lists.
# What happens: a package that production needs is left out where a development dependency needs it too.
# Why it matters: of 141 packages of this service 50 were missing, jose, undici, pg-protocol and yaml among them; who
#   looks for a vulnerable one there does not find it. So `npm run sbom` has npm list all, and picks by the lock file.
# Source: #buildSelector() in lib/commands/sbom.js of npm, `:not(.dev)`, which an edge is enough for;
#   https://github.com/npm/cli/issues/7909.
# Seen, npm 11.19.1: listed 0 of 1 with --omit=dev. Asks no registry.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >package.json <<'END'
{ "name": "x", "version": "1.0.0", "dependencies": { "a": "1.0.0" }, "devDependencies": { "b": "1.0.0" } }
END
cat >package-lock.json <<'END'
{
  "name": "x", "version": "1.0.0", "lockfileVersion": 3, "requires": true,
  "packages": {
    "": { "name": "x", "version": "1.0.0", "dependencies": { "a": "1.0.0" }, "devDependencies": { "b": "1.0.0" } },
    "node_modules/a": { "version": "1.0.0", "license": "MIT" },
    "node_modules/b": { "version": "1.0.0", "dev": true, "license": "MIT", "dependencies": { "a": "1.0.0" } }
  }
}
END

echo "npm $(npm --version)"
listed() { npm sbom --package-lock-only --sbom-format=cyclonedx "$@" | grep -c '"bom-ref": "[ab]@' || true; }
echo "npm ls --omit=dev:   $(npm ls --package-lock-only --omit=dev --parseable | grep -c 'node_modules/a$') of 1 (a)"
echo "npm sbom:            $(listed) of 2 (a, b)"
echo "npm sbom --omit=dev: $(listed --omit=dev) of 1 (a)"
[ "$(listed)" = 2 ] && [ "$(listed --omit=dev)" = 0 ]

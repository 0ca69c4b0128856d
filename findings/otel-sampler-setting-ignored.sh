#!/usr/bin/env bash
# Guess: OTEL_TRACES_SAMPLER=always_off keeps no span, as OpenTelemetry's specification of environment variables has it
#   and as version 2 of the JavaScript SDK did.
# What happens: @opentelemetry/sdk-trace 3 does not read it (nor OTEL_TRACES_SAMPLER_ARG): every span is kept, and nothing
#   says so. Reading the environment is left to packages above it, which a lean program does without.
# Why it matters: an operator who keeps one trace in twenty by the standard setting pays for all of them after an upgrade.
#   So this service reads the two settings itself, and refuses a value that it does not know.
# Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ (General SDK configuration);
#   the packages' own code.
# Seen, Node 24.21.0: sdk-trace-base 2.1.0 kept 0 of 1 spans, sdk-trace 3.1.1 kept 1 of 1.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Installs a package with the API it wants, and prints how many of one span it keeps.
kept() {
  mkdir "$folder/$1" && cd "$folder/$1"
  echo '{ "name": "x", "version": "1.0.0", "type": "module" }' >package.json
  npm install --silent --no-audit --no-fund "@opentelemetry/api@$3" "@opentelemetry/$1@$2" >/dev/null 2>&1
  cat >kept.js <<'END'
const { BasicTracerProvider, TracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = await import(process.argv[2])
const exporter = new InMemorySpanExporter()
// Version 3 has a new name for the one, and takes options for the other.
const spanProcessors = [new SimpleSpanProcessor(BasicTracerProvider ? exporter : { exporter })]
const provider = new (BasicTracerProvider ?? TracerProvider)({ spanProcessors })
provider.getTracer('t').startSpan('one').end()
await provider.forceFlush()
console.log(exporter.getFinishedSpans().length)
END
  OTEL_TRACES_SAMPLER=always_off node kept.js "@opentelemetry/$1"
}

echo "Node $(node --version), OTEL_TRACES_SAMPLER=always_off"
two=$(kept sdk-trace-base 2.1.0 1.9.0)
three=$(kept sdk-trace 3.1.1 1.10.0)
echo "@opentelemetry/sdk-trace-base 2.1.0 kept $two of 1, @opentelemetry/sdk-trace 3.1.1 kept $three of 1"
[ "$two" = 0 ] && [ "$three" = 1 ]

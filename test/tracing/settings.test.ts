import t from 'tap'
import { createReader } from '../../src/settings/reader.ts'
import { readTracing } from '../../src/settings/tracing-settings.ts'
import { traceOfPayment } from '../../src/tracing/payment-trace.ts'
import { summaryOf, withoutTexts } from '../../src/tracing/statement.ts'

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }

function read(env: Record<string, string>) {
  const reader = createReader(env)
  return { tracing: readTracing(reader), faults: reader.faults }
}

t.test('traces are asked for by an endpoint alone', async (t) => {
  for (const env of [{}, { OTEL_SERVICE_NAME: 'a', OTEL_TRACES_SAMPLER: 'none of these' }]) {
    t.same(read(env), { tracing: null, faults: [] })
  }
  const url = 'http://collector:4318/v1/traces'
  const usual = { url, sampler: 'parentbased_always_on', ratio: 1 }
  t.same(read(endpoint), { tracing: usual, faults: [] })
  const slash = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' }
  t.same(read(slash).tracing, usual)
  const own = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://other.example/otlp' }
  t.match(read({ ...endpoint, ...own }), {
    tracing: { url: own.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT }
  })
  const ratio = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '.25' }
  t.match(read({ ...endpoint, ...ratio }).tracing, { sampler: 'traceidratio', ratio: 0.25 })
})

t.test('what would be traced otherwise than it says is refused', async (t) => {
  const wrong: ReadonlyArray<readonly [string, string]> = [
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
    ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'http/json'],
    ['OTEL_TRACES_SAMPLER', 'jaeger_remote'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
    ['OTEL_TRACES_SAMPLER_ARG', 'half']
  ]
  for (const [name, value] of wrong) {
    const { faults } = read({ ...endpoint, [name]: value })
    t.ok(faults.length > 0 && faults.every((fault) => fault.startsWith(name)), `${name}=${value}`)
  }
})

t.test('a statement is named by what it does to which tables', async (t) => {
  const named: ReadonlyArray<readonly [text: string, summary: string]> = [
    ['begin', 'BEGIN'],
    ['select 1', 'SELECT'],
    ['select * from payment where id = $1 for no key update of payment', 'SELECT payment'],
    [
      'with a as (select extract(epoch from at) from notification join "payment" on true) select 1',
      'SELECT notification payment'
    ],
    [
      'with n as (insert into ledger_transfer select $1 on conflict do update set at = $2), ' +
        'd as (delete from event_outbox) update payment set status = $3',
      'INSERT ledger_transfer DELETE event_outbox UPDATE payment'
    ],
    ['copy staged_line from stdin', 'COPY stdin']
  ]
  for (const [text, summary] of named) t.equal(summaryOf(text), summary)
  t.equal(withoutTexts("a = 'x' and b = 'it''s' and c = $1"), 'a = ? and b = ?? and c = $1')
})

t.test('the trace of a payment is a function of its id, as the runbook says', async (t) => {
  const { traceId, spanId } = traceOfPayment('pay_0123456789abcdef')
  t.match([traceId, spanId], [/^[0-9a-f]{32}$/, /^[0-9a-f]{16}$/])
  t.equal(traceId, '9ebfa1e00ea469f7a2e87eb6b580110b', 'as sha256sum says')
})

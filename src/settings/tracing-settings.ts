import { type SamplerName, samplerNames, type TracingConfig } from '../tracing/tracing-config.ts'
import type { Reader } from './reader.ts'

/** The only one that there is an exporter for; gRPC would be 10 MB of packages more. */
const protocols = ['http/protobuf']

/**
 * Null: nothing is traced, unless OTEL_EXPORTER_OTLP_ENDPOINT says where to. What it does not read
 * here the SDK reads itself: see `startTracer`.
 */
export function readTracing(reader: Reader): TracingConfig | null {
  const endpoint = reader.text('OTEL_EXPORTER_OTLP_ENDPOINT')
  if (endpoint === undefined) return null
  const own = reader.text('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT')
  for (const url of [endpoint, own ?? endpoint]) {
    if (/^https?:/.test(url) && URL.canParse(url)) continue
    reader.fault('OTEL_EXPORTER_OTLP_ENDPOINT must be a URL, such as http://collector:4318')
  }
  for (const name of ['OTEL_EXPORTER_OTLP_PROTOCOL', 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL']) {
    reader.oneOf(name, protocols)
  }
  const sampler = reader.oneOf('OTEL_TRACES_SAMPLER', samplerNames) ?? 'parentbased_always_on'
  return {
    url: own ?? `${endpoint.replace(/\/$/, '')}/v1/traces`,
    sampler: sampler as SamplerName,
    ratio: readRatio(reader)
  }
}

function readRatio(reader: Reader): number {
  const ratio = Number(reader.text('OTEL_TRACES_SAMPLER_ARG') ?? '1')
  if (ratio >= 0 && ratio <= 1) return ratio
  reader.fault('OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1')
  return 1
}

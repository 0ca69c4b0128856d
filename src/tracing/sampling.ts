import { createContextKey, ROOT_CONTEXT } from '@opentelemetry/api'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  RandomIdGenerator,
  type Sampler,
  SamplingDecision,
  TraceIdRatioBasedSampler
} from '@opentelemetry/sdk-trace'
import type { TracingConfig } from './tracing-config.ts'

const always = createContextKey('always sampled')
/** What begins in it is sampled: it serves something that is. */
export const sampledContext = ROOT_CONTEXT.setValue(always, true)

export function createSampler({ sampler: name, ratio }: TracingConfig): Sampler {
  const [, ofParent, rule] = /^(parentbased_)?(.+)$/.exec(name) ?? []
  const roots: Readonly<Record<string, () => Sampler>> = {
    always_on: () => new AlwaysOnSampler(),
    always_off: () => new AlwaysOffSampler(),
    traceidratio: () => new TraceIdRatioBasedSampler(ratio)
  }
  const root = roots[rule as string]?.() as Sampler
  const sampler = ofParent === undefined ? root : new ParentBasedSampler({ root })
  return {
    shouldSample: (context, ...others) =>
      context.getValue(always)
        ? { decision: SamplingDecision.RECORD_AND_SAMPLED }
        : sampler.shouldSample(context, ...others),
    toString: () => sampler.toString()
  }
}

type Ids = { traceId: string; spanId: string }

/** Random ids, but for the span that `begin` begins where it is given some. */
export function createIds() {
  const random = new RandomIdGenerator()
  let given: Ids | undefined
  return {
    generator: {
      generateTraceId: () => given?.traceId ?? random.generateTraceId(),
      generateSpanId: () => given?.spanId ?? random.generateSpanId()
    },
    withIds<Result>(ids: Ids, begin: () => Result): Result {
      given = ids
      try {
        return begin()
      } finally {
        given = undefined
      }
    }
  }
}

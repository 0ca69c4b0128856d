/**
 * The tracer over OpenTelemetry's SDK. Loaded where traces are asked for, and by nobody else: it
 * takes memory, and time to start.
 */
import {
  type Context,
  defaultTextMapGetter,
  type SpanContext as OtelSpanContext,
  type SpanOptions as OtelSpanOptions,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, SamplingDecision, TracerProvider } from '@opentelemetry/sdk-trace'
import { holdRounds, watchExports } from './exporting.ts'
import { watchOutgoing } from './outgoing.ts'
import { isPaymentId, traceOfPayment } from './payment-trace.ts'
import { createIds, createSampler, sampledContext } from './sampling.ts'
import { isSampled, type Span, type SpanOptions, type Tracer, within } from './span.ts'
import type { TracingConfig } from './tracing-config.ts'

/** What may wait for the collector; what comes on top is dropped. */
const queueMax = 2_048
/** Of a span: characters of a text, such as a statement, and those whom a statement serves. */
const spanLimits = { attributeValueLengthLimit: 2_000, linkCountLimit: 128 }
/** A stop waits so long for the collector, ms. */
const stopWithinMs = 1_500

const name = 'one-off-payments'

type TracerOptions = TracingConfig & {
  /** Called where the collector takes no spans, for this reason, and where it does again. */
  onExport: (fault: string | undefined) => void
}

/**
 * Begins to export. The SDK itself reads OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, and of
 * OTEL_EXPORTER_OTLP_* and OTEL_EXPORTER_OTLP_TRACES_* the headers, timeout, compression and
 * certificates.
 */
export function startTracer(options: TracerOptions): Tracer {
  const exporter = watchExports(new OTLPTraceExporter({ url: options.url }), options.onExport)
  const rounds = holdRounds(new BatchSpanProcessor({ exporter, maxQueueSize: queueMax }))
  const sampler = createSampler(options)
  const { generator: idGenerator, withIds } = createIds()
  const named = resourceFromAttributes({ 'service.name': name })
  const provider = new TracerProvider({
    ...{ sampler, idGenerator, spanLimits, spanProcessors: [rounds.processor] },
    resource: named.merge(detectResources({ detectors: [envDetector] }))
  })
  const tracer = provider.getTracer(name)
  const propagator = new W3CTraceContextPropagator()
  const unwatchOutgoing = watchOutgoing()

  /** Where the trace of a payment begins: sampled or not by its id, whoever comes to it. */
  function beginningOf(paymentId: string): OtelSpanContext {
    const ids = traceOfPayment(paymentId)
    const { INTERNAL } = SpanKind
    const { decision } = sampler.shouldSample(ROOT_CONTEXT, ids.traceId, '', INTERNAL, {}, [])
    const sampled = decision === SamplingDecision.RECORD_AND_SAMPLED
    return { ...ids, traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE, isRemote: true }
  }

  function beginOfPayment(paymentId: string, isFirst: boolean, ...[name, options]: Beginning) {
    if (isFirst) return withIds(traceOfPayment(paymentId), () => begin(name, options, ROOT_CONTEXT))
    return begin(name, options, trace.setSpanContext(ROOT_CONTEXT, beginningOf(paymentId)))
  }

  /** `servesMany`: what concerns a payment is no part of it, but of the trace of the payment. */
  function begin(...[name, options, parent, servesMany]: [...Beginning, Context, boolean?]): Span {
    const otel = tracer.startSpan(name, options, parent)
    const context = otel.spanContext()
    const inside = trace.setSpan(ROOT_CONTEXT, otel)
    return {
      ...{ name, context, share: shareSampled },
      begin(name, { paymentId, isFirst = false, ...others } = {}) {
        const options = toOtelOptions({ ...others, paymentId })
        if (!servesMany || paymentId == null) return begin(name, options, inside)
        return beginOfPayment(paymentId, isFirst, name, { ...options, links: [{ context }] })
      },
      set: (attributes) => void otel.setAttributes({ ...attributes }),
      link: (other) => void otel.addLink({ context: other }),
      about(paymentId) {
        if (!isPaymentId(paymentId)) return
        otel.setAttribute('payment.id', paymentId)
        otel.addLink({ context: beginningOf(paymentId) })
      },
      end(error) {
        if (error !== undefined) {
          otel.setAttribute('error.type', kindOf(error))
          otel.setStatus({ code: SpanStatusCode.ERROR })
        }
        otel.end()
      }
    }
  }

  /** What begins in it stands alone, with links to those whom it serves, and from them. */
  function shareSampled(spans: readonly Span[]): Span | undefined {
    const served = spans.filter(({ context }) => isSampled(context))
    const [first] = served
    if (first === undefined) return undefined
    return {
      ...first,
      begin(name, options = {}) {
        const links = served.map(({ context }) => ({ context }))
        const shared = begin(name, { ...toOtelOptions(options), links }, sampledContext)
        for (const span of served) span.link(shared.context)
        return shared
      }
    }
  }

  return {
    beginRequest(name, attributes, headers) {
      const parent = propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter)
      return begin(name, { kind: SpanKind.SERVER, attributes }, parent)
    },

    async runRound(task, run) {
      const span = begin(task, { attributes: { 'task.name': task } }, ROOT_CONTEXT, true)
      const { traceId } = span.context
      rounds.hold(traceId)
      try {
        const count = await within(span, run)
        span.set({ 'task.count': count })
        span.end()
        rounds.settle(traceId, count > 0)
        return count
      } catch (error) {
        span.end(error)
        rounds.settle(traceId, true)
        throw error
      }
    },

    async stop() {
      unwatchOutgoing()
      const late = Promise.withResolvers<void>()
      const timer = setTimeout(late.resolve, stopWithinMs)
      await Promise.race([provider.shutdown().catch(() => {}), late.promise])
      clearTimeout(timer)
    }
  }
}

type Beginning = [name: string, options: OtelSpanOptions]

function toOtelOptions({ isCall, attributes, paymentId }: SpanOptions): OtelSpanOptions {
  return {
    kind: isCall ? SpanKind.CLIENT : SpanKind.INTERNAL,
    attributes: { ...attributes, ...(paymentId != null && { 'payment.id': paymentId }) }
  }
}

/** Its code, such as SQLSTATE, or its name. */
function kindOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown }
  return String(code ?? name ?? typeof error)
}

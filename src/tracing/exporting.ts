/** What becomes of spans that have ended, before they go to the collector and there. */
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace'

/** Tells where the collector takes nothing, for this reason, and where it does again. */
export function watchExports(
  exporter: SpanExporter,
  tell: (fault: string | undefined) => void
): SpanExporter {
  let wasTaken = true
  const note = ({ code, error }: ExportResult) => {
    const isTaken = code === ExportResultCode.SUCCESS
    if (isTaken !== wasTaken) tell(isTaken ? undefined : (error?.message ?? 'it gave no reason'))
    wasTaken = isTaken
  }
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        note(result)
        done(result)
      }),
    shutdown: () => exporter.shutdown()
  }
}

/** A round of more spans than this has done something. */
const heldMax = 200

/**
 * Keeps the spans of a round back until it is known whether it did anything: most find nothing to
 * do, every second, in each of the tasks. `next` gets the others at once.
 */
export function holdRounds(next: SpanProcessor) {
  const held = new Map<string, ReadableSpan[]>()

  function settle(traceId: string, isKept: boolean): void {
    const spans = held.get(traceId) ?? []
    held.delete(traceId)
    if (isKept) for (const span of spans) next.onEnd(span)
  }

  const processor: SpanProcessor = {
    onStart: () => {},
    onEnd(span) {
      const { traceId } = span.spanContext()
      const own = held.get(traceId)
      if (own === undefined) next.onEnd(span)
      else if (own.push(span) > heldMax) settle(traceId, true)
    },
    forceFlush: () => next.forceFlush(),
    shutdown: () => next.shutdown()
  }
  return { processor, hold: (traceId: string) => void held.set(traceId, []), settle }
}

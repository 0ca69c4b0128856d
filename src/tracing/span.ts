/**
 * Traces, as the rest of the service knows them: the span that what runs is a part of. Only a
 * tracer begins the first one, so that without a tracer there is none and nothing is done.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingHttpHeaders } from 'node:http'

/** Ids and short words: never what people typed, and nothing of a person or a card. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

/** Where a span stands: 32 and 16 hexadecimal digits, and W3C's flags. */
export type SpanContext = { traceId: string; spanId: string; traceFlags: number }

/** Whether it is kept. */
export const isSampled = ({ traceFlags }: SpanContext): boolean => (traceFlags & 1) === 1

export type SpanOptions = {
  /** Who is asked, rather than what is done here. */
  isCall?: boolean
  attributes?: Attributes
  /** Whom it concerns: in due work, which serves many, it goes into the trace of the payment. */
  paymentId?: string | null | undefined
  /** The trace of the payment begins with it. */
  isFirst?: boolean
}

export type Span = {
  readonly name: string
  readonly context: SpanContext
  /** Begins a part of it. */
  begin(name: string, options?: SpanOptions): Span
  /** What serves this one and others at once; undefined where none of them is sampled. */
  share(spans: readonly Span[]): Span | undefined
  set(attributes: Attributes): void
  link(context: SpanContext): void
  /** It concerns this payment: leads to the payment's own trace. */
  about(paymentId: string): void
  /** Of an error its kind is told: what it says may quote anything. */
  end(error?: unknown): void
}

export type Tracer = {
  /** Begins the span of a request, in the trace that its headers name (W3C Trace Context). */
  beginRequest(name: string, attributes: Attributes, headers: IncomingHttpHeaders): Span
  /**
   * Runs a round of due work within a span of its own; `run` answers how much it did. Nothing is
   * kept of a round that did nothing.
   */
  runRound(task: string, run: () => Promise<number>): Promise<number>
  /** Sends what is left, within a bounded time; throws nothing. */
  stop(): Promise<void>
}

const spans = new AsyncLocalStorage<Span | undefined>()

/** Undefined where nothing is traced. */
export const currentSpan = (): Span | undefined => spans.getStore()

/** Runs `work` as a part of `span`, or of none. */
export function within<Result>(span: Span | undefined, work: () => Result): Result {
  return spans.getStore() === span ? work() : spans.run(span, work)
}

/** Runs `work` as a span of its own, where something is traced. */
export async function traced<Result>(
  name: string,
  options: SpanOptions,
  work: () => Promise<Result>
): Promise<Result> {
  const span = currentSpan()?.begin(name, options)
  if (span === undefined) return await work()
  try {
    const result = await within(span, work)
    span.end()
    return result
  } catch (error) {
    span.end(error)
    throw error
  }
}

/** What serves all of these at once: see `Span.share`. */
export function shareSpans(some: ReadonlyArray<Span | undefined>): Span | undefined {
  const all = some.filter((span) => span !== undefined)
  return all[0]?.share(all)
}

/** What a line of log says of where it was written. */
export function idsOfTrace(): { trace_id?: string; span_id?: string } {
  const context = currentSpan()?.context
  return context === undefined ? {} : { trace_id: context.traceId, span_id: context.spanId }
}
